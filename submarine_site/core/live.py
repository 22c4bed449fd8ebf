"""Telling open pages that something changed: a hint by Redis pub/sub, no more.

A page that gets a hint asks for its fragment again; one that gets none asks by itself now and
then. So a hint may be lost or repeated, and Redis may be away.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from django.db import transaction
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from submarine_site.core.redis import client

logger = logging.getLogger(__name__)

_KEEP_ALIVE = 20.0

_PROBE_SECONDS = 20.0
"""How long Redis may say nothing before it is asked whether it is there, and then to answer."""


def _channel(user_id: int | str) -> str:
    return f"live:{user_id}"


def announce(user_id: int, what: str) -> None:
    """Tell the user's open pages, once the transaction has committed, that `what` changed."""
    announce_all([(user_id, what)])


def announce_all(changed: Iterable[tuple[int, str]]) -> None:
    """Tell each of these users' open pages what changed, all with one message to Redis."""
    if hints := list(changed):
        transaction.on_commit(partial(_publish, hints))


def _publish(hints: Iterable[tuple[int, str]]) -> None:
    try:
        with client().pipeline(transaction=False) as together:
            for user_id, what in hints:
                together.publish(_channel(user_id), what)
            together.execute()
    except (RedisError, OSError) as error:
        logger.warning("no hint to open pages: %s", error)


async def changes(user_id: int) -> AsyncGenerator[str, None]:
    """Yield what changed for the user as it changes, and "" at first and at least every 20 s.

    Ends when Redis cannot be reached; the page connects again.
    """
    loop = asyncio.get_running_loop()
    if (subscription := _subscriptions.get(loop)) is None:
        subscription = _subscriptions[loop] = _Subscription()
    listener = subscription.join(user_id)
    try:
        await listener.wait()
        pending = {"": None}
        while not listener.is_over:
            for what in pending:
                yield what
            with suppress(TimeoutError):
                async with asyncio.timeout(_KEEP_ALIVE):
                    await listener.wait()
            pending = listener.take() or {"": None}
    finally:
        subscription.leave(user_id, listener)


class _Listener:
    """One stream. A client that reads slowly is told once of what changed many times."""

    def __init__(self) -> None:
        self.is_over = False
        self._pending: dict[str, None] = {}
        self._woken = asyncio.Event()

    async def wait(self) -> None:
        await self._woken.wait()
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def add(self, what: str) -> None:
        self._pending[what] = None
        self._woken.set()

    def take(self) -> dict[str, None]:
        taken, self._pending = self._pending, {}
        return taken


class _Subscription:
    """One connection to Redis for all streams of an event loop, while there are any."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[_Listener]] = defaultdict(set)
        self._is_subscribed = False
        self._task = asyncio.create_task(self._run())

    def join(self, user_id: int) -> _Listener:
        """Return a listener, which is woken at once when it can miss nothing any more."""
        listener = _Listener()
        self._listeners[_channel(user_id)].add(listener)
        if self._is_subscribed:
            listener.wake()
        return listener

    def leave(self, user_id: int, listener: _Listener) -> None:
        channel = _channel(user_id)
        self._listeners[channel].discard(listener)
        if not self._listeners[channel]:
            del self._listeners[channel]
        if not self._listeners:
            self._forget()
            self._task.cancel()

    async def _run(self) -> None:
        connection = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
        try:
            async with connection, connection.pubsub() as pubsub:
                await pubsub.psubscribe(_channel("*"))
                await self._follow(pubsub)
        except (RedisError, OSError) as error:
            logger.warning("no hints for open pages: %s", error)
        finally:
            self._forget()
            for listener in self._all():
                listener.is_over = True
                listener.wake()

    async def _follow(self, pubsub: PubSub) -> None:
        """Pass messages on. Raises `RedisError` where Redis cannot be reached, or falls silent:
        every page of the process depends on this one connection.
        """
        is_probed = False
        while True:
            if message := await pubsub.get_message(timeout=_PROBE_SECONDS):
                is_probed = False
                self._tell(message)
            elif is_probed:
                raise RedisTimeoutError("a ping was not answered")
            else:
                await pubsub.ping()
                is_probed = True

    def _tell(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "psubscribe":
            self._is_subscribed = True
            for listener in self._all():
                listener.wake()
        elif message["type"] == "pmessage":
            for listener in self._listeners.get(message["channel"].decode(), ()):
                listener.add(message["data"].decode())

    def _all(self) -> list[_Listener]:
        return list(chain.from_iterable(self._listeners.values()))

    def _forget(self) -> None:
        """The next stream subscribes anew."""
        loop = asyncio.get_running_loop()
        if _subscriptions.get(loop) is self:
            del _subscriptions[loop]


_subscriptions: WeakKeyDictionary[asyncio.AbstractEventLoop, _Subscription] = WeakKeyDictionary()
