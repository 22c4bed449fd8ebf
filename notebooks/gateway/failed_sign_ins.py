"""Limits on tokens that let nobody in, shared with every other place that takes a credential."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from http import HTTPStatus

from notebooks.gateway.contract import Authority
from notebooks.gateway.refusals import Refusal
from submarine_site.core.networks import client_network
from submarine_site.core.text import too_many_sign_ins

MAX_NETWORKS = 10_000
MAX_COUNTING = 4
COUNT_SECONDS = 2.0

logger = logging.getLogger(__name__)


class FailedSignIns:
    """Has bad tokens counted. Which networks are over the limit is kept in memory, so that their
    further attempts cost the rest of the service nothing.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._refused_until: OrderedDict[str, float] = OrderedDict()
        self._slots = asyncio.Semaphore(MAX_COUNTING)

    async def add(self, token: str, address: str) -> None:
        """Count this token. Raises `Refusal` where the address's network has sent too many."""
        network = client_network(address)
        if (left := self._refused_until.get(network, 0.0) - time.monotonic()) > 0:
            raise _too_many(math.ceil(left))
        seconds = await self._count(token, address)
        if seconds is None:
            return
        self._refused_until[network] = time.monotonic() + seconds
        if len(self._refused_until) > MAX_NETWORKS:
            self._refused_until.popitem(last=False)
        raise _too_many(seconds)

    async def _count(self, token: str, address: str) -> int | None:
        try:
            async with asyncio.timeout(COUNT_SECONDS), self._slots:
                return await self._authority.record_bad_token(token, address)
        except Exception:  # the token is refused in any case
            logger.warning("A bad token was not counted", exc_info=True)
            return None


def _too_many(seconds: int) -> Refusal:
    return Refusal(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        code="too_many_attempts",
        title="Too many attempts",
        message=too_many_sign_ins(seconds),
        headers={"Retry-After": str(seconds)},
    )
