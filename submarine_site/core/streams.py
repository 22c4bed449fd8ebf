"""Responses whose body is sent as it is made: event streams and exports.

The request ends before its body is sent, so that a stream holds no thread and no database
connection while it waits for its client or for news. Streams are counted in each process.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection
from django.http import StreamingHttpResponse

from submarine_site.core.asgi_errors import send_error
from submarine_site.core.bodies import Event, Receive, Scope, Send
from submarine_site.core.errors import DomainError

CHECK_SECONDS = 60.0
RETRY_SECONDS = 15
_LAST_PART_SECONDS = 5.0

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)


def for_stream(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Run a query of a stream in the one thread that all streams share, with one connection, which
    goes back to the pool at the end.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        finally:
            # A transaction around it all is a test's.
            if not connection.in_atomic_block:
                connection.close()

    return sync_to_async(call)


class Stream(StreamingHttpResponse):
    """A body that is sent to one user part by part.

    `is_allowed` is called once a minute and tells whether the user may still read it:
    `accounts.middleware` sets it for whatever credential the request had. A stream that is ended
    early is broken off, so that its client does not take it for whole, unless it `is_endless`.
    """

    is_allowed: Callable[[], bool]

    def __init__(
        self,
        parts: AsyncGenerator[str, None],
        *,
        user_id: int,
        content_type: str,
        is_endless: bool = False,
    ) -> None:
        super().__init__(parts, content_type=content_type)
        self.parts = parts
        self.user_id = user_id
        self.is_allowed = _nobody
        self.is_endless = is_endless


def _nobody() -> bool:
    return False


class Streams:
    """Sends streams: at most `per_user` of one user and `total` at a time, for `seconds` each."""

    def __init__(self, *, per_user: int, total: int, seconds: float) -> None:
        self._per_user = per_user
        self._total = total
        self._seconds = seconds
        self._open: Counter[int] = Counter()

    @property
    def open_count(self) -> int:
        """How many streams are being sent."""
        return self._open.total()

    async def send(
        self, stream: Stream, start: Event, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send the response, which is an error where too many streams are open."""
        async with aclosing(stream.parts):
            if scope["method"] == "HEAD":
                await send(start)
                await send({"type": "http.response.body"})
                return
            try:
                with self._counted(stream.user_id):
                    await self._send(stream, start, receive, send)
            except DomainError as refusal:
                await send_error(
                    scope,
                    send,
                    status=refusal.status,
                    code=refusal.code,
                    title="Too many streams",
                    message=refusal.message,
                    headers={"retry-after": str(RETRY_SECONDS)},
                    is_page=not stream.is_endless,
                )

    @contextmanager
    def _counted(self, user_id: int) -> Iterator[None]:
        if self._open[user_id] >= self._per_user:
            raise DomainError(
                f"{self._per_user} streams are open for you, the most there may be. "
                "Close a page or wait for a download.",
                code="too_many_streams",
                status=HTTPStatus.TOO_MANY_REQUESTS,
            )
        if self.open_count >= self._total:
            raise DomainError(
                "The service has as many streams open as it can. Try again in a moment.",
                code="streams_exhausted",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
            )
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            self._open += Counter()

    async def _send(self, stream: Stream, start: Event, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(_send_parts(stream, start, send))
        disconnected = asyncio.create_task(_until_disconnected(receive))
        forbidden = asyncio.create_task(_until_forbidden(stream.is_allowed))
        tasks = (sending, disconnected, forbidden)
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if sending in done:
            sending.result()
        elif disconnected not in done:
            await _end_early(stream, send)


async def _send_parts(stream: Stream, start: Event, send: Send) -> None:
    await send(start)
    async for part in stream.parts:
        await send({"type": "http.response.body", "body": part.encode(), "more_body": True})
    await send({"type": "http.response.body"})


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_forbidden(is_allowed: Callable[[], bool]) -> None:
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        # Without a database nobody can be asked; the stream's time is bounded all the same.
        with suppress(DatabaseError):
            if not await _ask(is_allowed):
                return


@for_stream
def _ask(is_allowed: Callable[[], bool]) -> bool:
    return is_allowed()


async def _end_early(stream: Stream, send: Send) -> None:
    if not stream.is_endless:
        logger.warning("a download of user %s was broken off", stream.user_id)
        return
    # A client that does not read is disconnected by the server when this returns.
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_PART_SECONDS):
            await send({"type": "http.response.body"})
