"""How much longer a session takes to start than the same `jupyter lab` by hand.

    .venv/bin/python -m benchmarks.session_start --data data --rounds 10

Needs a running `make run`, whose `quickstart.json` is in `--data`. Each round starts one of both,
in turn: by hand until its own API answers, and as a session from the POST until the same API
answers through the gateway. Also prints how long the POST itself took.
"""

import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import requests

CHECKOUT = Path(__file__).parents[1]
LOOK_SECONDS = 0.01


def by_hand(jupyter: Path) -> float:
    """Seconds until a server started from a shell answers."""
    with tempfile.TemporaryDirectory() as home, socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        held.close()
        started = time.perf_counter()
        server = subprocess.Popen(
            [jupyter, "lab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"],
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


def as_session(service: dict[str, str], token: str) -> tuple[float, float]:
    """Seconds until the POST is answered, and until the session answers through the gateway."""
    api = requests.Session()
    api.headers["Authorization"] = f"Bearer {token}"
    sessions = f"{service['url']}/api/v2/sessions/"
    started = time.perf_counter()
    made = api.post(sessions, json={"profile": "small", "environment": "notebook-env"}, timeout=30)
    accepted = time.perf_counter() - started
    made.raise_for_status()
    session_id = made.json()["id"]
    _until_answer(f"{service['gateway_url']}/session/{session_id}/api/status", token)
    ready = time.perf_counter() - started
    api.delete(f"{sessions}{session_id}/", timeout=30).raise_for_status()
    return accepted, ready


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
    parser.add_argument("--data", type=Path, default=CHECKOUT / "data")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    service = json.loads((options.data / "quickstart.json").read_text())
    user = service["users"][0]
    answer = requests.post(
        f"{service['url']}/api/v2/tokens/",
        json={"name": "benchmark"},
        auth=(user["name"], user["password"]),
        timeout=30,
    )
    answer.raise_for_status()
    token = answer.json()["token"]
    jupyter = CHECKOUT / ".venv-notebook" / "bin" / "jupyter"
    by_hands, posts, sessions = [], [], []
    for number in range(options.rounds):
        by_hands.append(by_hand(jupyter))
        accepted, ready = as_session(service, token)
        posts.append(accepted)
        sessions.append(ready)
        print(
            f"round {number + 1}: by hand {by_hands[-1]:.3f} s, "
            f"session {ready:.3f} s, POST {accepted * 1000:.0f} ms"
        )
    ratio = statistics.median(sessions) / statistics.median(by_hands)
    print(
        f"median: by hand {statistics.median(by_hands):.3f} s, "
        f"session {statistics.median(sessions):.3f} s, ratio {ratio:.2f}, "
        f"POST {statistics.median(posts) * 1000:.0f} ms (slowest {max(posts) * 1000:.0f} ms)"
    )


if __name__ == "__main__":
    main()
