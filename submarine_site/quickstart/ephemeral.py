"""PostgreSQL and Redis for as long as a block runs: what tests and benchmarks need.

    with ephemeral.running(folder) as urls: ...

The servers belong to a process of their own, which ends them and removes the folder when its
input closes. That happens at the end of the block, and also when whoever opened it is killed.
"""

import asyncio
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from submarine_site.quickstart.console import Console
from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.folders import data_folder, runtime_folder
from submarine_site.quickstart.servers import FAST, PostgreSQL, Redis
from submarine_site.quickstart.supervisor import Supervisor

STOP_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """Values for DATABASE_URL and REDIS_URL."""

    database: str
    redis: str


@contextmanager
def running(folder: Path) -> Iterator[Urls]:
    """Run both servers with their data in `folder`, which is made and removed again."""
    with subprocess.Popen(  # noqa: S603
        (sys.executable, "-m", __spec__.name, str(folder)),
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for the tests; the servers must outlast their teardown.
        start_new_session=True,
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        line = keeper.stdout.readline()
        if not line:
            raise QuickstartError("The servers did not start: their last lines say why.")
        try:
            yield Urls(**json.loads(line))
        finally:
            keeper.stdin.close()
            keeper.wait(STOP_SECONDS)


async def _serve(folder: Path) -> None:
    words = io.StringIO()
    settings = (*FAST, "max_connections=200")
    try:
        with runtime_folder(folder) as runtime:
            database = PostgreSQL(folder=folder / "db", sockets=runtime, settings=settings)
            redis = Redis(sockets=runtime)
            supervisor = Supervisor(
                console=Console(words, width=10),
                folder=folder,
                record=folder / "processes.json",
            )
            await database.make_data(supervisor)
            async with supervisor.running(database.program(), redis.program()):
                print(json.dumps({"database": database.url, "redis": redis.url}), flush=True)  # noqa: T201
                await _end_of_input()
    except BaseException:
        sys.stderr.write(words.getvalue())
        raise
    finally:
        shutil.rmtree(folder)


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


def main() -> None:
    """Serve until the input closes."""
    asyncio.run(_serve(data_folder(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
