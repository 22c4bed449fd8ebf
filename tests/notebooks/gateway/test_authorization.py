import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import aiohttp
import pytest

from notebooks.gateway import authorization as module
from notebooks.gateway.authorization import Authorization, Kind
from notebooks.gateway.contract import Route
from notebooks.gateway.refusals import Refusal
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Running, Upstream

SOON_SECONDS = 5.0


@asynccontextmanager
async def sweeping(authority: MemoryAuthority) -> AsyncIterator[Authorization]:
    authorization = Authorization(authority)
    await authorization.sweep()
    yield authorization


@asynccontextmanager
async def soon() -> AsyncIterator[None]:
    async with asyncio.timeout(SOON_SECONDS):
        yield


async def status_of(gateway: Running, within: str = "api") -> int:
    async with gateway.fetch(within) as response:
        return response.status


async def until(gateway: Running, status: int, within: str = "api") -> None:
    async with soon():
        while await status_of(gateway, within) != status:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.02)


async def test_credential_is_looked_up_once(gateway: Running) -> None:
    for _ in range(5):
        assert await status_of(gateway) == 200
    assert gateway.authority.asked.count("by_ticket") == 1


async def test_what_a_page_loads_at_once_shares_one_look_up(gateway: Running) -> None:
    statuses = await asyncio.gather(*(status_of(gateway) for _ in range(20)))
    assert set(statuses) == {200}
    assert gateway.authority.asked.count("by_ticket") == 1


async def test_revoked_ticket_is_refused_soon(gateway: Running) -> None:
    assert await status_of(gateway) == 200
    gateway.authority.tickets.clear()
    await until(gateway, 401)


async def test_revoked_ticket_closes_its_websockets_soon(gateway: Running) -> None:
    async with gateway.connect() as ws:
        await ws.send_str("hello")
        assert await ws.receive_str() == "hello"
        gateway.authority.tickets.clear()
        async with soon():
            message = await ws.receive()
    assert (message.type, message.data, message.extra) == (
        aiohttp.WSMsgType.CLOSE,
        4401,
        "access has ended",
    )


async def test_revoked_ticket_cuts_running_downloads_soon(gateway: Running) -> None:
    async with gateway.fetch("chunks") as response:
        assert await response.content.readany() == b"first"
        gateway.authority.tickets.clear()
        with pytest.raises(aiohttp.ClientPayloadError):
            async with soon():
                await response.content.readany()


async def test_a_request_that_waits_is_told_that_access_has_ended(gateway: Running) -> None:
    async def ask() -> tuple[int, str]:
        async with gateway.fetch("wait") as response:
            return response.status, (await response.json())["code"]

    asked = asyncio.create_task(ask())
    await gateway.upstream.arrived.wait()
    gateway.authority.change(gateway.session_id, status="stopping")
    async with soon():
        assert await asked == (503, "access_ended")


async def test_revoking_one_ticket_leaves_the_others_open(gateway: Running) -> None:
    gateway.authority.add_ticket(gateway.session_id, "other")
    headers = gateway.own | {"Cookie": "submarine-ticket=other"}
    async with gateway.connect() as revoked, gateway.connect(headers=headers) as kept:
        del gateway.authority.tickets[gateway.session_id, "adas"]
        async with soon():
            assert (await revoked.receive()).data == 4401
        await kept.send_str("still here")
        assert await kept.receive_str() == "still here"


@pytest.mark.parametrize("change", [{"status": "stopping"}, {"run_id": uuid4()}])
async def test_end_of_the_run_closes_its_websockets_soon(
    gateway: Running, change: dict[str, object]
) -> None:
    async with gateway.connect() as ws:
        gateway.authority.change(gateway.session_id, **change)
        async with soon():
            assert (await ws.receive()).data == 4401


async def test_deleted_session_is_gone_soon(gateway: Running) -> None:
    async with gateway.connect() as ws:
        del gateway.authority.where[gateway.session_id]
        async with soon():
            assert (await ws.receive()).data == 4401
    await until(gateway, 404)


async def test_new_run_is_reached_soon(gateway: Running) -> None:
    gateway.authority.change(gateway.session_id, status="starting", address="")
    assert await status_of(gateway) == 503
    gateway.authority.change(
        gateway.session_id, status="running", address=gateway.upstream.address, run_id=uuid4()
    )
    await until(gateway, 200)


async def test_ticket_ends_at_its_time_with_what_is_open(gateway: Running) -> None:
    gateway.authority.add_ticket(gateway.session_id, "short", seconds=0.3)
    headers = gateway.own | {"Cookie": "submarine-ticket=short"}
    async with gateway.connect(headers=headers) as ws:
        async with asyncio.timeout(0.3 + SOON_SECONDS):
            assert (await ws.receive()).data == 4401
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 401


async def test_outage_refuses_everybody_and_forgets_nobody(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALE_SECONDS", 0.6)
    async with gateway.connect() as ws:
        assert await status_of(gateway) == 200
        gateway.authority.down = True
        assert await status_of(gateway) == 200
        await asyncio.sleep(0.7)
        assert await status_of(gateway) == 503
        async with gateway.client.get(f"{gateway.origin}/_submarine/health") as response:
            assert response.status == 503
        gateway.authority.down = False
        await until(gateway, 200)
        await ws.send_str("never closed")
        assert await ws.receive_str() == "never closed"
    assert gateway.authority.asked.count("by_ticket") == 1


async def test_health_is_told_on_any_host(gateway: Running) -> None:
    async with gateway.client.get(
        f"{gateway.origin}/_submarine/health", headers={"Host": "10.0.0.1"}
    ) as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok"}


async def test_refused_credential_is_not_asked_about_again_at_once(
    authority: MemoryAuthority,
) -> None:
    session_id = uuid4()
    async with sweeping(authority) as authorization:
        for _ in range(5):
            assert await authorization.find(session_id, Kind.TICKET, "forged") is None
        assert authority.asked.count("by_ticket") == 1


async def test_refusal_is_soon_forgotten(
    authority: MemoryAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSED_SECONDS", 0.0)
    session_id = uuid4()
    async with sweeping(authority) as authorization:
        assert await authorization.find(session_id, Kind.TOKEN, "new") is None
        authority.add_token(session_id, "new")
        assert await authorization.find(session_id, Kind.TOKEN, "new") is not None


async def test_flood_of_forged_tickets_fills_neither_memory_nor_the_source(
    authority: MemoryAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REFUSED", 50)
    monkeypatch.setattr(module, "MAX_WAITING", 20)
    asked, answered = 0, asyncio.Event()

    async def slowly(session_id: UUID, ticket: str) -> None:
        nonlocal asked
        asked += 1
        await answered.wait()

    monkeypatch.setattr(authority, "by_ticket", slowly)
    async with sweeping(authority) as authorization:
        flood = [
            asyncio.create_task(authorization.find(uuid4(), Kind.TICKET, f"forged {n}"))
            for n in range(200)
        ]
        await asyncio.sleep(0.05)
        assert asked == module.MAX_LOOKUPS
        answered.set()
        results = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(each, Refusal) for each in results) == 180
        assert results.count(None) == 20
        for n in range(100):
            await authorization.find(uuid4(), Kind.TICKET, f"another {n}")
        assert len(authorization._refused) == 50


async def test_passes_are_bounded_and_what_is_open_is_kept(
    authority: MemoryAuthority, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PASSES", 3)
    session_id = authority.add_session(upstream.address)
    for n in range(6):
        authority.add_ticket(session_id, f"ticket {n}")

    class Open:
        route: Route | None = None

        def cut(self) -> None:
            pass

    async with sweeping(authority) as authorization:
        first = await authorization.find(session_id, Kind.TICKET, "ticket 0")
        assert first is not None
        first.open.add(Open())
        for n in range(1, 6):
            await authorization.find(session_id, Kind.TICKET, f"ticket {n}")
        assert [key[2] for key in authorization._passes] == ["ticket 0", "ticket 4", "ticket 5"]


async def test_what_nobody_uses_is_forgotten(
    authority: MemoryAuthority, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORGET_SECONDS", 0.0)
    session_id = authority.add_session(upstream.address)
    authority.add_ticket(session_id, "adas")
    async with sweeping(authority) as authorization:
        await authorization.find(session_id, Kind.TICKET, "adas")
        await authorization.route(session_id)
        await asyncio.sleep(0.01)
        await authorization.sweep()
        assert not authorization._passes
        assert not authorization._routes
