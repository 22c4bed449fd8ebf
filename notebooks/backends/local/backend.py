"""Runs sessions as Jupyter servers on this machine, one process tree for each run.

Each is looked after by a shim (`shim.py`) that needs no other process of the service: whatever of
those is killed, the next one to look finds the runs as they are.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from subprocess import SubprocessError
from uuid import UUID

from notebooks.backends.code import FETCHING, code_request, fetching_first
from notebooks.backends.contract import Observed, Phase, PhaseTime, RunKey, RunState, SessionSpec
from notebooks.backends.fetcher.request import USUAL_RULES, Rules
from notebooks.backends.local import jupyter, processes, shim
from notebooks.backends.local.builds import store
from notebooks.backends.local.homes import Homes
from notebooks.backends.local.life import life, spawn
from notebooks.backends.local.logs import tail
from notebooks.backends.local.runs import (
    Request,
    Run,
    Runs,
    State,
    locked,
    private_folder,
    write_private,
)
from notebooks.backends.local.watch import watch
from submarine_site.core.outside import BackendRefused, BackendUnavailable

# How long a server may take to shut its kernels down before it is killed.
STOP_GRACE = 10.0

LASTING_ERRORS = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)

# The longest path of a Unix socket on Linux, and how far one goes below the runtime folder:
# `/<run>/kernel-<uuid>-ipc-<n>`.
SOCKET_PATH_LIMIT = 107
SOCKET_NAME_LENGTH = len("/012345678901/kernel-01234567-0123-0123-0123-012345678901-ipc-1")


class LocalBackend:
    def __init__(
        self, *, data: Path, runtime: Path, jupyter: Path, code_rules: Rules = USUAL_RULES
    ) -> None:
        """`runtime` holds sockets, so that its path has to be short; `jupyter` is `jupyter-lab`."""
        if len(os.fsencode(runtime.absolute())) > SOCKET_PATH_LIMIT - SOCKET_NAME_LENGTH:
            raise ValueError(f"The path of the runtime folder is too long for sockets: {runtime}")
        self._jupyter = jupyter.absolute()
        self._runs = Runs(data=data.absolute(), runtime=runtime.absolute())
        self._homes = Homes(data=data.absolute())
        self._store = store(data.absolute())
        self._code_rules = code_rules
        self._watch = runtime.absolute() / "watch.sock"

    def start(self, spec: SessionSpec) -> None:
        run = self._runs.of(spec.key)
        with _errors(refusing="start_refused"):
            private_folder(run.folder)
            private_folder(self._homes.folder)
            # In this order in `delete_volume` too.
            with locked(self._homes.folder, fcntl.LOCK_SH), locked(run.folder):
                if not run.is_stopped() and run.state() is None:
                    self._begin(run, spec)

    def stop(self, key: RunKey) -> None:
        run = self._runs.of(key)
        with _errors():
            private_folder(run.folder)
            with locked(run.folder):
                run.mark_stopped()
                if run.is_alive():
                    run.ask_to_stop()
                elif run.is_unfinished():
                    _clear(run)

    def observe(self, key: RunKey) -> Observed | None:
        run = self._runs.of(key)
        with _errors():
            if not run.is_unfinished():
                return None
            with locked(run.folder):
                return _look(run)

    def observe_all(self) -> Mapping[RunKey, Observed]:
        with _errors():
            seen = {run.key: self.observe(run.key) for run in self._runs.unfinished()}
        return {key: observed for key, observed in seen.items() if observed}

    def changes(self) -> Iterator[Mapping[RunKey, Observed | None]]:
        with _errors():
            for key in watch(self._watch):
                yield {key: self.observe(key)} if key else {}

    def logs(self, key: RunKey, *, lines: int) -> str:
        with _errors():
            return tail(self._runs.of(key).folder, lines)

    def forget(self, session_id: UUID) -> None:
        with _errors():
            self._runs.forget(session_id)

    def tidy(self) -> None:
        """Nothing is left over: what ended without its shim is seen by `observe_all`."""

    def ensure_volume(self, volume_id: UUID) -> None:
        with _errors(refusing="volume_refused"):
            private_folder(self._homes.of(volume_id))

    def delete_volume(self, volume_id: UUID) -> None:
        with _errors():
            private_folder(self._homes.folder)
            with locked(self._homes.folder):
                if self._is_in_use(self._homes.of(volume_id)):
                    raise BackendRefused("A session uses this volume.", code="volume_in_use")
                self._homes.discard(volume_id)
            self._homes.remove_discarded(volume_id)

    def _begin(self, run: Run, spec: SessionSpec) -> None:
        home = self._homes.of(spec.home)
        if not home.is_dir():
            raise BackendRefused("The home does not exist.", code="volume_missing")
        if not os.access(self._jupyter, os.X_OK):
            raise BackendRefused(
                f"There is no Jupyter to start at {self._jupyter}.", code="start_refused"
            )
        with life(run.folder) as lock:
            if lock is None:
                return
            command = jupyter.command(self._jupyter, spec, home=home, socket=run.socket)
            if spec.code:
                command = fetching_first(
                    command, request=run.code_request, outcome=run.code_outcome
                )
            self._runs.begin(
                run,
                Request(
                    session_id=str(spec.key.session_id),
                    run_id=str(spec.key.run_id),
                    requested_at=time.time(),
                    argv=command,
                    home=str(home),
                    base_url=spec.base_url,
                    socket=str(run.socket),
                    watch=str(self._watch),
                    grace=STOP_GRACE,
                    has_code=bool(spec.code),
                ),
            )
            if spec.code:
                write_private(
                    run.code_request, code_request(spec, self._code_rules, home=str(home))
                )
            run.write_secrets(spec.secret_files)
            _spawn_shim(
                run,
                lock,
                jupyter.environment(
                    self._jupyter,
                    spec,
                    home=home,
                    runtime=run.sockets,
                    secrets=run.secrets,
                    store=self._store,
                ),
            )

    def _is_in_use(self, home: Path) -> bool:
        return any(
            ((request := run.request()) is None or request.home == str(home))
            and self.observe(run.key) is not None
            for run in self._runs.unfinished()
        )


def _spawn_shim(run: Run, lock: int, environment: Mapping[str, str]) -> None:
    """Start the shim, which takes over the lock and is nobody's child."""
    try:
        spawn(
            [shim.__file__, run.folder, str(lock)],
            lock=lock,
            log=run.folder / shim.LOG,
            environment=environment,
        )
    except SubprocessError as error:
        raise BackendUnavailable("The session's process did not start.") from error


def _look(run: Run) -> Observed | None:
    alive = run.is_alive()
    # After the look at the lock: the shim writes its last words before it lets go.
    state = run.state()
    if run.is_stopped():
        if not alive and _clear(run):
            return None
        return _observed(run, RunState.STOPPING, state or State())
    if state is None:
        # Who began it died before there was a shim: it can be begun again.
        return _observed(run, RunState.STARTING, State()) if alive else None
    if state.ended or not alive:
        return _observed(run, RunState.EXITED, state)
    return _observed(run, RunState.READY if state.ready else RunState.STARTING, state)


def _observed(run: Run, state: RunState, facts: State) -> Observed:
    request = run.request()
    has_code = request is not None and request.has_code
    fetched = run.fetched() if has_code else None
    is_fetching = has_code and fetched is None and facts.ready is None
    if fetched or is_fetching:
        # The shim's child becomes the server when it is done with the code.
        facts = replace(facts, starting_server=fetched.at if fetched else None)
    phases = tuple(_phases(request.requested_at, facts)) if request else ()
    if is_fetching:
        phases = (*phases[:-1], replace(phases[-1], detail=FETCHING))
    lost = state is RunState.EXITED and facts.ended is None
    return Observed(
        key=run.key,
        state=state,
        address=f"unix:{run.socket}" if state is RunState.READY else "",
        phases=phases,
        exit_code=facts.exit_code,
        failure_code="server_lost" if lost else "",
        failure_detail="The process that looked after the server was killed." if lost else "",
        waits=is_fetching,
        code=fetched.outcomes if fetched else () if has_code and facts.ready else None,
    )


def _phases(requested_at: float, facts: State) -> Iterator[PhaseTime]:
    begun = [
        (Phase.PREPARING, requested_at),
        (Phase.STARTING_SERVER, facts.starting_server),
        (Phase.READY, facts.ready),
    ]
    ends = [*(at for _, at in begun[1:]), None]
    for (phase, started_at), next_at in zip(begun, ends, strict=True):
        if started_at is None:
            return
        finished_at = next_at or facts.ended
        yield PhaseTime(
            phase=phase,
            started_at=_time(started_at),
            finished_at=None if finished_at is None else _time(finished_at),
        )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _clear(run: Run) -> bool:
    """Remove what a stopped run without a shim has left; whether it is confirmed gone."""
    if left := processes.leftovers(run.key.run_id):
        processes.kill(left)
        return False
    rmtree(run.sockets, ignore_errors=True)
    run.marker.unlink(missing_ok=True)
    return True


@contextmanager
def _errors(*, refusing: str = "") -> Iterator[None]:
    """Say errors of the system in the contract's words; lasting ones with the code `refusing`."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if refusing and error.errno in LASTING_ERRORS:
            raise BackendRefused(f"This machine refused: {reason}.", code=refusing) from error
        raise BackendUnavailable(f"This machine did not do it: {reason}.") from error
