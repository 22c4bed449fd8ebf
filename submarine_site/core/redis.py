"""The connection to Redis, which may be lost without losing anything that is true."""

from functools import cache

import redis
from django.conf import settings


@cache
def client() -> "redis.Redis":
    """The process's client. Short timeouts: nothing waits long for what may be lost.

    The one for answers is above the longest that a caller asks Redis to wait for something (3 s).
    """
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=4)
