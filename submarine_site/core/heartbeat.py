"""Signs of life of what works in the background, in Redis, where every process can see them."""

import logging
from enum import StrEnum

from redis.exceptions import RedisError

from submarine_site.core.redis import client

logger = logging.getLogger(__name__)

_KEPT_MS = 7 * 24 * 3600 * 1000


class Heartbeat(StrEnum):
    WATCHER = "watcher:heard"
    """The watcher is connected to the backend and would hear of a change."""
    POLL = "poll:looked"
    """A worker has looked at everything."""


def beat(heart: Heartbeat) -> None:
    """Note that it lives. Does without a Redis that is away."""
    try:
        client().set(heart, 1, px=_KEPT_MS)
    except (RedisError, OSError) as error:
        logger.warning("%s is not noted: %s", heart, error)


def seconds_since(heart: Heartbeat) -> float | None:
    """How long ago it was heard, at most a week; None: not known. Raises `RedisError`.

    Read off the time that is left to the note: so one clock counts, that of Redis.
    """
    left = client().pttl(heart)
    assert isinstance(left, int)
    return (_KEPT_MS - left) / 1000 if left >= 0 else None
