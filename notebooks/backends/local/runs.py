"""Runs on disk: what was asked for, how far it got, and whether it lives.

    runs/<session id>/<run id>/   kept: `run.json` as asked, `state.json` by the shim, the log,
                                  `stopped` from the first stop on, `lock` held while the shim
                                  lives, `failure.json` by what comes before the server
    live/<session id>.<run id>    there until it is confirmed that nothing of the run is left

`locked(run.folder)` serialises those who begin, stop or look at a run; hold it for every decision.
"""

import fcntl
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from notebooks.backends.code import outcomes
from notebooks.backends.contract import CodeOutcome, RunKey
from notebooks.backends.local import shim
from notebooks.backends.local.folders import remove_tree
from notebooks.backends.local.life import is_alive

# Random in every version of UUID in use, unlike the beginning; short for a socket's path.
SHORT_NAME_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the shim wrote last: its pid, and when each step began, in seconds since the epoch."""

    pid: int | None = None
    server: int | None = None
    starting_server: float | None = None
    ready: float | None = None
    ended: float | None = None
    exit_code: int | None = None

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None if no shim ever wrote it; without any fact if a crash of the machine spoilt it."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the shim is to do. Everything but the secrets, which are in its environment."""

    session_id: str
    run_id: str
    requested_at: float
    argv: list[str]
    home: str
    base_url: str
    socket: str
    watch: str
    grace: float
    session: str = ""
    """What its user calls the session."""
    owner: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    """What the rows of session and run consist of."""
    has_code: bool = False
    is_rescue: bool = False
    home_mib: int | None = None
    """What the home may hold; None: as much as there is."""
    mounts: dict[str, str] = field(default_factory=dict)
    """The folders of its volumes, by their paths below the home."""
    read_only: list[str] = field(default_factory=list)
    """Those folders of them that are."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None if a crash of the machine spoilt it."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run ended before there was a server, as `before` says it."""

    code: str = ""
    message: str = ""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Empty if it does not."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of a run's code, and since when that is known, in seconds since the epoch."""

    outcomes: tuple[CodeOutcome, ...]
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The files of one run. `sockets` is its folder with a short path, removed at the end."""

    key: RunKey
    folder: Path
    marker: Path
    sockets: Path

    @property
    def socket(self) -> Path:
        return self.sockets / "jupyter.sock"

    @property
    def home(self) -> Path:
        """The home of a run that is not to be kept. It goes with the run."""
        return self.folder / "home"

    @property
    def links(self) -> Path:
        """The record of the links in that home."""
        return self.folder / "links.json"

    @property
    def rescue(self) -> Path:
        """Where a rescue has what is else in the home: removed with the sockets."""
        return self.sockets / "rescue"

    @property
    def secrets(self) -> Path:
        """Where its secret files are: removed with the sockets."""
        return self.sockets / "secrets"

    def write_secrets(self, files: Mapping[str, str]) -> None:
        """Write files that this user alone can read. Another try writes them again."""
        for name, text in files.items():
            private_folder(self.secrets)
            write_private(self.secrets / name, text)

    @property
    def code_request(self) -> Path:
        """What the program that fetches code is asked. It removes it: there are secrets in it."""
        return self.sockets / "code-request.json"

    @property
    def code_outcome(self) -> Path:
        """What it answered, when it was done."""
        return self.folder / "code.json"

    def fetched(self) -> Fetched | None:
        """What came of its code; None: it is under way."""
        try:
            return Fetched(
                outcomes=outcomes(self.code_outcome.read_text()),
                at=self.code_outcome.stat().st_mtime,
            )
        except FileNotFoundError:
            return None

    def failed(self) -> Failure:
        """Why it ended before there was a server, where that is known."""
        return Failure.read(self.folder / "failure.json")

    def request(self) -> Request | None:
        return Request.read(self.folder / shim.RUN)

    def state(self) -> State | None:
        return State.read(self.folder / shim.STATE)

    def is_unfinished(self) -> bool:
        return self.marker.exists() and self.folder.is_dir()

    def is_stopped(self) -> bool:
        return (self.folder / shim.STOPPED).exists()

    def mark_stopped(self) -> None:
        (self.folder / shim.STOPPED).touch(mode=0o600)

    def is_alive(self) -> bool:
        return is_alive(self.folder)

    def ask_to_stop(self) -> None:
        """Wake the shim of a live run. One that has not written its pid yet looks for the mark."""
        state = self.state()
        if state and state.pid:
            with suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    data: Path
    runtime: Path

    def of(self, key: RunKey) -> Run:
        return Run(
            key=key,
            folder=self.data / "runs" / str(key.session_id) / str(key.run_id),
            marker=self.data / "live" / f"{key.session_id}.{key.run_id}",
            sockets=self.runtime / key.run_id.hex[-SHORT_NAME_LENGTH:],
        )

    def unfinished(self) -> Iterator[Run]:
        for marker in (self.data / "live").glob("*.*"):
            session_id, _, run_id = marker.name.partition(".")
            # File managers leave files of their own in any folder.
            with suppress(ValueError):
                yield self.of(RunKey(UUID(session_id), UUID(run_id)))

    def forget(self, session_id: UUID) -> None:
        """Remove the folders of a session's runs."""
        remove_tree(self.data / "runs" / str(session_id))

    def begin(self, run: Run, request: Request) -> None:
        """Write down that a run is about to begin."""
        for folder in (run.sockets, run.marker.parent):
            private_folder(folder)
        (run.folder / shim.RUN).write_text(json.dumps(asdict(request)))
        run.marker.touch(mode=0o600)


@contextmanager
def locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a lock on a folder, between processes and between threads."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        # For the same reason as in `is_alive`.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file that this user alone can read."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8", newline="") as opened:
        opened.write(text)


def private_folder(path: Path) -> None:
    """Make a folder, and the parents it lacks, for this user alone."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
