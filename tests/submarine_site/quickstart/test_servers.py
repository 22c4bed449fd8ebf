import asyncio
import io
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.launch import CAP_DAC_OVERRIDE
from submarine_site.quickstart.servers import PostgreSQL, Redis
from submarine_site.quickstart.supervisor import Supervisor

T = TypeVar("T")
AWKWARD = "ünï cödé 'quoted' \"twice\" " + "x" * 180
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL refuses root only")


@pytest.fixture(params=["database", AWKWARD], ids=["plain", "awkward"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return tmp_path / str(request.param)


@pytest.fixture
def database(tmp_path: Path, runtime: Path) -> PostgreSQL:
    return PostgreSQL(folder=tmp_path / "database", sockets=runtime)


async def running(
    database: PostgreSQL, supervisor: Supervisor
) -> AbstractAsyncContextManager[None]:
    await database.make_data(supervisor)
    return supervisor.running(database.program())


async def eventually(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again until there is a server to answer."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await ask()
            except (psycopg.OperationalError, RedisConnectionError):
                await asyncio.sleep(0.05)


def query(database: PostgreSQL, statement: str) -> str:
    with psycopg.connect(database.url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return str(row[0]) if row else ""


def sleeping_as(user: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(("sleep", "60"), user=user)


def permitted_capabilities(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm"))


def postmaster(database: PostgreSQL) -> int:
    lock = database.folder / "data" / "postmaster.pid"
    return int(lock.read_text().split()[0])


async def test_postgresql_serves_from_any_folder(
    folder: Path, runtime: Path, supervisor: Supervisor
) -> None:
    database = PostgreSQL(folder=folder, sockets=runtime)
    async with await running(database, supervisor):
        assert query(database, "show data_directory") == str(folder / "data")


async def test_postgresql_listens_nowhere_but_on_its_socket(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    async with await running(database, supervisor):
        connections = psutil.Process(postmaster(database)).net_connections("inet")
        assert connections == []


async def test_postgresql_writes_durably_unless_told_otherwise(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    async with await running(database, supervisor):
        assert query(database, "show fsync") == "on"


async def test_postgresql_knows_letters_beyond_ascii_whatever_the_locale(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    async with await running(database, supervisor):
        assert query(database, "select upper('é')") == "É"


async def test_data_are_there_after_a_stop(database: PostgreSQL, supervisor: Supervisor) -> None:
    async with await running(database, supervisor):
        query(database, "create table kept as select 42 as answer")
    async with await running(database, supervisor):
        assert query(database, "select answer from kept") == "42"


async def test_data_are_there_after_postgresql_was_killed(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    async with await running(database, supervisor):
        query(database, "create table kept as select 42 as answer")
        killed = postmaster(database)
        os.kill(killed, signal.SIGKILL)
        answer = await eventually(
            lambda: asyncio.to_thread(query, database, "select answer from kept")
        )
        assert answer == "42"
        assert postmaster(database) != killed


async def test_lock_files_with_the_number_of_another_process_are_no_obstacle(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    data = database.folder / "data"
    locks = (data / "postmaster.pid", database.sockets / ".s.PGSQL.5432.lock")
    async with await running(database, supervisor):
        query(database, "create table kept as select 42 as answer")
        texts = [lock.read_text() for lock in locks]
    owner = data.stat().st_uid
    with sleeping_as(owner) as stranger:
        for lock, text in zip(locks, texts, strict=True):
            lock.write_text("\n".join([str(stranger.pid), *text.split("\n")[1:]]))
            os.chown(lock, owner, owner)
        async with asyncio.timeout(20), await running(database, supervisor):
            assert query(database, "select answer from kept") == "42"
        assert stranger.poll() is None
        stranger.kill()


async def test_a_second_server_on_the_same_data_is_refused(
    database: PostgreSQL, supervisor: Supervisor, output: io.StringIO
) -> None:
    async with await running(database, supervisor):
        first = postmaster(database)
        code = await supervisor.complete(database.program(), seconds=20)
        assert code == 1
        assert "already exists" in output.getvalue()
        assert postmaster(database) == first


async def test_a_half_made_database_is_made_anew(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    (database.folder / "new" / "base").mkdir(parents=True)
    async with await running(database, supervisor):
        assert query(database, "select 1") == "1"


async def test_data_of_another_version_are_refused_and_left_alone(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    data = database.folder / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(QuickstartError, match="are of PostgreSQL 16, this is 18: carry them over"):
        await database.make_data(supervisor)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


async def test_the_database_is_closed_to_other_users(
    database: PostgreSQL, supervisor: Supervisor
) -> None:
    await database.make_data(supervisor)
    assert database.folder.stat().st_mode & 0o777 == 0o700
    assert database.folder.stat().st_uid == os.geteuid()


@as_root
async def test_root_runs_postgresql_as_nobody_also_where_nobody_may_look(
    runtime: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    assert tmp_path.stat().st_mode & 0o077 == 0  # noqa: ASYNC240
    database = PostgreSQL(folder=tmp_path / "database", sockets=runtime)
    async with await running(database, supervisor):
        process = psutil.Process(postmaster(database))
        assert process.username() == "nobody"
        assert permitted_capabilities(process.pid) == 1 << CAP_DAC_OVERRIDE


@as_root
async def test_root_runs_an_ordinary_users_database_as_that_user(
    runtime: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    first = PostgreSQL(folder=tmp_path / "database", sockets=runtime)
    await first.make_data(supervisor)
    for path in (first.folder, *first.folder.rglob("*")):
        os.chown(path, 12345, 12345)
    database = PostgreSQL(folder=first.folder, sockets=runtime)
    async with await running(database, supervisor):
        assert psutil.Process(postmaster(database)).uids().real == 12345


async def test_redis_answers_at_its_url(runtime: Path, supervisor: Supervisor) -> None:
    server = Redis(sockets=runtime)
    client = redis.asyncio.Redis.from_url(server.url)
    async with supervisor.running(server.program()), client:
        assert await client.ping() is True
        assert (await client.config_get("port"))["port"] == "0"
        assert (await client.config_get("save"))["save"] == ""


async def test_redis_starts_over_the_socket_of_one_that_was_killed(
    runtime: Path, supervisor: Supervisor
) -> None:
    server = Redis(sockets=runtime)
    async with supervisor.running(server.program()):
        async with redis.asyncio.Redis.from_url(server.url) as client:
            killed = (await client.info("server"))["process_id"]
            os.kill(killed, signal.SIGKILL)
            again = await eventually(lambda: client.info("server"))
        assert again["process_id"] != killed


async def test_a_missing_package_is_told_with_what_to_do_instead(
    database: PostgreSQL, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("submarine_site.quickstart.servers.MAJOR", "99")
    with pytest.raises(QuickstartError, match="not for this platform: install PostgreSQL"):
        await database.make_data(supervisor)
