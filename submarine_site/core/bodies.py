"""Refuses a body that is larger than any page or endpoint takes, before it is read.

Django writes the whole of it to disk first, and asks afterwards who sent it and what for.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from asgiref.sync import sync_to_async
from django.template.loader import render_to_string

from submarine_site.core.responses import error_told

Scope: TypeAlias = dict[str, Any]
Event: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    pass


class BoundedBodies:
    def __init__(self, app: Application, *, limit: int) -> None:
        self._app = app
        self._limit = limit

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

    def _check(self, length: int) -> None:
        if length > self._limit:
            raise _TooLarge

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def counted() -> Event:
            nonlocal received
            event = await receive()
            received += len(event.get("body", b""))
            self._check(received)
            return event

        return counted

    async def _refuse(self, scope: Scope, send: Send) -> None:
        if scope["path"].startswith("/api/"):
            kind = b"application/json"
            message = f"The body may have {self._limit} bytes."
            body = json.dumps(error_told(scope["path"], "too_large", message, status=413))
        else:
            kind = b"text/html; charset=utf-8"
            message = (
                f"What was sent has more than {self._limit // 1024} KiB, the most there may be. "
                "Nothing was changed."
            )
            body = await sync_to_async(render_to_string)(
                "error.html", {"title": "Too large", "message": message}
            )
        await send(
            {
                "type": "http.response.start",
                "status": 413,
                "headers": [(b"content-type", kind)],
            }
        )
        await send({"type": "http.response.body", "body": body.encode()})


def _announced(scope: Scope) -> int:
    """The length in the head, which the server has checked; 0 for a body in chunks."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
