"""What 1 GiB up and down through the gateway, to and from a real JupyterLab, takes.

    .venv/bin/python -m benchmarks.gigabyte

Starts the whole service. Goes up as JupyterLab sends it, in pieces of 1 MiB by the contents API,
and down by the files API. Prints the times, and the memory of the gateway's process before and at
most.
"""

import base64
import os
import tempfile
import time
from pathlib import Path

import psutil

from tests.stack.service import Program, running

MIB = 1 << 20
PIECES = 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder, "data")) as service:
        program = Program(service)
        session = program.start()
        gateway = psutil.Process(service.pid("gateway"))
        before = peak = gateway.memory_info().rss
        piece = base64.b64encode(os.urandom(MIB)).decode()
        started = time.perf_counter()
        for number in range(1, PIECES + 1):
            body = {
                "type": "file",
                "format": "base64",
                "content": piece,
                "chunk": number if number < PIECES else -1,
            }
            answer = program.jupyter(session, "PUT", "api/contents/big.bin", json=body)
            answer.raise_for_status()
            peak = max(peak, gateway.memory_info().rss)
        up = time.perf_counter() - started
        started = time.perf_counter()
        size = 0
        with program.jupyter(session, "GET", "files/big.bin", stream=True) as answer:
            for data in answer.iter_content(MIB):
                size += len(data)
                peak = max(peak, gateway.memory_info().rss)
        down = time.perf_counter() - started
        program.delete(session)
    assert size == PIECES * MIB
    print(f"up {up:.1f} s, down {down:.1f} s")
    print(f"gateway {before / MIB:.0f} MiB before, {peak / MIB:.0f} MiB at most")


if __name__ == "__main__":
    main()
