"""How tools are run: none takes longer than it may."""

import os
import signal
import sys
import time

import pytest

from environments.builder.commands import LINE_LIMIT, Tools
from environments.builder.outcome import BuildFailed

pytestmark = pytest.mark.timeout(20)


def run(code: str, *, seconds: float) -> list[str]:
    tools = Tools(environment=os.environ, deadline=time.monotonic() + seconds)
    return tools.run("The test", [sys.executable, "-c", code])


def test_what_leaves_its_group_is_waited_for_no_longer_than_the_time_that_is_left(
    capfd: pytest.CaptureFixture[str],
) -> None:
    lingers = "import os, signal\nif not os.fork(): os.setsid(); print(os.getpid(), flush=True)"
    with pytest.raises(BuildFailed) as failure:
        run(f"{lingers}; signal.alarm(60); signal.pause()", seconds=2)
    os.kill(int(capfd.readouterr().out), signal.SIGKILL)
    assert failure.value.code == "build_timed_out"


def test_lines_are_heard_as_they_were_said() -> None:
    assert run("print('one\\r\\n\\ntwo', end='')", seconds=15) == ["one", "", "two"]


def test_a_line_without_an_end_is_heard_in_parts() -> None:
    heard = run(f"print('x' * {LINE_LIMIT} * 5)", seconds=15)
    assert "".join(heard) == "x" * LINE_LIMIT * 5
    assert max(map(len, heard)) <= 2 * LINE_LIMIT
