"""How much longer a session takes to start with a repository of 1,000 files, beside the clone.

    .venv/bin/python -m benchmarks.clone --rounds 10

Starts the whole service and a git server over https. Each round clones the repository by hand at
depth 1, starts a session without it and one with it, and measures a start from the POST until its
API answers through the gateway.
"""

import random
import statistics
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from benchmarks.session_start import as_session
from tests.git_server import GIT, GitServer, git_server
from tests.stack.service import Program, running

FILES = 1000
FILE_BYTES = 4096
COMMITS = 5
"""Of which depth 1 fetches the last: each changes all files."""


def fill(server: GitServer, path: str) -> None:
    """Make the repository, of files that hardly compress."""
    chance = random.Random(0)  # noqa: S311 - the same at each run
    server.repository(path)
    for _ in range(COMMITS):
        files = {
            f"folder-{number % 20}/file-{number}.txt": chance.randbytes(FILE_BYTES // 2).hex()
            for number in range(FILES)
        }
        server.commit(path, files)


def clone(url: str, certificates: Path) -> float:
    """Seconds that git takes by itself."""
    trusting = {"GIT_ALLOW_PROTOCOL": "https", "GIT_SSL_CAINFO": str(certificates)}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(
            ["git", "clone", "--quiet", "--depth", "1", url, "clone"],
            cwd=folder,
            env={**GIT, **trusting},
            check=True,
        )
        return time.perf_counter() - started


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    clones: list[float] = []
    plain: list[float] = []
    with_code: list[float] = []
    with tempfile.TemporaryDirectory() as folder, git_server(Path(folder)) as server:
        fill(server, "thousand.git")
        url = server.url("thousand.git")
        certificates = Path(folder, "ca.pem")
        certificates.write_text(server.certificates)
        settings = {
            "SUBMARINE_CODE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "SUBMARINE_CODE_CA_CERTIFICATES": server.certificates,
        }
        with running(Path(folder, "data"), **settings) as service:
            program = Program(service)
            for number in range(1, rounds + 1):
                clones.append(clone(url, certificates))
                plain.append(as_session(program)[1])
                with_code.append(as_session(program, code=[{"url": url, "depth": 1}])[1])
                print(
                    f"round {number}: clone {clones[-1]:.3f} s, start {plain[-1]:.3f} s, "
                    f"start with the repository {with_code[-1]:.3f} s"
                )
    own, start, both = map(statistics.median, (clones, plain, with_code))
    print(
        f"median: clone {own:.3f} s, start {start:.3f} s, start with the repository {both:.3f} s, "
        f"more than both {both - start - own:+.3f} s"
    )


if __name__ == "__main__":
    main()
