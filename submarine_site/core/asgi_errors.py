"""Errors of the ASGI layer, in the form that the API or the pages have."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.template.loader import render_to_string

from submarine_site.core.responses import error_told

if TYPE_CHECKING:
    from submarine_site.core.bodies import Scope, Send


async def send_error(
    scope: "Scope",
    send: "Send",
    *,
    status: int,
    code: str,
    title: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    is_page: bool = True,
) -> None:
    """Answer a request with an error and close its connection, whose body may be unread.

    The error is JSON on paths of the API and where the request is not for a page.
    """
    if scope["path"].startswith("/api/") or not is_page:
        kind = "application/json"
        body = json.dumps(error_told(scope["path"], code, message, status=status))
    else:
        kind = "text/html; charset=utf-8"
        context = {"title": title, "message": message}
        body = await sync_to_async(render_to_string)("error.html", context)
    sent = {"content-type": kind, "connection": "close", **(headers or {})}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }
    )
    await send({"type": "http.response.body", "body": body.encode()})
