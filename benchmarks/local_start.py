"""How much the local backend adds to the start of a JupyterLab server.

Alternates starts by hand (`jupyter-lab`, asked until it answers) with starts by the backend (until
READY is observed), each in a new home, and prints the medians.

    python -m benchmarks.local_start .venv-notebook/bin/jupyter-lab --rounds 10
"""

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from notebooks.backends.contract import RunKey, RunState, SessionSpec
from notebooks.backends.local.backend import LocalBackend
from submarine_site.core.resources import Resources
from volumes.contract import VolumeSpec

LOOK_INTERVAL = 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("jupyter", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    jupyter = options.jupyter.absolute()
    # Unmeasured: after these, the files are in memory.
    start_by_hand(jupyter)
    start_by_backend(jupyter)
    by_hand, by_backend = [], []
    for _ in range(options.rounds):
        by_hand.append(start_by_hand(jupyter))
        by_backend.append(start_by_backend(jupyter))
    hand, backend = statistics.median(by_hand), statistics.median(by_backend)
    print(f"by hand     {hand:.3f} s ({min(by_hand):.3f} to {max(by_hand):.3f})")
    print(f"by backend  {backend:.3f} s ({min(by_backend):.3f} to {max(by_backend):.3f})")
    print(f"difference  {backend - hand:+.3f} s ({backend / hand - 1:+.1%})")


def start_by_hand(jupyter: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="bench", dir="/tmp") as folder:
        path = Path(folder, "jupyter.sock")
        environment = os.environ | {
            "HOME": folder,
            "JUPYTER_RUNTIME_DIR": folder,
            "JUPYTER_TOKEN": "token",
        }
        begun = time.perf_counter()
        server = subprocess.Popen(
            [jupyter, f"--ServerApp.sock={path}", "--no-browser", "--allow-root"],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not answers(path):
            time.sleep(LOOK_INTERVAL)  # noqa: TID251 - what is measured gives no event
        elapsed = time.perf_counter() - begun
        server.send_signal(signal.SIGTERM)
        server.wait()
    return elapsed


def answers(path: Path) -> bool:
    connection = http.client.HTTPConnection("localhost")
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", "/api/status", headers={"Authorization": "token token"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def start_by_backend(jupyter: Path) -> float:
    key, home = RunKey(uuid4(), uuid4()), VolumeSpec(id=uuid4())
    spec = SessionSpec(
        key=key,
        display_name="benchmark",
        owner="ada",
        image="",
        resources=Resources(cpu_milli=1000, memory_mib=1024),
        base_url=f"/session/{key.session_id}/",
        token="token",  # noqa: S106
        home=home,
    )
    with tempfile.TemporaryDirectory(prefix="bench", dir="/tmp") as folder:
        backend = LocalBackend(data=Path(folder), runtime=Path(folder, "run"), jupyter=jupyter)
        backend.ensure_volume(home)
        begun = time.perf_counter()
        backend.start(spec)
        while (seen := backend.observe(key)) is None or seen.state is not RunState.READY:
            time.sleep(LOOK_INTERVAL)  # noqa: TID251 - what is measured gives no event
        elapsed = time.perf_counter() - begun
        backend.stop(key)
        while backend.observe(key):
            time.sleep(LOOK_INTERVAL)  # noqa: TID251 - what is measured gives no event
    return elapsed


if __name__ == "__main__":
    main()
