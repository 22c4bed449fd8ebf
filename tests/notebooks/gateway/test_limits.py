"""How long a session goes on, as its JupyterLab asks for it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import PAGES, Running, Upstream, serving

LIMITS = "_submarine/limits"


async def test_it_tells_the_seconds_that_are_left(gateway: Running) -> None:
    now = datetime.now(UTC)  # noqa: TID251
    gateway.authority.change(
        gateway.session_id,
        stops_at=now + timedelta(hours=1, seconds=0.9),
        idle_stop_at=now - timedelta(minutes=1),
    )
    async with gateway.fetch(LIMITS) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {
            "seconds_left": 3600,
            "idle_seconds_left": 0,
            "page": f"{PAGES}/sessions/{gateway.session_id}",
        }
    assert gateway.upstream.seen == []


async def test_without_limits_there_is_nothing_left_to_count(gateway: Running) -> None:
    async with gateway.fetch(LIMITS) as response:
        told = await response.json()
    assert (told["seconds_left"], told["idle_seconds_left"]) == (None, None)


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_to_ask_is_no_use(
    authority: MemoryAuthority, upstream: Upstream, accept: str
) -> None:
    async with (
        serving(authority, upstream) as gateway,
        gateway.fetch(LIMITS, headers=gateway.own | {"Accept": accept}) as response,
    ):
        assert response.status == 200
    assert authority.activity == []


async def test_it_is_told_to_who_may_use_the_session(gateway: Running) -> None:
    async with gateway.fetch(LIMITS, headers={}) as response:
        assert response.status == 401
    foreign = gateway.ticket | {"Origin": "http://elsewhere.example"}
    async with gateway.fetch(LIMITS, headers=foreign) as response:
        assert response.status == 403
    async with gateway.fetch(LIMITS, method="POST", headers=gateway.own) as response:
        assert response.status == 404
    assert gateway.upstream.seen == []


async def test_of_one_that_has_stopped_it_says_so(gateway: Running) -> None:
    gateway.authority.change(gateway.session_id, status="stopped", address="")
    async with gateway.fetch(LIMITS) as response:
        assert (response.status, (await response.json())["code"]) == (503, "session_stopped")
