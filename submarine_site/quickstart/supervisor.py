"""Keeps programs running, starts again what ends, and leaves no process behind.

`async with supervisor.running(a, b)` starts programs at once, goes on when all of them serve,
and stops them at its end, so that nested blocks stop in the reverse order of their start. A
program that cannot be started ends the block with a `QuickstartError`.

Each program leads a process group of its own: Ctrl-C on the terminal reaches the supervisor alone,
which then stops them in order. What the kernel does not end with the supervisor (see `launch`)
the next supervisor on the same data finds in a list of processes and ends.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from submarine_site.quickstart.console import Console
from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.folders import write_private

LAUNCHER = Path(__file__).with_name("launch.py")

START_SECONDS = 60.0
SETTLED_SECONDS = 5.0
"""After this time a program that has no way to say so counts as started."""
FAILED_STARTS = 5
WITHIN_SECONDS = 60.0
FIRST_PAUSE = 0.25
LAST_WORDS_SECONDS = 1.0
# The clock may be set while a process runs, and its start is known in that clock only.
CLOCK_TOLERANCE = 2.0


async def _settled(_pid: int) -> None:
    await asyncio.sleep(SETTLED_SECONDS)


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run and how to treat it.

    `before` is called ahead of each start; `ready`, with the process id, returns once it serves.
    `orphan_signal` is what the kernel sends when the supervisor is gone. `user` is for root only:
    the id of the user to become. `descriptors` are inherited.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    descriptors: tuple[int, ...] = ()
    user: int | None = None
    before: Callable[[], None] = _nothing
    ready: Callable[[int], Awaitable[None]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    grace_seconds: float = 10.0

    def launch(self) -> tuple[str, ...]:
        """The whole command line, by way of the launcher."""
        user = -1 if self.user is None else self.user
        words = (str(os.getpid()), str(int(self.orphan_signal)), str(user))
        return (sys.executable, "-I", "-S", str(LAUNCHER), *words, *self.command)


class Supervisor:
    """Runs programs in `folder` (their working folder), and remembers them in `record`."""

    def __init__(self, *, console: Console, folder: Path, record: Path) -> None:
        self.console = console
        self._folder = folder
        self._record = record
        self._hurry = asyncio.Event()
        self._alive: dict[int, tuple[float, int]] = {}
        _end_leftovers(record)

    def hurry(self) -> None:
        """Wait for nothing any more: what still runs is killed."""
        self._hurry.set()

    @asynccontextmanager
    async def running(self, *programs: Program) -> AsyncIterator[None]:
        """Start programs together, and stop them together at the end of the block."""
        async with asyncio.TaskGroup() as group:
            serving = [asyncio.Event() for _ in programs]
            tasks = [
                group.create_task(self._keep(program, event))
                for program, event in zip(programs, serving, strict=True)
            ]
            for event in serving:
                await event.wait()
            yield
            for task in tasks:
                task.cancel()

    async def complete(
        self, program: Program, *, given: str = "", seconds: float = START_SECONDS
    ) -> int | None:
        """Run a program to its end, with text as its input, and return its exit code.

        None if it has not ended in time; then it is stopped.
        """
        async with self._process(program, given=given) as process:
            await self._wait(process, seconds)
            return process.returncode

    async def _keep(self, program: Program, serving: asyncio.Event) -> None:
        ends: deque[float] = deque(maxlen=FAILED_STARTS)
        failed_starts: deque[float] = deque(maxlen=FAILED_STARTS)
        while True:
            program.before()
            async with self._process(program) as process:
                served = await self._served(program, process, serving)
                code = await process.wait() if served else process.returncode
            now = time.monotonic()
            ends.append(now)
            if not served:
                failed_starts.append(now)
            if _recent(failed_starts, now) == FAILED_STARTS:
                raise QuickstartError(
                    f"{program.name} does not start ({_ending(code)}, {FAILED_STARTS} times): "
                    "its last lines above say why; mend that, then run again."
                )
            pause = FIRST_PAUSE * 2 ** (_recent(ends, now) - 1)
            self.console.line(program.name, f"{_ending(code)}; it is started again in {pause:g} s")
            await asyncio.sleep(pause)

    async def _served(
        self,
        program: Program,
        process: asyncio.subprocess.Process,
        serving: asyncio.Event,
    ) -> bool:
        """Wait until the program serves; False if it ended instead, or takes too long."""
        ended = asyncio.ensure_future(process.wait())
        ready = asyncio.ensure_future((program.ready or _settled)(process.pid))
        try:
            if program.ready is None:
                serving.set()
            await asyncio.wait(
                {ended, ready},
                timeout=START_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ready.done():
                ready.result()
                serving.set()
                return True
            if not ended.done() and not serving.is_set():
                raise QuickstartError(
                    f"{program.name} does not answer after {START_SECONDS:g} s: "
                    "its last lines above may say why."
                )
            return False
        finally:
            ended.cancel()
            ready.cancel()

    @asynccontextmanager
    async def _process(
        self, program: Program, *, given: str | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """One process of a program, ended with all of its group at the end of the block."""
        devnull = asyncio.subprocess.DEVNULL
        async with AsyncExitStack() as stack:
            # Not asyncio's own pipe: with that, some versions' `wait` lasts until it is closed,
            # which a grandchild can delay for ever.
            reading, writing = os.pipe()
            output = stack.enter_context(os.fdopen(reading, "rb"))
            with os.fdopen(writing, "wb") as file:
                process = await asyncio.create_subprocess_exec(
                    *program.launch(),
                    cwd=self._folder,
                    env={**os.environ, **program.environment},
                    stdin=devnull if given is None else asyncio.subprocess.PIPE,
                    stdout=file,
                    stderr=asyncio.subprocess.STDOUT,
                    pass_fds=program.descriptors,
                    start_new_session=True,
                )
            self._remember(process.pid, program.stop_signal)
            stack.callback(self._forget, process.pid)
            words = asyncio.create_task(self.console.copy(program.name, output))
            stack.push_async_callback(_finish, words)
            stack.push_async_callback(self._end, process, program)
            if process.stdin is not None and given is not None:
                process.stdin.write(given.encode())
                process.stdin.close()
            yield process

    async def _wait(self, process: asyncio.subprocess.Process, seconds: float) -> None:
        """Wait until a process ends, but not past the time, nor when in a hurry."""
        waits = {
            asyncio.ensure_future(process.wait()),
            asyncio.ensure_future(self._hurry.wait()),
        }
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _end(self, process: asyncio.subprocess.Process, program: Program) -> None:
        try:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.send_signal(program.stop_signal)
                await self._wait(process, program.grace_seconds)
        finally:
            # Also when it ended by itself: its children may have not.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    def _remember(self, pid: int, stop_signal: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            self._alive[pid] = (psutil.Process(pid).create_time(), int(stop_signal))
        self._write_record()

    def _forget(self, pid: int) -> None:
        self._alive.pop(pid, None)
        self._write_record()

    def _write_record(self) -> None:
        rows = [[pid, *details] for pid, details in self._alive.items()]
        write_private(self._record, json.dumps(rows))


async def _finish(words: asyncio.Task[None]) -> None:
    """Wait for a process's last words, but not for those of a child that outlives it."""
    await asyncio.wait({words}, timeout=LAST_WORDS_SECONDS)
    words.cancel()


def _recent(times: deque[float], now: float) -> int:
    return sum(now - moment < WITHIN_SECONDS for moment in times)


def _ending(code: int | None) -> str:
    if code is None:
        return "did not answer in time"
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _end_leftovers(record: Path) -> None:
    """End the processes of a supervisor that could not do it, if any are left."""
    try:
        rows = json.loads(record.read_text())
    except (OSError, ValueError):
        return
    left = []
    for pid, created, stop_signal in rows:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            # The same number is not yet the same process.
            if abs(process.create_time() - created) < CLOCK_TOLERANCE:
                process.send_signal(stop_signal)
                left.append(process)
    psutil.wait_procs(left, timeout=10)
    for process in left:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    psutil.wait_procs(left, timeout=10)
