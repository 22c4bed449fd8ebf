"""How much longer a session takes to start whose environment declares packages, once it is built.

    .venv/bin/python -m benchmarks.second_start --rounds 10

Starts the whole service, and builds an environment of conda and pip packages by a session of it.
Each round stops and starts that session and one without packages of its own, in turn, and measures
from the POST until its API answers through the gateway.
"""

import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from benchmarks.session_start import until_session_answers
from tests.stack import science
from tests.stack.service import Program, running


def start_again(program: Program, session_id: str) -> float:
    """Seconds until a session that ran has started once more."""
    program.verb(session_id, "stop")
    program.wait_for(session_id, "stopped")
    started = time.perf_counter()
    program.verb(session_id, "start")
    until_session_answers(program, session_id)
    return time.perf_counter() - started


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    plain: list[float] = []
    declared: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder, "index")
        index.mkdir()
        with (
            science.packages(index, host="127.0.0.1", interpreter=sys.executable) as packages,
            running(Path(folder, "data"), **packages.settings) as service,
        ):
            packages.wheels.set()
            science.upload(service)
            program = Program(service)
            without = program.start()
            with_packages = program.start(environment="science")
            for number in range(1, rounds + 1):
                plain.append(start_again(program, without))
                declared.append(start_again(program, with_packages))
                print(
                    f"round {number}: without packages {plain[-1]:.3f} s, "
                    f"with a built kernel {declared[-1]:.3f} s"
                )
            for session_id in (without, with_packages):
                program.delete(session_id)
    one, other = statistics.median(plain), statistics.median(declared)
    print(
        f"median: without packages {one:.3f} s, with a built kernel {other:.3f} s, "
        f"difference {other - one:+.3f} s"
    )


if __name__ == "__main__":
    main()
