import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.supervisor import FAILED_STARTS, Program, Supervisor

MakeScript = Callable[..., Program]
Children = Callable[[], list[psutil.Process]]

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(60)"
)
IN_PEACE = "import sys, time, signal; signal.signal(15, lambda *_: (print('bye'), sys.exit()));"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it only on Linux")
CHECKOUT = Path(__file__).parents[3]


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.005)


class Started:
    """A `ready` that tells the test of each start."""

    def __init__(self) -> None:
        self.pids: asyncio.Queue[int] = asyncio.Queue()

    async def __call__(self, pid: int) -> None:
        process = psutil.Process(pid)
        await until(lambda: "launch.py" not in " ".join(process.cmdline()))
        self.pids.put_nowait(pid)


def saying(output: io.StringIO, text: str) -> Callable[[int], Awaitable[None]]:
    """A `ready` that waits for a program's own words."""

    async def ready(_pid: int) -> None:
        await until(lambda: text in output.getvalue())

    return ready


def leaf(group: pytest.ExceptionInfo[BaseExceptionGroup]) -> BaseException:
    (error,) = group.value.exceptions
    return error


async def test_a_program_runs_as_long_as_the_block(
    supervisor: Supervisor, script: MakeScript
) -> None:
    started = Started()
    async with supervisor.running(script(SLEEP, ready=started)):
        process = psutil.Process(started.pids.get_nowait())
        assert process.is_running()
    assert not process.is_running()


async def test_a_program_is_asked_to_end_and_may_say_good_bye(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    hello = script(IN_PEACE + "print('hello', flush=True); time.sleep(60)")
    ready = saying(output, "hello")
    async with supervisor.running(
        Program(name="polite", command=hello.command, ready=ready),
    ):
        pass
    assert output.getvalue() == "polite | hello\npolite | bye\n"


async def test_nested_blocks_stop_in_reverse_order(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    hello = script(IN_PEACE + "print('hello', flush=True); time.sleep(60)").command
    first = Program(name="first", command=hello, ready=saying(output, "first  | hello"))
    second = Program(name="second", command=hello, ready=saying(output, "second | hello"))
    async with supervisor.running(first), supervisor.running(second):
        pass
    assert output.getvalue().splitlines()[2:] == ["second | bye", "first  | bye"]


async def test_a_killed_program_is_started_again(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    started = Started()
    async with supervisor.running(script(SLEEP, ready=started)):
        first = await started.pids.get()
        os.kill(first, signal.SIGKILL)
        second = await asyncio.wait_for(started.pids.get(), 10)
        assert second != first
    assert output.getvalue() == "script | ended by SIGKILL; it is started again in 0.25 s\n"


async def test_a_program_that_keeps_ending_after_its_start_is_started_with_growing_pauses(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    started = Started()
    async with supervisor.running(script(SLEEP, ready=started)):
        for _ in range(3):
            os.kill(await asyncio.wait_for(started.pids.get(), 10), signal.SIGKILL)
        await asyncio.wait_for(started.pids.get(), 10)
    pauses = [line.rsplit(" ", 2)[1] for line in output.getvalue().splitlines()]
    assert pauses == ["0.25", "0.5", "1"]


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("submarine_site.quickstart.supervisor.FIRST_PAUSE", 0.01)


@pytest.mark.usefixtures("short_pauses")
async def test_a_program_that_does_not_start_is_given_up(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    with pytest.raises(ExceptionGroup) as group:
        async with supervisor.running(
            script("raise SystemExit('no, thanks')", ready=saying(output, "never"))
        ):
            pytest.fail("It counted as started.")
    error = leaf(group)
    assert isinstance(error, QuickstartError)
    assert str(error) == (
        "script does not start (ended with exit code 1, 5 times): "
        "its last lines above say why; mend that, then run again."
    )
    assert output.getvalue().count("no, thanks") == FAILED_STARTS


@pytest.mark.usefixtures("short_pauses")
async def test_giving_up_on_one_program_stops_the_others(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    started = Started()
    with pytest.raises(ExceptionGroup):
        async with (
            supervisor.running(script(SLEEP, ready=started)),
            supervisor.running(script("raise SystemExit(3)", name="bad")),
        ):
            await asyncio.wait_for(asyncio.Event().wait(), 60)
    assert not psutil.pid_exists(started.pids.get_nowait())


async def test_what_ignores_the_request_to_end_is_killed(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    program = script(STUBBORN, ready=saying(output, "deaf"), grace_seconds=0.2)
    async with asyncio.timeout(10), supervisor.running(program):
        pass


async def test_in_a_hurry_nothing_is_waited_for(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    program = script(STUBBORN, ready=saying(output, "deaf"), grace_seconds=60)
    async with asyncio.timeout(10), supervisor.running(program):
        supervisor.hurry()


async def test_the_children_of_a_program_end_with_it(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO, children: Children
) -> None:
    source = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])"
    async with supervisor.running(script(source, ready=saying(output, "deaf"))):
        (parent,) = children()
        (child,) = parent.children()
    assert psutil.wait_procs([child], timeout=5)[1] == []


async def test_a_child_that_moved_out_and_holds_the_output_delays_nothing(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO, children: Children
) -> None:
    source = (
        "import subprocess, sys;"
        f"subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], start_new_session=True).wait()"
    )
    async with (
        asyncio.timeout(10),
        supervisor.running(script(source, ready=saying(output, "deaf"))),
    ):
        (parent,) = children()
        (child,) = parent.children()
    assert child.is_running()
    child.kill()


async def test_a_program_gets_its_input_and_gives_its_exit_code(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO
) -> None:
    source = "import sys; print(sys.stdin.read()); sys.exit(7)"
    assert await supervisor.complete(script(source), given="hello") == 7
    assert output.getvalue() == "script | hello\n"


async def test_a_program_that_takes_too_long_is_stopped(
    supervisor: Supervisor, script: MakeScript, children: Children
) -> None:
    assert await supervisor.complete(script(SLEEP), seconds=0.2) is None
    assert children() == []


async def test_cancelling_in_the_midst_of_a_start_leaves_nothing(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO, children: Children
) -> None:
    async def start() -> None:
        async with supervisor.running(script(SLEEP, ready=saying(output, "never"))):
            pytest.fail("It counted as started.")

    task = asyncio.create_task(start())
    await until(children)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []


async def test_a_program_finds_its_environment_and_working_folder(
    supervisor: Supervisor, script: MakeScript, output: io.StringIO, tmp_path: Path
) -> None:
    source = "import os; print(os.environ['WORD'], os.getcwd())"
    await supervisor.complete(script(source, environment={"WORD": "given"}))
    assert output.getvalue() == f"script | given {tmp_path}\n"


def kill_a_supervisor_of(source: str, folder: Path) -> list[psutil.Process]:
    """Start a supervisor apart, kill it once its program runs, and give what it had started."""
    apart = f"""
import asyncio, sys
from pathlib import Path
from submarine_site.quickstart.console import Console
from submarine_site.quickstart.supervisor import Program, Supervisor

async def main():
    folder = Path(sys.argv[1])
    supervisor = Supervisor(
        console=Console(sys.stdout, width=1), folder=folder, record=folder / "processes.json"
    )
    program = Program(name="x", command=(sys.executable, "-c", {source!r}))
    async with supervisor.running(program):
        await asyncio.Event().wait()

asyncio.run(main())
"""
    with subprocess.Popen(
        (sys.executable, "-c", apart, str(folder)), cwd=CHECKOUT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x | deaf\n"
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    return started


@LINUX
def test_no_program_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    started = kill_a_supervisor_of(STUBBORN, tmp_path)
    assert len(started) == 1
    assert psutil.wait_procs(started, timeout=10)[1] == []


def test_what_a_killed_supervisor_left_is_ended_by_the_next(
    tmp_path: Path, output: io.StringIO, script: MakeScript
) -> None:
    with subprocess.Popen((sys.executable, "-c", SLEEP), start_new_session=True) as left:
        row = [left.pid, psutil.Process(left.pid).create_time(), int(signal.SIGTERM)]
        (tmp_path / "processes.json").write_text(json.dumps([row]))
        Supervisor(console=None, folder=tmp_path, record=tmp_path / "processes.json")  # type: ignore[arg-type]
        assert not psutil.pid_exists(left.pid)


def test_a_stranger_with_the_number_of_a_process_that_was_left_is_spared(
    tmp_path: Path,
) -> None:
    with subprocess.Popen((sys.executable, "-c", SLEEP), start_new_session=True) as stranger:
        row = [stranger.pid, psutil.Process(stranger.pid).create_time() - 3600, 15]
        (tmp_path / "processes.json").write_text(json.dumps([row]))
        Supervisor(console=None, folder=tmp_path, record=tmp_path / "processes.json")  # type: ignore[arg-type]
        assert stranger.poll() is None
        stranger.kill()


async def test_the_record_names_what_runs_and_is_empty_in_the_end(
    supervisor: Supervisor, script: MakeScript, tmp_path: Path
) -> None:
    started = Started()
    record = tmp_path / "processes.json"
    async with supervisor.running(script(SLEEP, ready=started)):
        assert [row[0] for row in json.loads(record.read_text())] == [started.pids.get_nowait()]
    assert json.loads(record.read_text()) == []
