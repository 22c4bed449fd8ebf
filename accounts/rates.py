"""How many requests the API takes of one user, or of one network where nobody is signed in: so many
a minute, over all processes of web and whatever credentials are shown.

Redis counts, in one trip. While it is away nothing is counted and nobody is refused.
"""

import time
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from limits import RateLimitItemPerMinute, WindowStats
from limits.strategies import SlidingWindowCounterRateLimiter
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.counting_redis import CountingRedis
from submarine_site.core.networks import client_network

if TYPE_CHECKING:
    # Which itself imports the throttles that are the default.
    from rest_framework.views import APIView


class RequestRate(BaseThrottle):
    """DRF answers 429 with `wait()` where this does not allow a request."""

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        if settings.API_REQUESTS_PER_MINUTE <= 0:
            return True
        who = f"user:{request.user.pk}"
        if not request.user.is_authenticated:
            who = f"address:{client_network(request.META.get('REMOTE_ADDR', ''))}"
        full = _count_in(settings.REDIS_URL).add(who, settings.API_REQUESTS_PER_MINUTE)
        if full is not None:
            self._wait = max(1, full.reset_time - time.time())
        return full is None

    def wait(self) -> float:
        """Return after how many seconds a request is taken again; DRF says them in whole ones."""
        return self._wait


class _Count:
    def __init__(self, url: str) -> None:
        """`url` is of the Redis that counts."""
        self._redis = CountingRedis(url, key_prefix="rate")
        self._limiter = SlidingWindowCounterRateLimiter(self._redis.storage)

    def add(self, who: str, per_minute: int) -> WindowStats | None:
        """Count a request; returns when there is room again if there is none, else None."""
        allowed = RateLimitItemPerMinute(per_minute)

        def count() -> WindowStats | None:
            if self._limiter.hit(allowed, who):
                return None
            return self._limiter.get_window_stats(allowed, who)

        return self._redis.call(count, fallback=lambda: None, warning="requests are not counted")


_count_in = cache(_Count)
