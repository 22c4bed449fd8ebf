"""How much longer a session takes to start than the same `jupyter lab` by hand.

    .venv/bin/python -m benchmarks.session_start --rounds 10

Starts the whole service. Each round starts one of both, in turn: by hand until its own API answers,
and as a session from the POST until the same API answers through the gateway. Also prints how
long the POST itself took.
"""

import os
import statistics
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import requests

from tests.stack.service import CHECKOUT, Program, free_ports, running

LOOK_SECONDS = 0.01
JUPYTER = CHECKOUT / ".venv-notebook" / "bin" / "jupyter"


def by_hand() -> float:
    """Seconds until a server started from a shell answers."""
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        server = subprocess.Popen(
            [JUPYTER, "lab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"],
            cwd=home,
            env={**os.environ, "HOME": home, "JUPYTER_TOKEN": "by-hand"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _until_answer(f"http://127.0.0.1:{port}/api/status", "by-hand")
            return time.perf_counter() - started
        finally:
            server.terminate()
            server.wait(30)


def as_session(program: Program, **chosen: object) -> tuple[float, float]:
    """Seconds until the POST is answered, and until the session answers through the gateway."""
    started = time.perf_counter()
    session_id = program.create(**chosen)["id"]
    accepted = time.perf_counter() - started
    until_session_answers(program, session_id)
    ready = time.perf_counter() - started
    program.delete(session_id)
    return accepted, ready


def until_session_answers(program: Program, session_id: str) -> None:
    """See the session answer through the gateway."""
    gateway = program.service.gateway_url
    _until_answer(f"{gateway}/session/{session_id}/api/status", program.token)


def _until_answer(url: str, token: str) -> None:
    client = requests.Session()
    client.headers["Authorization"] = f"token {token}"
    for _ in range(int(60 / LOOK_SECONDS)):
        try:
            if client.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(LOOK_SECONDS)  # noqa: TID251
    raise TimeoutError(url)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    hands: list[float] = []
    posts: list[float] = []
    sessions: list[float] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder, "data")) as service:
        program = Program(service)
        for number in range(1, rounds + 1):
            hands.append(by_hand())
            accepted, ready = as_session(program)
            posts.append(accepted)
            sessions.append(ready)
            print(
                f"round {number}: by hand {hands[-1]:.3f} s, session {ready:.3f} s, "
                f"POST {accepted * 1000:.0f} ms"
            )
    hand, session = statistics.median(hands), statistics.median(sessions)
    print(
        f"median: by hand {hand:.3f} s, session {session:.3f} s, ratio {session / hand:.2f}; "
        f"POST {statistics.median(posts) * 1000:.0f} ms, slowest {max(posts) * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main()
