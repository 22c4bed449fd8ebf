"""What the calls of either client give, as type checkers see it: `make lint` checks this file."""

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TYPE_CHECKING, assert_type

from submarine_client import AsyncClient, Client, Kernel, Output, Result, Session
from submarine_client.models import Event, Me, Quota, QuotaRequest, SessionInfo
from submarine_client.steps import Async, Sync

if TYPE_CHECKING:

    def in_turn(client: Client) -> None:
        assert_type(client.me(), Me)
        session = client.sessions.create(profile="small", environment="notebook-env")
        assert_type(session, Session[Sync])
        assert_type(session.wait().info, SessionInfo)
        assert_type(client.sessions.list(), Iterator[Session[Sync]])
        assert_type(session.events(), Iterator[Event])
        assert_type(session.kernel(), Kernel[Sync])
        assert_type(client.quota.get(), Quota)
        assert_type(session.kernel().run("1"), Result)
        client.sessions.create(profile="small")  # type: ignore[call-arg]

    async def meanwhile(client: AsyncClient) -> None:
        assert_type(client.me(), Awaitable[Me])
        session = await client.sessions.create(profile="small", environment="notebook-env")
        assert_type(session, Session[Async])
        assert_type(client.sessions.list(), AsyncIterator[Session[Async]])
        assert_type(client.quota.requests.list(), AsyncIterator[QuotaRequest])
        assert_type(session.kernel().stream("1"), AsyncIterator[Output])
        session.kernel().run(1)  # type: ignore[arg-type]


def test_the_same_method_is_of_both_clients() -> None:
    assert type(Client.me) is type(AsyncClient.me)
    assert Client.me is AsyncClient.me
    assert Client.me.__doc__ == "Who you are to the service."
