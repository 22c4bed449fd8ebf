"""Builds kernels as processes of this machine, into `environments` of the data folder.

    environments/<digest>/          what was built; the program says what is in there
    builds/<digest>.<attempt>/      `request.json`, `log`, `lock`: held while the build lives

A build needs no other process of the service, as a run does not: whoever looks next finds it.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import SubprocessError

from environments.builder.build import discard
from environments.builder.outcome import read_outcome
from environments.builder.request import Site
from environments.building import BuildProgress, BuildSeen, BuildSpec, ended, request
from notebooks.backends.local import detach, processes
from notebooks.backends.local.jupyter import INHERITED
from notebooks.backends.local.life import is_alive, life, spawn
from notebooks.backends.local.runs import locked, private_folder
from submarine_site.core.outside import BackendUnavailable

CHECKOUT = Path(__file__).parents[3]
LOG_LIMIT = 4 * 1024 * 1024
"""Of a log that is read: the outcome, with its lock, is in its last line."""


def store(data: Path) -> Path:
    """The folder of all that was built."""
    return data / "environments"


class LocalBuilder:
    def __init__(self, *, data: Path, site: Site, memory_mib: int) -> None:
        self._store = store(data.absolute())
        self._builds = data.absolute() / "builds"
        self._site = site
        self._memory_mib = memory_mib

    def begin(self, spec: BuildSpec) -> None:
        with _errors():
            private_folder(self._builds)
            private_folder(self._store)
            with locked(self._builds):
                attempt = self._attempt(spec.digest, spec.attempt)
                if (attempt / "log").exists():
                    return
                if not self._end_others(spec.digest):
                    raise BackendUnavailable("An earlier build of it is still being ended.")
                self._spawn(attempt, spec)

    def observe(self, digest: str, attempt: int) -> BuildSeen | None:
        folder = self._attempt(digest, attempt)
        with _errors():
            if not (folder / "log").exists():
                return None
            if is_alive(folder):
                return BuildSeen(progress=BuildProgress.UNDER_WAY)
            return ended(_read(folder))

    def log(self, digest: str, attempt: int, *, lines: int) -> str:
        with _errors():
            said, _ = read_outcome(_read(self._attempt(digest, attempt)))
        return "".join(said.splitlines(keepends=True)[-lines:])

    def clear(self, digest: str) -> None:
        with _errors():
            private_folder(self._builds)
            with locked(self._builds):
                if not self._end_others(digest):
                    raise BackendUnavailable("The build is still being ended.")
                for folder in self._attempts(digest):
                    shutil.rmtree(folder)

    def discard(self, digest: str, *, image: str) -> None:  # noqa: ARG002
        self.clear(digest)
        with _errors():
            discard(self._store / digest)

    def _attempt(self, digest: str, attempt: int) -> Path:
        return self._builds / f"{digest}.{attempt}"

    def _mark(self, digest: str) -> str:
        """What all of a build is found by: another service here may build the same."""
        return str(self._store / digest)

    def _attempts(self, digest: str) -> list[Path]:
        return list(self._builds.glob(f"{digest}.*"))

    def _end_others(self, digest: str) -> bool:
        """Kill what is at this digest; whether nothing of it is left."""
        left = processes.leftovers(self._mark(digest))
        processes.kill(left)
        return not left and not any(map(is_alive, self._attempts(digest)))

    def _spawn(self, attempt: Path, spec: BuildSpec) -> None:
        """Start the program, which takes over the lock and is nobody's child."""
        private_folder(attempt)
        asked = request(
            spec,
            site=self._site,
            folder=str(self._store / spec.digest),
            memory_mib=self._memory_mib,
        )
        path = attempt / "request.json"
        path.touch(mode=0o600)
        path.write_text(asked.as_text())
        with life(attempt) as lock:
            if lock is None:
                raise BackendUnavailable("The build is under way.")
            try:
                spawn(
                    [
                        *(detach.__file__, sys.executable),
                        *("-m", "environments.builder", str(path)),
                    ],
                    lock=lock,
                    log=attempt / "log",
                    environment=_environment(self._mark(spec.digest)),
                    cwd=CHECKOUT,
                )
            except SubprocessError as error:
                raise BackendUnavailable("The build did not start.") from error


def _environment(mark: str) -> Mapping[str, str]:
    """Nothing of the service's secrets, and a mark by which all that it starts is found."""
    inherited = {name: value for name, value in os.environ.items() if name.upper() in INHERITED}
    return inherited | {"PATH": os.defpath, processes.MARK: mark}


def _read(folder: Path) -> str:
    """The end of a log; empty if there is none."""
    try:
        with (folder / "log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_LIMIT))
            return log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise BackendUnavailable(f"This machine did not do it: {reason}.") from error
