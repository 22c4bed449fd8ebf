"""What the client costs: to import it, to list sessions, to wait for many at once.

    .venv/bin/python -m benchmarks.client --rounds 20

Installs the client into an environment of its own, as users have it, and has it ask a little
server on loopback that answers at once.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from tests.client.bad_server import playing, said, session

WAITS = """
import asyncio, json, resource, time
from submarine_client import AsyncClient, WaitTimedOut

async def main():
    async with AsyncClient() as client:
        sessions = [s async for s in client.sessions.list()]
        began = time.monotonic()
        waits = (each.wait(timeout=SECONDS) for each in sessions)
        ended = await asyncio.gather(*waits, return_exceptions=True)
        assert all(isinstance(each, WaitTimedOut) for each in ended), ended[:3]
        return time.monotonic() - began

before = resource.getrusage(resource.RUSAGE_SELF)
took = asyncio.run(main())
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"took": took, "cpu": cpu}))
"""


def installed(folder: Path) -> Path:
    """The programs of an environment with the client alone."""
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", folder], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", folder, "./client"],
        check=True,
    )
    return folder / "bin"


def timed(*command: str, env: dict[str, str]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--waits", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, playing() as server:
        programs = installed(Path(folder, "env"))
        env = {
            "PATH": os.environ["PATH"],
            "XDG_CONFIG_HOME": folder,
            "SUBMARINE_URL": server.url,
            "SUBMARINE_TOKEN": "subnb_benchmark",
        }
        rows = [session("starting", name=f"session {n}") for n in range(chosen.waits)]
        listing = said({"next": None, "previous": None, "results": rows[:50]})
        server.plays(listing)
        python = str(programs / "python")
        for what, command in {
            "python -c pass": [python, "-c", "pass"],
            "import submarine_client": [python, "-c", "import submarine_client"],
            "subnb list, 50 rows": [str(programs / "subnb"), "list"],
        }.items():
            times = [timed(*command, env=env) for _ in range(chosen.rounds)]
            wall, cpu = (statistics.median(each) for each in zip(*times, strict=True))
            print(f"{what}: median {wall:.3f} s, of the processor {cpu:.3f} s")

        server.plays(said({"next": None, "previous": None, "results": rows}), said(rows[0]))
        connections, asked = server.connections, len(server.asked)
        done = subprocess.run(
            [python, "-c", WAITS.replace("SECONDS", str(chosen.seconds))],
            env=env,
            check=True,
            capture_output=True,
        )
        cost = json.loads(done.stdout)
        print(
            f"{chosen.waits} waits at once for {cost['took']:.0f} s: "
            f"{server.connections - connections} connections, "
            f"{len(server.asked) - asked} requests, {cost['cpu']:.2f} s of the processor"
        )


if __name__ == "__main__":
    main()
