"""Runs a tool to its end: its output is passed on as it comes, its time is bounded."""

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import IO

from environments.builder.errors import INDEX, PackageSource, explain
from environments.builder.outcome import BuildFailed, without_credentials

KEPT_LINES = 200
LINE_LIMIT = 2000


def say(line: str) -> None:
    print(without_credentials(line), flush=True)  # noqa: T201 - it is the log


@dataclass(frozen=True, kw_only=True)
class Tools:
    """With what environment tools run, and when their time is over (`time.monotonic`)."""

    environment: Mapping[str, str]
    deadline: float

    def run(
        self,
        what: str,
        argv: Sequence[str],
        *,
        given: str = "",
        quiet: bool = False,
        source: PackageSource = INDEX,
    ) -> list[str]:
        """Run `argv`, which reads `given`; what it said, the last lines of it unless it is `quiet`,
        when the log has none of it. Raises `BuildFailed`.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _timed_out(what)
        with subprocess.Popen(  # noqa: S603 - a list, never a shell's line
            argv,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # So that what it starts can be ended with it.
            start_new_session=True,
        ) as process:
            timer = Timer(left, _kill, [process.pid])
            timer.start()
            said: deque[str] = deque(maxlen=None if quiet else KEPT_LINES)
            try:
                assert process.stdin
                assert process.stdout
                with suppress(BrokenPipeError):
                    process.stdin.write(given.encode())
                    process.stdin.close()
                for line in _lines(process.stdout, until=self.deadline):
                    said.append(without_credentials(line))
                    if not quiet:
                        say(said[-1])
                exit_code = process.wait()
            finally:
                timer.cancel()
                # Also what it left behind.
                _kill(process.pid)
        if time.monotonic() >= self.deadline:
            raise _timed_out(what)
        if exit_code:
            raise explain(what, list(said), exit_code, source=source, proxy=self._proxy())
        return list(said)

    def _proxy(self) -> str:
        """Return the host of the proxy that the tools use, if they use one."""
        for name in (
            "https_proxy",
            "HTTPS_PROXY",
            "http_proxy",
            "HTTP_PROXY",
            "all_proxy",
            "ALL_PROXY",
        ):
            if address := self.environment.get(name):
                return address.rpartition("@")[2].rpartition("//")[2].rstrip("/")
        return ""


def _lines(pipe: IO[bytes], *, until: float) -> Iterator[str]:
    """What is said, until nobody is left to say more or the time is over: what has left its group
    is not ended with it, and may keep the pipe open for ever.
    """
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0 and selector.select(left):
            data = os.read(pipe.fileno(), LINE_LIMIT)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > LINE_LIMIT:
                lines, rest = [*lines, rest], b""
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _timed_out(what: str) -> BuildFailed:
    return BuildFailed("build_timed_out", f"{what} took longer than a build may take.")
