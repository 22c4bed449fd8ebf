"""Who may pass, kept in memory, and forgotten within a second of being revoked.

A credential is looked up once. From then on one sweep every half second asks about all of them
together, and about the routes of their sessions; what no longer holds is dropped, and what it had
open is cut. When the answers are too old to trust, everybody is refused until they are back.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Collection
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from notebooks.gateway.contract import Authority, Grant, Route
from notebooks.gateway.refusals import unavailable
from notebooks.gateway.statuses import RUNNING

SWEEP_SECONDS = 0.5
SOURCE_SECONDS = 2.0
STALE_SECONDS = 5.0
FORGET_SECONDS = 60.0
REFUSED_SECONDS = 2.0
MAX_PASSES = 10_000
MAX_REFUSED = 10_000
MAX_CREDENTIAL = 512
MAX_LOOKUPS = 16
MAX_WAITING = 256

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Kind(StrEnum):
    """The kinds of credential."""

    TICKET = "ticket"
    TOKEN = "token"  # noqa: S105 - the word, not one


Key = tuple[UUID, Kind, str]


class Exchange(Protocol):
    """A request or WebSocket in flight. `route` is where it went, None while it has not."""

    route: Route | None

    def cut(self) -> None:
        """End it now: it is no longer allowed."""


class Pass:
    """A grant in use, and what is open under it."""

    __slots__ = ("expires_at", "grant", "open", "used_at")

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.expires_at = grant.expires_at.timestamp()
        self.used_at = time.monotonic()
        self.open: set[Exchange] = set()

    def cut(self) -> None:
        for exchange in tuple(self.open):
            exchange.cut()


class Authorization:
    """The cache in front of an `Authority`. `run` sweeps it."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._passes: OrderedDict[Key, Pass] = OrderedDict()
        self._refused: OrderedDict[Key, float] = OrderedDict()
        self._routes: dict[UUID, Route] = {}
        self._lookups: dict[Key, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(MAX_LOOKUPS)
        self._fresh_at = float("-inf")
        self._answering = True

    @property
    def healthy(self) -> bool:
        """Whether the answers are recent enough to act on."""
        return time.monotonic() - self._fresh_at < STALE_SECONDS

    async def find(self, session_id: UUID, kind: Kind, credential: str) -> Pass | None:
        """The pass that this credential gives for this session."""
        if not self.healthy:
            raise unavailable()
        if not credential or len(credential) > MAX_CREDENTIAL:
            return None
        key = (session_id, kind, credential)
        held = self._held(key)
        if held is not None or self._refused.get(key, 0.0) > time.monotonic():
            return held
        return await self._look_up(key)

    async def find_any(
        self, session_id: UUID, kind: Kind, credentials: Collection[str]
    ) -> Pass | None:
        """The pass that one of these credentials gives. One that is in use already is found without
        a look-up of those before it.
        """
        if not self.healthy:
            raise unavailable()
        for credential in credentials:
            if held := self._held((session_id, kind, credential)):
                return held
        for credential in credentials:
            if found := await self.find(session_id, kind, credential):
                return found
        return None

    async def route(self, session_id: UUID) -> Route | None:
        """Where a session is, at most one sweep ago; of one that does not run, now."""
        known = self._routes.get(session_id)
        if known is not None and known.status == RUNNING:
            return known
        # Whoever was told elsewhere that it runs must not hear here that it does not.
        return await self.reread(session_id)

    async def reread(self, session_id: UUID) -> Route | None:
        """Where a session is now."""
        routes = await self._ask(self._authority.routes((session_id,)))
        self._learn(session_id, routes.get(session_id))
        return routes.get(session_id)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self.try_sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def try_sweep(self) -> None:
        """Sweep, or leave everything as it is if the source does not answer in time."""
        try:
            async with asyncio.timeout(SOURCE_SECONDS):
                await self.sweep()
        except Exception:  # whatever the source raises, the gateway stays up
            if self._answering:
                logger.exception("The authority does not answer")
            self._answering = False
        else:
            if not self._answering:
                logger.warning("The authority answers again")
            self._answering = True

    async def sweep(self) -> None:
        """Ask about everything that is held, by one question of each kind."""
        started = time.monotonic()
        self._forget(before=started - FORGET_SECONDS)
        held = list(self._passes.items())
        grants = {each.grant.id: each.grant for _, each in held}
        valid = await self._authority.still_valid(tuple(grants.values()))
        session_ids = {grant.session_id for grant in grants.values()}
        routes = await self._authority.routes(session_ids)
        now = time.time()
        for key, each in held:
            if each.grant.id not in valid or each.expires_at <= now:
                self._drop(key)
        for session_id in session_ids:
            self._learn(session_id, routes.get(session_id))
        for session_id in self._routes.keys() - {key[0] for key in self._passes}:
            del self._routes[session_id]
        self._fresh_at = started

    def _held(self, key: Key) -> Pass | None:
        """The pass of a credential that was found good before."""
        held = self._passes.get(key)
        if held is None:
            return None
        if held.expires_at <= time.time():
            self._drop(key)
            return None
        held.used_at = time.monotonic()
        self._passes.move_to_end(key)
        return held

    async def _look_up(self, key: Key) -> Pass | None:
        # Everything a page loads at once shares one look-up, which outlives any one of them.
        task = self._lookups.get(key)
        if task is None:
            if len(self._lookups) >= MAX_WAITING:
                raise unavailable()
            task = asyncio.create_task(self._ask_about(key))
            self._lookups[key] = task
            task.add_done_callback(lambda _: self._lookups.pop(key, None))
        await asyncio.shield(task)
        # A sweep may have come between: only what is held can be revoked.
        return self._passes.get(key)

    async def _ask_about(self, key: Key) -> None:
        session_id, kind, credential = key
        ask = {
            Kind.TICKET: self._authority.by_ticket,
            Kind.TOKEN: self._authority.by_token,
        }[kind]
        async with self._slots:
            grant = await self._ask(ask(session_id, credential))
        found = Pass(grant) if grant and grant.session_id == session_id else None
        if found is None or found.expires_at <= time.time():
            self._refused[key] = time.monotonic() + REFUSED_SECONDS
            _trim(self._refused, MAX_REFUSED)
        else:
            self._passes[key] = found
            self._make_room()

    async def _ask(self, question: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(SOURCE_SECONDS):
                return await question
        except Exception as error:
            logger.warning("The authority does not answer", exc_info=True)
            raise unavailable() from error

    def _learn(self, session_id: UUID, route: Route | None) -> None:
        """Take a route; what is open to where the session no longer is, is cut."""
        known = self._routes.pop(session_id, None)
        if route is not None:
            self._routes[session_id] = route
        if known is None or _place(known) == _place(route):
            return
        for key, each in self._passes.items():
            if key[0] == session_id:
                for exchange in tuple(each.open):
                    if exchange.route and _place(exchange.route) != _place(route):
                        exchange.cut()

    def _forget(self, *, before: float) -> None:
        idle = [
            key for key, each in self._passes.items() if each.used_at < before and not each.open
        ]
        for key in idle:
            del self._passes[key]

    def _make_room(self) -> None:
        """Keep to the bound. What has something open stays: it must remain revocable."""
        if len(self._passes) <= MAX_PASSES:
            return
        for key, each in self._passes.items():
            if not each.open:
                del self._passes[key]
                return

    def _drop(self, key: Key) -> None:
        held = self._passes.pop(key, None)
        if held is not None:
            held.cut()


def _place(route: Route | None) -> tuple[UUID | None, str] | None:
    if route is None or route.status != RUNNING:
        return None
    return route.run_id, route.address


def _trim(cache: OrderedDict[Key, float], bound: int) -> None:
    while len(cache) > bound:
        cache.popitem(last=False)
