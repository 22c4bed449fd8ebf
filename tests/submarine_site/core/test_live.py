"""What changed is told to those whose pages show it, and to nobody else."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from itertools import takewhile
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from redis.client import PubSub

from submarine_site.core import live
from submarine_site.core.live import announce_all, changes
from submarine_site.core.redis import client
from tests.contracts.eventually import eventually

# Redis tells messages of one database in all of them: other tests' users have other ids.
ADA, GRACE, MALLORY = (secrets.randbits(48) for _ in range(3))
SECONDS = 10


def told(pubsub: PubSub) -> list[tuple[bytes, bytes]]:
    """Everything that was published before this."""
    client().publish("live:end", "")
    messages = (
        (message["channel"], message["data"])
        for message in pubsub.listen()
        if message["type"] == "message"
    )
    return list(takewhile(lambda message: message[0] != b"live:end", messages))


@pytest.mark.django_db
def test_each_is_told_of_what_is_theirs_once_it_is_committed(
    django_capture_on_commit_callbacks,
) -> None:
    with client().pubsub() as pubsub:
        channels = [f"live:{each}" for each in (ADA, GRACE, MALLORY, "end")]
        pubsub.subscribe(*channels)
        for _ in channels:
            pubsub.get_message(timeout=SECONDS)
        with django_capture_on_commit_callbacks(execute=True):
            announce_all([(ADA, "one"), (GRACE, "two"), (ADA, "three")])
            assert told(pubsub) == []
        assert told(pubsub) == [
            (b"live:%d" % ADA, b"one"),
            (b"live:%d" % GRACE, b"two"),
            (b"live:%d" % ADA, b"three"),
        ]


@asynccontextmanager
async def listening(user_id: int) -> AsyncIterator[AsyncIterator[str]]:
    """What the user's page is told from now on."""
    async with aclosing(changes(user_id)) as hints:
        assert await anext(hints) == ""
        yield hints


def publish(user_id: int, what: str) -> None:
    client().publish(f"live:{user_id}", what)


def subscriptions() -> list[str]:
    """The connections of this test to Redis that wait for messages."""
    own = client().client_info()["db"]
    return [each["id"] for each in client().client_list(_type="pubsub") if each["db"] == str(own)]


async def test_streams_of_a_process_share_one_connection() -> None:
    async with AsyncExitStack() as stack:
        people = [ADA, ADA, GRACE, MALLORY]
        ada, again, grace, mallory = [
            await stack.enter_async_context(listening(each)) for each in people
        ]
        assert len(subscriptions()) == 1
        client().publish("live:end", "")
        publish(ADA, "one")
        publish(GRACE, "two")
        assert [await anext(ada), await anext(again), await anext(grace)] == ["one", "one", "two"]
        # Nothing came to her before this.
        publish(MALLORY, "three")
        assert await anext(mallory) == "three"
    await asyncio.to_thread(eventually, lambda: not subscriptions())


async def test_a_slow_client_is_told_once_of_what_changed_often() -> None:
    async with listening(ADA) as ada, listening(GRACE) as grace:
        for _ in range(3):
            publish(ADA, "one")
        publish(GRACE, "last")
        assert await anext(grace) == "last"
        assert await anext(ada) == "one"
        publish(ADA, "two")
        assert await anext(ada) == "two"


async def test_an_idle_stream_says_something_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_KEEP_ALIVE", 0.01)
    async with listening(ADA) as hints:
        assert [await anext(hints), await anext(hints)] == ["", ""]


async def test_without_redis_streams_end(settings) -> None:
    async with listening(ADA) as hints:
        [number] = subscriptions()
        client().client_kill_filter(_id=number)
        assert [hint async for hint in hints] == []
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert [hint async for hint in changes(ADA)] == []


@asynccontextmanager
async def relay() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """An address at which Redis answers until the event is set; then nothing comes any more, and
    nothing is closed.
    """
    is_silent = asyncio.Event()
    address = urlsplit(django_settings.REDIS_URL)
    passing: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if not is_silent.is_set():
                    writer.write(data)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if address.scheme == "unix":
            there = await asyncio.open_unix_connection(address.path)
        else:
            there = await asyncio.open_connection(address.hostname, address.port)
        for source, target in ((reader, there[1]), (there[0], writer)):
            passing.add(asyncio.create_task(pass_on(source, target)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"redis://127.0.0.1:{port}/0", is_silent
    finally:
        server.close()
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


async def test_where_redis_falls_silent_streams_end_and_the_next_ones_hear(
    settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = settings.REDIS_URL
    monkeypatch.setattr(live, "_PROBE_SECONDS", 0.2)
    async with relay() as (url, is_silent):
        settings.REDIS_URL = url
        async with listening(ADA) as hints:
            # It answers when it is asked: a quiet Redis is none that is away.
            await asyncio.sleep(1)
            settings.REDIS_URL = base
            publish(ADA, "one")
            assert await anext(hints) == "one"
            is_silent.set()
            async with asyncio.timeout(SECONDS):
                assert [hint async for hint in hints] == []
    async with listening(ADA) as hints:
        publish(ADA, "two")
        assert await anext(hints) == "two"


async def test_who_comes_after_the_last_one_left_subscribes_anew() -> None:
    for _ in range(3):
        async with listening(ADA) as hints:
            publish(ADA, "one")
            assert await anext(hints) == "one"
