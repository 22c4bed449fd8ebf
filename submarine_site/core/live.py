"""Telling open pages that something changed: a hint by Redis pub/sub, no more.

A page that gets a hint asks for its fragment again; one that gets none asks by itself now and
then. So a hint may be lost or repeated, and Redis may be away.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from functools import partial

import redis.asyncio
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from submarine_site.core.redis import client

logger = logging.getLogger(__name__)

_KEEP_ALIVE = 20.0


def _channel(user_id: int) -> str:
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


async def changes(user_id: int) -> AsyncIterator[str]:
    """Yield what changed for the user as it changes, and "" at least every 20 s.

    Ends when Redis cannot be reached; the page connects again.
    """
    connection = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
    try:
        pubsub = connection.pubsub()
        await pubsub.subscribe(_channel(user_id))
        yield ""
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=_KEEP_ALIVE)
            yield message["data"].decode() if message else ""
    except (RedisError, OSError) as error:
        logger.warning("no hints for open pages: %s", error)
    finally:
        with suppress(RedisError, OSError, asyncio.CancelledError):
            await connection.aclose()
