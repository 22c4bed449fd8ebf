"""The Redis that counts requests and failed sign-ins. It is not called for a while after errors."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import redis
from limits.storage import RedisStorage
from redis.exceptions import RedisError

T = TypeVar("T")

TIMEOUT_SECONDS = 0.5
"""How long a request waits for Redis at most."""

PAUSE_SECONDS = 5.0
"""How long a Redis that failed is not used: each request would wait for its timeout."""

logger = logging.getLogger(__name__)


class CountingRedis:
    """Storage of counts in Redis, which may be away."""

    def __init__(self, url: str, *, key_prefix: str) -> None:
        pool = redis.ConnectionPool.from_url(
            url, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS
        )
        self.storage = RedisStorage(url, connection_pool=pool, key_prefix=key_prefix)
        self._away_until = 0.0

    def call(self, operation: Callable[[], T], *, fallback: Callable[[], T], warning: str) -> T:
        """Return the result of `operation` on the storage or, while Redis is away, of `fallback`.

        `warning` is logged, with the error, each time that Redis fails.
        """
        if time.monotonic() >= self._away_until:
            try:
                return operation()
            except RedisError as error:
                logger.warning("%s: %s", warning, error)
                self._away_until = time.monotonic() + PAUSE_SECONDS
        return fallback()
