"""Limits on failed sign-ins from one network, over every place that takes a credential.

Passwords, API tokens and codes of program logins share one count for each network: an IPv4
address, or the /64 prefix of an IPv6 address. A password is counted before its hash is computed
and taken off again when it was right, so that concurrent attempts cannot exceed the limit. Valid
tokens and browsers that are signed in are never refused.

Redis counts for all processes. While it does not answer, each process counts for itself.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from rest_framework.exceptions import APIException

from accounts.counting_redis import CountingRedis
from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError
from submarine_site.core.networks import client_network
from submarine_site.core.text import too_many_sign_ins

T = TypeVar("T")

WINDOW = timedelta(minutes=5)
"""From a network's first failure until its count begins anew."""

_MINUTES = int(WINDOW.total_seconds() // 60)


class TooManyAttempts(DomainError, APIException):
    """The network has failed to sign in too often. An `APIException`, as REST framework wants of
    what authentication raises.
    """

    code = "too_many_attempts"
    status = 429
    retry_after: int

    def __init__(self, *, retry_after: int) -> None:
        """`retry_after` is in seconds."""
        super().__init__(too_many_sign_ins(retry_after))
        self.retry_after = retry_after


@contextmanager
def counted_attempt(request: HttpRequest) -> Iterator[None]:
    """Count an attempt to sign in as failed, unless the block ends without an exception.

    Raises `TooManyAttempts` before the block is entered. An attempt that the limit for its user
    name refused is not counted: one program with an old password must not use up what its whole
    network has.
    """
    counter, network = _counter(settings.REDIS_URL), _network(request.META.get("REMOTE_ADDR", ""))
    counter.add(network)
    try:
        yield
    except Exception:
        if getattr(request, "axes_locked_out", False):
            counter.take_back(network)
        raise
    counter.take_back(network)


def count_bad_credential(credential: str, *, address: str) -> None:
    """Count a token or code that is not valid, once however often it is sent.

    Raises `TooManyAttempts`.
    """
    counter, network = _counter(settings.REDIS_URL), _network(address)
    # First, so that refused requests leave nothing behind in the store.
    counter.check(network)
    if counter.is_new(network, credential):
        counter.add(network)


def network_of(request: HttpRequest) -> str | None:
    """Return the network that a request comes from, for django-axes, which stores an address."""
    return client_network(request.META.get("REMOTE_ADDR", "")) or None


def _network(address: str) -> str:
    """What failures of this address are counted under."""
    return client_network(address) or "unknown"


class _Counter:
    """Failures by network."""

    def __init__(self, url: str) -> None:
        """`url` is of the Redis that counts."""
        self._redis = CountingRedis(url, key_prefix="sign-in-failures")
        self._shared = FixedWindowRateLimiter(self._redis.storage)
        self._own = FixedWindowRateLimiter(MemoryStorage())

    def add(self, network: str) -> None:
        """Count one. Raises `TooManyAttempts`, having counted nothing, where there is no room."""
        if self._limited(lambda limiter: limiter.hit(_limit(), network)):
            return
        self.take_back(network)
        raise self._refusal(network)

    def take_back(self, network: str) -> None:
        self._limited(lambda limiter: limiter.hit(_limit(), network, cost=-1))

    def check(self, network: str) -> None:
        """Raise `TooManyAttempts` where another failure would not be counted."""
        if not self._limited(lambda limiter: limiter.test(_limit(), network)):
            raise self._refusal(network)

    def is_new(self, network: str, credential: str) -> bool:
        """Whether this is the first time in the window that the network sends this credential."""
        once = RateLimitItemPerMinute(1, _MINUTES, "credential")
        return self._limited(lambda limiter: limiter.hit(once, network, digest(credential)))

    def _refusal(self, network: str) -> TooManyAttempts:
        window = self._limited(lambda limiter: limiter.get_window_stats(_limit(), network))
        return TooManyAttempts(retry_after=max(1, math.ceil(window.reset_time - time.time())))

    def _limited(self, use: Callable[[FixedWindowRateLimiter], T]) -> T:
        """Return what `use` does of the shared counts, or of the process's own."""
        return self._redis.call(
            lambda: use(self._shared),
            fallback=lambda: use(self._own),
            warning="this process counts failed sign-ins for itself",
        )


def _limit() -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(settings.SIGN_IN_FAILURES_PER_NETWORK, _MINUTES, "network")


_counter = cache(_Counter)
