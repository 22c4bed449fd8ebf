"""How long `make run` takes to its first page, with everything installed.

    .venv/bin/python -m benchmarks.first_page --rounds 5

The first round makes a new database, the others find it there.
"""

import subprocess
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import requests

from tests.stack.service import CHECKOUT, free_ports

LOOK_SECONDS = 0.02


def first_page(data: Path) -> float:
    """Seconds from the command to a sign-in page."""
    port, gateway_port = free_ports(2)
    given = {"PORT": port, "GATEWAY_PORT": gateway_port, "DATA": data}
    started = time.perf_counter()
    command = ["make", "run", *(f"{name}={value}" for name, value in given.items())]
    service = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    try:
        for _ in range(int(60 / LOOK_SECONDS)):
            try:
                if requests.get(f"http://127.0.0.1:{port}/sign-in", timeout=5).ok:
                    return time.perf_counter() - started
            except requests.ConnectionError:
                time.sleep(LOOK_SECONDS)  # noqa: TID251
        raise TimeoutError("no page within a minute")
    finally:
        service.terminate()
        service.wait(90)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, rounds + 1):
            print(f"round {number}: {first_page(Path(folder, 'data')):.1f} s")


if __name__ == "__main__":
    main()
