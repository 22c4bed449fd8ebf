"""Bytes that move are use of a session; what an open tab moves by itself is none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from notebooks.gateway import transfers as module
from notebooks.gateway.activity import Activity
from notebooks.gateway.transfers import (
    LOOK_SECONDS,
    POLL_SECONDS,
    STALL_SECONDS,
    USE_BYTES,
    Transfer,
    Transfers,
)
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Running, Upstream, serving
from tests.notebooks.gateway.test_activity import used

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Buffer(asyncio.WriteTransport):
    """A transport in whose buffers so many bytes wait whenever it is looked at."""

    def __init__(self, waiting: int = 0) -> None:
        super().__init__()
        self._waiting = waiting

    def get_write_buffer_size(self) -> int:
        return self._waiting

    def get_extra_info(self, name: str, default: object = None) -> object:
        class Closed:
            def fileno(self) -> int:
                return -1

        return Closed() if name == "socket" else default


class Noted(Activity):
    """When sessions were used, by this clock."""

    def __init__(self, authority: MemoryAuthority, clock: Clock) -> None:
        super().__init__(authority)
        self.clock = clock
        self.at: list[float] = []

    def stamp(self, session_id: object) -> None:
        self.at.append(self.clock.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def uses(
    clock: Clock,
    moves: Callable[[float], int],
    *,
    seconds: float = HOUR,
    method: str = "GET",
    within: str = "files/large.bin",
    websocket: bool = False,
    each: bool = False,
    waiting: int = 0,
) -> list[float]:
    """When a session is seen used through which so many bytes move between two looks: of one
    exchange, or of one for each pair of looks.
    """
    activity = Noted(MemoryAuthority(), clock)
    transfers = Transfers(activity)
    session_id = uuid4()

    def begin() -> Transfer:
        return transfers.begin(
            session_id, Buffer(waiting), method=method, within=within, websocket=websocket
        )

    began = clock.now
    transfer = begin()
    while clock.now < began + seconds:
        transfer.passed += moves(clock.now - began)
        if each:
            transfers.end(transfer)
        clock.now += LOOK_SECONDS
        transfers.look()
        if each:
            transfer = begin()
    transfers.end(transfer)
    return [at - began for at in activity.at]


def longest_pause(at: list[float], *, seconds: float = HOUR) -> float:
    return max(after - before for before, after in zip([0.0, *at], [*at, seconds], strict=True))


@pytest.mark.parametrize(
    ("method", "within"),
    [
        ("POST", "git/work/status"),
        ("POST", "git/work/branch"),
        ("GET", "git/work/stash"),
        ("GET", "git/work/remote/show"),
        ("POST", "nbdime/api/isgit"),
    ],
)
def test_what_an_open_repository_asks_again_and_again_is_not_use(
    clock: Clock, method: str, within: str
) -> None:
    assert uses(clock, lambda _: 1_000_000, each=True, method=method, within=within) == []


def test_what_a_person_does_in_a_repository_is_use_by_its_bytes(clock: Clock) -> None:
    at = uses(clock, lambda _: 1_000_000, each=True, method="POST", within="git/work/content")
    assert longest_pause(at) <= 45


@pytest.mark.parametrize("a_second", [1_000, 50_000, 10_000_000])
def test_transfer_is_use_for_as_long_as_it_moves(clock: Clock, a_second: int) -> None:
    at = uses(clock, lambda _: int(a_second * LOOK_SECONDS))
    assert longest_pause(at) <= 45


def test_websocket_is_use_while_it_carries_much(clock: Clock) -> None:
    at = uses(clock, lambda _: 5_000, within="proxy/8080/ws", websocket=True)
    assert longest_pause(at) <= 45


@pytest.mark.parametrize(
    ("within", "websocket"), [("proxy/8080/stream", False), ("proxy/8080/ws", True)]
)
def test_keep_alives_are_not_use(clock: Clock, within: str, *, websocket: bool) -> None:
    # Half a kilobyte a second.
    assert uses(clock, lambda _: 2_500, within=within, websocket=websocket) == []


def test_stalled_transfer_is_not_use(clock: Clock) -> None:
    at = uses(clock, lambda elapsed: 100_000 if elapsed < 300 else 0)
    assert max(at) <= 300 + LOOK_SECONDS


def test_reader_that_takes_a_lump_now_and_then_is_at_it(clock: Clock) -> None:
    at = uses(clock, lambda elapsed: 400_000 if elapsed % 130 == 0 else 0, waiting=100_000)
    assert longest_pause(at) <= 45


def test_reader_that_takes_nothing_more_is_not(clock: Clock) -> None:
    at = uses(clock, lambda elapsed: 100_000 if elapsed < 300 else 0, waiting=50_000)
    assert 550 < max(at[:-1]) <= 300 + STALL_SECONDS + LOOK_SECONDS


@pytest.mark.parametrize(
    "within",
    [
        "api/contents/data?content=1&1764520000000",
        "api/kernels?1764520000000",
        "lab/api/workspaces",
        "api/metrics/v1",
    ],
)
def test_reads_of_jupyters_api_are_not_use_however_large(clock: Clock, within: str) -> None:
    # A folder of thousands of files, in several tabs.
    assert uses(clock, lambda _: 5_000_000, within=within, each=True) == []


def test_many_short_downloads_are_use(clock: Clock) -> None:
    at = uses(clock, lambda _: 100_000, within="files/part-1.bin", each=True)
    assert longest_pause(at) <= 45


def test_download_through_the_api_is_use_from_when_it_is_no_poll(clock: Clock) -> None:
    at = uses(clock, lambda _: 100_000, within="api/contents/large.bin?content=1")
    assert POLL_SECONDS <= min(at) <= POLL_SECONDS + LOOK_SECONDS
    assert longest_pause(at) <= 45


@pytest.mark.parametrize(
    "within",
    [
        # Each tab is told of what each other polls.
        "api/events/subscribe",
        # People's messages and busy kernels count, whatever their size.
        "api/kernels/1/channels?session_id=1",
        "api/kernels/1/channels",
    ],
)
def test_what_is_judged_otherwise_is_not_use_by_its_bytes(clock: Clock, within: str) -> None:
    assert uses(clock, lambda _: 50_000, within=within, websocket=True) == []


def test_a_terminal_is_use_by_its_bytes(clock: Clock) -> None:
    at = uses(clock, lambda _: 5_000, within="terminals/websocket/1", websocket=True)
    assert longest_pause(at) <= 45


def test_sessions_are_counted_apart(clock: Clock) -> None:
    activity = Noted(MemoryAuthority(), clock)
    transfers = Transfers(activity)
    for _ in range(10):
        transfer = transfers.begin(
            uuid4(), Buffer(), method="GET", within="files/x", websocket=False
        )
        transfer.passed += USE_BYTES
        transfers.end(transfer)
    assert activity.at == []


async def test_bytes_that_wait_in_buffers_have_not_moved() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await go_on.wait()
        while await reader.read(2**16):
            pass
        back.close()
        await back.wait_closed()
        done.set()

    size = 64 * 2**20
    async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        transfer = Transfer(uuid4(), writer.transport, counts_from=0)
        writer.write(bytes(size))
        transfer.passed += size
        await asyncio.sleep(0.05)
        moved = transfer.take_moved()
        # The rest is in this machine's buffers, and stays there.
        assert moved < size / 2
        go_on.set()
        async with asyncio.timeout(10):
            while moved < size:
                await asyncio.sleep(0.01)
                moved += transfer.take_moved()
        assert moved == size
        assert transfer.take_rest() == 0
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(5):
            await done.wait()


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "STALL_SECONDS", 0.0)
    monkeypatch.setattr(Activity, "seconds", 0.02)


async def used_again(authority: MemoryAuthority, *, before: int) -> None:
    """Wait until a session is seen used, after so many times."""
    async with asyncio.timeout(10):
        while len(authority.activity) <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def unused(authority: MemoryAuthority) -> int:
    """Wait until a session is not seen used any more; how many times it was."""
    async with asyncio.timeout(10):
        before = -1
        while before != len(authority.activity):
            before = len(authority.activity)
            await asyncio.sleep(0.3)
    return before


@pytest.mark.usefixtures("looking_often")
async def test_upload_is_use_again_and_again_while_it_goes_on(gateway: Running) -> None:
    go_on: asyncio.Queue[bytes] = asyncio.Queue()

    async def blocks() -> AsyncIterator[bytes]:
        while block := await go_on.get():
            yield block

    async def upload() -> None:
        async with gateway.fetch(
            "api", method="PUT", headers=gateway.own, data=blocks()
        ) as response:
            assert response.status == 200

    task = asyncio.create_task(upload())
    for _ in range(3):
        before = await unused(gateway.authority)
        go_on.put_nowait(bytes(2 * USE_BYTES))
        await used_again(gateway.authority, before=before)
    go_on.put_nowait(b"")
    await task


@pytest.mark.usefixtures("looking_often")
async def test_download_is_use_while_its_client_reads(gateway: Running) -> None:
    async with gateway.fetch("bytes-400000000") as response:
        before = await unused(gateway.authority)  # its client has stalled
        assert before > 0
        await response.content.readexactly(64 * 2**20)
        await used_again(gateway.authority, before=before)


@pytest.mark.usefixtures("looking_often")
async def test_websocket_is_use_by_what_it_carries_in_either_direction(gateway: Running) -> None:
    async with gateway.connect() as ws:
        for _ in range(2):
            before = await unused(gateway.authority)
            await ws.send_bytes(bytes(2 * USE_BYTES))
            assert len(await ws.receive_bytes()) == 2 * USE_BYTES
            await used_again(gateway.authority, before=before)


@pytest.mark.parametrize(
    ("within", "is_use"),
    [
        ("bytes-5000000", True),
        ("api/contents/bytes-5000000", False),
        ("lab/api/bytes-5000000", False),
        ("git/work/bytes-5000000", False),
        ("proxy/8080/git/work/bytes-5000000", True),
        ("bytes-1000", False),
    ],
)
async def test_short_download_is_use_by_its_size(
    authority: MemoryAuthority,
    upstream: Upstream,
    within: str,
    is_use: bool,  # noqa: FBT001
) -> None:
    assert await used(authority, upstream, within=within) is is_use


async def test_head_of_something_large_is_not_use(
    authority: MemoryAuthority, upstream: Upstream
) -> None:
    async with (
        serving(authority, upstream) as gateway,
        gateway.fetch("bytes-5000000", method="HEAD") as response,
    ):
        assert response.status == 200
    assert authority.activity == []
