"""What a session's server says of its memory: told to the service once, never to the browser."""

import asyncio
from uuid import UUID, uuid4

import pytest

from notebooks.gateway import memory
from notebooks.gateway.memory import OomKills
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Running, Upstream, serving

HEADER = "X-Submarine-Oom-Kills"
RUN = uuid4()


@pytest.fixture
def oom_kills(authority: MemoryAuthority) -> OomKills:
    return OomKills(authority)


def run_of(gateway: Running) -> UUID:
    run_id = gateway.authority.where[gateway.session_id].run_id
    assert run_id is not None
    return run_id


@pytest.mark.parametrize("name", [HEADER, HEADER.lower(), HEADER.upper()])
@pytest.mark.parametrize("within", ["api", "status-304", "status-500"])
async def test_what_an_answer_says_goes_to_the_service_alone(
    authority: MemoryAuthority, upstream: Upstream, name: str, within: str
) -> None:
    upstream.extra_headers = [(name, "2")]
    async with serving(authority, upstream) as gateway, gateway.fetch(within) as response:
        assert HEADER not in response.headers
    assert authority.oom_kills == [{run_of(gateway): 2}]


async def test_it_is_told_while_the_gateway_runs(gateway: Running, upstream: Upstream) -> None:
    upstream.extra_headers = [(HEADER, "1")]
    async with gateway.fetch("api"):
        pass
    async with asyncio.timeout(20):
        while not gateway.authority.oom_kills:  # noqa: ASYNC110 - it gives no event
            await asyncio.sleep(0.05)
    assert gateway.authority.oom_kills == [{run_of(gateway): 1}]


async def test_an_answer_without_the_header_says_nothing(
    authority: MemoryAuthority, upstream: Upstream
) -> None:
    async with serving(authority, upstream) as gateway, gateway.fetch("api"):
        pass
    assert authority.oom_kills == []


async def test_each_number_is_told_once(authority: MemoryAuthority, oom_kills: OomKills) -> None:
    for said in (b"1", b"1", b"2", b"1"):
        oom_kills.hear(RUN, said)
        oom_kills.hear(RUN, said)
        await oom_kills.flush()
    assert authority.oom_kills == [{RUN: 1}, {RUN: 2}]


async def test_of_what_comes_together_the_highest_is_told(
    authority: MemoryAuthority, oom_kills: OomKills
) -> None:
    other = uuid4()
    for run_id, said in ((RUN, b"2"), (other, b"1"), (RUN, b"3"), (RUN, b"1")):
        oom_kills.hear(run_id, said)
    await oom_kills.flush()
    assert authority.oom_kills == [{RUN: 3, other: 1}]


@pytest.mark.parametrize(
    "said", [b"", b"0", b"-1", b"+1", b"1.0", b"1 ", b"1_0", b"x", "²".encode(), b"9" * 10_000]
)
async def test_what_is_no_number_is_not_told(
    authority: MemoryAuthority, oom_kills: OomKills, said: bytes
) -> None:
    oom_kills.hear(RUN, said)
    await oom_kills.flush()
    assert authority.oom_kills == []


async def test_a_session_that_makes_numbers_up_is_heard_so_often_and_no_more(
    authority: MemoryAuthority, oom_kills: OomKills
) -> None:
    for number in range(1, 1000):
        oom_kills.hear(RUN, str(number).encode())
        await oom_kills.flush()
    assert [seen[RUN] for seen in authority.oom_kills] == list(range(1, memory.MAX_KILLS + 1))


async def test_what_cannot_be_written_is_kept(
    authority: MemoryAuthority, oom_kills: OomKills
) -> None:
    other = uuid4()
    authority.down = True
    oom_kills.hear(RUN, b"1")
    oom_kills.hear(other, b"1")
    await oom_kills.flush()
    authority.down = False
    oom_kills.hear(RUN, b"2")
    await oom_kills.flush()
    assert authority.oom_kills == [{RUN: 2, other: 1}]


async def test_what_is_known_is_bounded(
    authority: MemoryAuthority, oom_kills: OomKills, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_KNOWN", 2)
    for _ in range(10):
        oom_kills.hear(uuid4(), b"1")
        await oom_kills.flush()
    assert len(oom_kills._known) <= 3
    assert len(authority.oom_kills) == 10
