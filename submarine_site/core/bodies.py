"""Refuses a body that is larger than any page or endpoint takes, before it is read, and one that
does not arrive.

Django writes the whole of it to disk first, and asks afterwards who sent it and what for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from submarine_site.core.asgi_errors import send_error

Scope: TypeAlias = dict[str, Any]
Event: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    pass


class _TooSlow(Exception):
    pass


class BoundedBodies:
    """`limit` is in bytes, `seconds` the time in which a body has to arrive."""

    def __init__(self, app: Application, *, limit: int, seconds: float = 60.0) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(_announced(scope))
            # Django reads all of it before it answers, so a refusal is never a second answer.
            await self._app(scope, self._counted(receive), send)
        except _TooLarge:
            await self._refuse(scope, send)
        except _TooSlow:
            await send_error(
                scope,
                send,
                status=408,
                code="too_slow",
                title="Too slow",
                message=f"The request did not arrive within {self._seconds:g} seconds. "
                "Nothing was changed.",
            )

    def _check(self, length: int) -> None:
        if length > self._limit:
            raise _TooLarge

    def _counted(self, receive: Receive) -> Receive:
        received = 0
        # From the end of the body on, what is waited for is that the client leaves.
        is_whole = False
        deadline = asyncio.get_running_loop().time() + self._seconds

        async def counted() -> Event:
            nonlocal received, is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    event = await receive()
            except TimeoutError:
                raise _TooSlow from None
            received += len(event.get("body", b""))
            self._check(received)
            is_whole = not event.get("more_body", False)
            return event

        return counted

    async def _refuse(self, scope: Scope, send: Send) -> None:
        is_api = scope["path"].startswith("/api/")
        await send_error(
            scope,
            send,
            status=413,
            code="too_large",
            title="Too large",
            message=f"The body may have {self._limit} bytes."
            if is_api
            else f"What was sent has more than {self._limit // 1024} KiB, the most there may be. "
            "Nothing was changed.",
        )


def _announced(scope: Scope) -> int:
    """The length in the head, which the server has checked; 0 for a body in chunks."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
