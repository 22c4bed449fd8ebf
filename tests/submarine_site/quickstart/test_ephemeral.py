import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from submarine_site.quickstart import ephemeral

Children = Callable[[], list[psutil.Process]]
CHECKOUT = Path(__file__).parents[3]

OPEN_AND_WAIT = """
import sys
from collections.abc import Callable
from pathlib import Path
from submarine_site.quickstart import ephemeral

with ephemeral.running(Path(sys.argv[1])) as urls:
    print(urls.redis, flush=True)
    sys.stdin.read()
"""


def test_both_servers_answer(tmp_path: Path) -> None:
    with ephemeral.running(tmp_path / "servers") as urls:
        with psycopg.connect(urls.database) as connection:
            assert connection.execute("show fsync").fetchone() == ("off",)
        with redis.Redis.from_url(urls.redis) as client:
            assert client.ping() is True


def test_nothing_is_left_after_the_block(tmp_path: Path, children: Children) -> None:
    with ephemeral.running(tmp_path / "servers") as urls:
        (keeper,) = children()
        servers = keeper.children(recursive=True)
    assert len(servers) > 2
    assert psutil.wait_procs([keeper, *servers], timeout=5)[1] == []
    assert list(tmp_path.iterdir()) == []
    assert not Path(urls.redis.removeprefix("unix://").split("?")[0]).parent.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_its_user_is_killed(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        (sys.executable, "-c", OPEN_AND_WAIT, str(tmp_path / "servers")),
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as user:
        assert user.stdout is not None
        socket = Path(user.stdout.readline().removeprefix("unix://").split("?")[0])
        assert socket.is_socket()
        started = psutil.Process(user.pid).children(recursive=True)
        os.kill(user.pid, number)
    assert psutil.wait_procs(started, timeout=20)[1] == []
    assert list(tmp_path.iterdir()) == []
    assert not socket.parent.exists()
