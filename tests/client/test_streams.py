"""Connections that are cut, or broken off, while something comes through them."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from submarine_client import AsyncClient, KernelDied, NotSignedIn
from tests.client.bad_server import BadServer, cut, hang_up, page, refused, said, session
from tests.client.conftest import Do, Subnb
from tests.client.kernels import Channels, opened
from tests.client.test_faults import LISTED

ENDED = refused(503, "session_stopped", "Its files are kept.")
NOT_FOUND = refused(404, "not_found")


def run(client: Any) -> Any:
    kernel = client.sessions._session(session()).kernel()

    async def meanwhile() -> Any:
        async with kernel:
            return await kernel.run("1")

    if isinstance(client, AsyncClient):
        return meanwhile()
    with kernel:
        return kernel.run("1")


@pytest.mark.parametrize(
    ("options", "body"), [([], b"{}"), (["--kernel", "python3"], b'{"name":"python3"}')]
)
def test_the_session_says_which_kernel_is_the_default(
    server: BadServer, subnb: Subnb, options: list[str], body: bytes
) -> None:
    server.plays(said(LISTED), *opened(server), Channels().hear("one\n"), said({}))

    assert subnb("exec", *options, "thesis", "1").stdout == "one\n"
    [started] = [each for each in server.asked if each.path.endswith("/api/kernels")]
    assert started.body.replace(b" ", b"") == body


def log(text: str) -> Any:
    return said({"run": "x", "text": text})


def test_code_goes_on_past_a_proxy_that_cuts(server: BadServer, do: Do) -> None:
    kernel = Channels()
    server.plays(
        *opened(server),
        kernel.hear("one\n", ends=False),
        *(hang_up, page(502), page(502), page(502), page(502), page(502), page(502)),
        *(kernel.go_on("two\n"), NOT_FOUND),
    )

    assert do(run).stdout == "one\ntwo\n"


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (ENDED, KernelDied, "session_stopped"),
        (NOT_FOUND, KernelDied, "kernel_died"),
        (refused(401, "bad_token", "The API token is expired."), NotSignedIn, "bad_token"),
    ],
    ids=["stopped", "gone", "401"],
)
def test_code_ends_with_what_it_runs_on(
    server: BadServer, do: Do, answer: Any, kind: type[Exception], code: str
) -> None:
    server.plays(*opened(server), Channels().hear("one\n", ends=False), answer)

    with pytest.raises(kind) as raised:
        do(run)

    assert raised.value.code == code  # type: ignore[attr-defined]


def test_the_command_runs_code_past_a_proxy_that_cuts(server: BadServer, subnb: Subnb) -> None:
    kernel = Channels()
    server.plays(
        *(said(LISTED), *opened(server)),
        *(kernel.hear("one\n", ends=False), hang_up, kernel.go_on("two\n"), NOT_FOUND),
    )

    done = subnb("exec", "thesis", "1")

    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo\n", "")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (ENDED, 8, "does not run any more, and its kernel has ended. (session_stopped)\nIts files"),
        (NOT_FOUND, 8, "The kernel has ended in the middle. (kernel_died)"),
        (refused(401, "bad_token", "It is expired."), 3, "It is expired. (bad_token)\nSign in"),
    ],
    ids=["stopped", "gone", "401"],
)
def test_the_command_says_why_code_ended(
    server: BadServer, subnb: Subnb, answer: Any, code: int, words: str
) -> None:
    server.plays(
        said(LISTED), *opened(server), Channels().hear("one\n", ends=False), answer, answer
    )

    done = subnb("exec", "thesis", "1")

    assert (done.returncode, done.stdout) == (code, "one\n")
    assert words in done.stderr


def test_the_command_follows_a_log_past_a_proxy_that_cuts(server: BadServer, subnb: Subnb) -> None:
    server.plays(
        *(said(LISTED), said(session()), log("one")),
        *(cut, hang_up, said(session()), page(502), log("one\ntwo")),
        *(said(session("stopped")), log("one\ntwo\nthree")),
    )

    done = subnb("logs", "-f", "thesis")

    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo\nthree\n", "")


def test_the_command_waits_past_a_proxy_that_cuts(server: BadServer, subnb: Subnb) -> None:
    server.plays(
        *(cut, said(session("requested"), 201)),
        *(cut, said(session("starting")), hang_up, said(session("running"))),
    )

    done = subnb("launch", "--profile", "small", "--env", "notebook-env", "-o", "name")

    assert (done.returncode, done.stdout) == (0, f"{session()['id']}\n")
    assert [each.method for each in server.asked] == ["POST"] * 2 + ["GET"] * 4


@contextmanager
def at_work(
    server: BadServer, tmp_path: Path, *words: str, **options: Any
) -> Iterator["subprocess.Popen[str]"]:
    """The command while it runs, with what a terminal's keys do to it."""
    environment = {
        "SUBMARINE_URL": server.url,
        "SUBMARINE_TOKEN": "x",
        "XDG_CONFIG_HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "TERM": "xterm",
    }
    with subprocess.Popen(
        [Path(sys.executable).with_name("subnb"), *words],
        env=environment,
        text=True,
        # What runs in the background has it ignored, and those that it starts do so too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    ) as running:
        yield running


def interrupt_after_one_line(server: BadServer, tmp_path: Path, *words: str) -> None:
    """See the command say `one`, and end as what is broken off."""
    with at_work(server, tmp_path, *words) as running:
        assert running.stdout
        assert running.stdout.readline() == "one\n"
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=20)

    assert (running.returncode, told) == (130, "\nBroken off.\n")


def test_interrupted_code_is_interrupted_where_it_runs(server: BadServer, tmp_path: Path) -> None:
    def stays(handler: Any) -> None:
        kernel.hear("one\n", ends=False)(handler)
        handler.rfile.read(1)

    kernel = Channels()
    server.plays(said(LISTED), *opened(server), stays, said({}))
    interrupt_after_one_line(server, tmp_path, "exec", "thesis", "1")

    kernels = f"/session/{session()['id']}/api/kernels/k"
    *before, last = [(each.method, each.path) for each in server.asked[4:]]
    # Where it was just being printed, the end of the kernel is enough.
    assert before in ([], [("POST", f"{kernels}/interrupt")])
    assert last == ("DELETE", kernels)


def test_an_interrupted_log_is_left(server: BadServer, tmp_path: Path) -> None:
    server.plays(said(LISTED), said(session()), log("one"), said(session()))
    interrupt_after_one_line(server, tmp_path, "logs", "-f", "thesis")

    assert {each.method for each in server.asked} == {"GET"}


def test_on_a_terminal_what_is_missing_is_asked_for(server: BadServer, tmp_path: Path) -> None:
    profile = {"name": "small", "display_name": "Small", "cpu_milli": 1000, "memory_mib": 2048}
    named = [{**profile, "name": name} for name in ("small", "large")]
    answers = [said(named), said([]), said(session("requested"), 201)]
    server.plays(*answers)
    ours, theirs = pty.openpty()
    with at_work(
        *(server, tmp_path, "launch", "--env", "notebook-env", "--no-wait"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        shown = ""
        while "Which" not in shown:
            shown += os.read(ours, 4096).decode()
        answers.pop(1)
        server.plays(*answers[1:])
        os.write(ours, b"2\n")
        while "ID" not in shown.upper().partition("IS ASKED FOR")[2]:
            shown += os.read(ours, 4096).decode()
        running.wait(20)
    os.close(ours)

    assert running.returncode == 0
    assert "1  small  1 CPU, 2 GiB" in shown
    assert "\x1b[1mName" in shown
    assert b'"profile": "large"' in server.asked[-1].body
