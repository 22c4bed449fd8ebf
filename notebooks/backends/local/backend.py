"""Runs sessions as Jupyter servers on this machine, one process tree for each run.

Each is looked after by a shim (`shim.py`) that needs no other process of the service: whatever of
those is killed, the next one to look finds the runs as they are.
"""

import errno
import fcntl
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import SubprocessError
from uuid import UUID

import psutil

from notebooks.backends.code import code_request, fetching_first
from notebooks.backends.contract import (
    Capacity,
    Ceiling,
    Observed,
    RunDescription,
    RunKey,
    RunState,
    SessionSpec,
)
from notebooks.backends.fetcher.request import USUAL_RULES, Rules
from notebooks.backends.local import before, jupyter, links, processes, shim
from notebooks.backends.local.builds import store
from notebooks.backends.local.folders import remove_tree
from notebooks.backends.local.life import life, spawn
from notebooks.backends.local.logs import tail
from notebooks.backends.local.observed import description, observed
from notebooks.backends.local.runs import (
    Request,
    Run,
    Runs,
    State,
    locked,
    private_folder,
    write_private,
)
from notebooks.backends.local.volumes import Volumes
from notebooks.backends.local.watch import watch
from submarine_site.core.outside import BackendRefused, BackendUnavailable
from volumes.contract import VolumeSeen, VolumeSpec

# How long a server may take to shut its kernels down before it is killed.
STOP_GRACE = 10.0

# The program that the server's process is first.
BEFORE = str(Path(before.__file__).parent)

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
        self._volumes = Volumes(data=data.absolute())
        self._store = store(data.absolute())
        self._code_rules = code_rules
        self._watch = runtime.absolute() / "watch.sock"

    def start(self, spec: SessionSpec) -> None:
        run = self._runs.of(spec.key)
        with _errors(refusing="start_refused"):
            private_folder(run.folder)
            private_folder(self._volumes.folder)
            # In this order in `delete_volume` too.
            with locked(self._volumes.folder, fcntl.LOCK_SH), locked(run.folder):
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
                    self._clear(run)

    def observe(self, key: RunKey) -> Observed | None:
        run = self._runs.of(key)
        with _errors():
            if not run.is_unfinished():
                return None
            with locked(run.folder):
                return self._look(run)

    def observe_all(self) -> Mapping[RunKey, Observed]:
        with _errors():
            seen = {run.key: self.observe(run.key) for run in self._runs.unfinished()}
        return {key: observed for key, observed in seen.items() if observed}

    def describe(self, keys: Collection[RunKey]) -> Mapping[RunKey, RunDescription]:
        with _errors():
            unfinished = (run for run in self._runs.unfinished() if run.key in keys)
            return {run.key: description(run.request()) for run in unfinished}

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

    def capacity(self) -> Capacity | None:
        """That of the machine."""
        return Capacity(
            cpu_milli=(os.cpu_count() or 1) * 1000,
            memory_mib=psutil.virtual_memory().total // 1024**2,
        )

    def keep_below(self, ceiling: Ceiling) -> None:
        """There is nothing here that could refuse."""

    def tidy(self) -> None:
        """Of runs nothing is left over: what ended without its shim is seen by `observe_all`."""
        with _errors():
            self._volumes.remove_discarded()

    def ensure_volume(self, spec: VolumeSpec) -> None:
        with _errors(refusing="volume_refused"):
            self._volumes.ensure(spec)

    def grow_volume(self, spec: VolumeSpec) -> None:
        """A folder has all the room of its disk: what there is to do is to see that it is there."""
        with _errors():
            self._volumes.existing(spec)

    def delete_volume(self, spec: VolumeSpec) -> None:
        with _errors():
            private_folder(self._volumes.folder)
            with locked(self._volumes.folder):
                if self._is_in_use(self._volumes.of(spec)):
                    raise BackendRefused("A session uses this volume.", code="volume_in_use")
                self._volumes.record_of(spec.id).unlink(missing_ok=True)
                if not spec.claim:
                    self._volumes.discard(self._volumes.of(spec), str(spec.id))
            self._volumes.remove_discarded(str(spec.id))

    def observe_volumes(self) -> Mapping[UUID, VolumeSeen]:
        with _errors():
            return self._volumes.look()

    def _begin(self, run: Run, spec: SessionSpec) -> None:
        if not os.access(self._jupyter, os.X_OK):
            raise BackendRefused(
                f"There is no Jupyter to start at {self._jupyter}.", code="start_refused"
            )
        home = self._volumes.existing(spec.home) if spec.home else run.home
        mounts = {mount.path: str(self._volumes.existing(mount.volume)) for mount in spec.mounts}
        command = jupyter.command(self._jupyter, spec, home=home, socket=run.socket)
        if spec.code:
            command = fetching_first(command, request=run.code_request, outcome=run.code_outcome)
        with life(run.folder) as lock:
            if lock is None:
                return
            self._write_down(
                run,
                spec,
                Request(
                    session_id=str(spec.key.session_id),
                    run_id=str(spec.key.run_id),
                    session=spec.display_name,
                    owner=spec.owner,
                    record=dict(spec.record),
                    requested_at=time.time(),
                    argv=[sys.executable, "-I", "-S", BEFORE, str(run.folder), *command],
                    home=str(home),
                    base_url=spec.base_url,
                    socket=str(run.socket),
                    watch=str(self._watch),
                    grace=STOP_GRACE,
                    has_code=bool(spec.code),
                    is_rescue=spec.is_rescue,
                    home_mib=spec.home.size_mib if spec.home else None,
                    mounts=mounts,
                    read_only=[mounts[mount.path] for mount in spec.mounts if mount.read_only],
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
                    rescued=run.rescue,
                    store=self._store,
                ),
            )

    def _write_down(self, run: Run, spec: SessionSpec, request: Request) -> None:
        """Make the home what the run needs it to be, which from then on is known to others."""
        record = self._volumes.record_of(spec.home.id) if spec.home else run.links
        if spec.home is None:
            private_folder(run.home)
        with self._volumes.arranging():
            if request.mounts or record.exists():
                links.arrange(
                    Path(request.home),
                    request.mounts,
                    record=record,
                    needed=self._needed_in(request.home, but_for=run),
                    is_ours=self._volumes.is_ours,
                )
            self._runs.begin(run, request)

    def _needed_in(self, home: str, *, but_for: Run) -> list[links.Needed]:
        """What the other runs that have this home have attached."""
        others = (run.request() for run in self._runs.unfinished() if run.key != but_for.key)
        return [
            links.Needed(path=path, folder=folder, session=request.session)
            for request in others
            if request and request.home == home
            for path, folder in request.mounts.items()
        ]

    def _is_in_use(self, folder: Path) -> bool:
        return any(
            (
                (request := run.request()) is None
                or str(folder) in {request.home, *request.mounts.values()}
            )
            and self.observe(run.key) is not None
            for run in self._runs.unfinished()
        )

    def _look(self, run: Run) -> Observed | None:
        alive = run.is_alive()
        # After the look at the lock: the shim writes its last words before it lets go.
        state = run.state()
        if run.is_stopped():
            if not alive and self._clear(run):
                return None
            return observed(run, RunState.STOPPING, state or State())
        if state is None:
            # Who began it died before there was a shim: it can be begun again.
            return observed(run, RunState.STARTING, State()) if alive else None
        if state.ended or not alive:
            return observed(run, RunState.EXITED, state)
        return observed(run, RunState.READY if state.ready else RunState.STARTING, state)

    def _clear(self, run: Run) -> bool:
        """Remove what a stopped run without a shim has left; whether it is confirmed gone."""
        if left := processes.leftovers(run.key.run_id):
            processes.kill(left)
            return False
        with suppress(OSError):
            remove_tree(run.sockets)
        self._volumes.discard(run.home, str(run.key.run_id))
        run.marker.unlink(missing_ok=True)
        return True


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
