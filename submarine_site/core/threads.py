"""Runs a WSGI application from ASGI: one step into a thread and one back, where other ways take
several for each part of a response. What is sent as it is made is sent without a thread.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from wsgiref.types import WSGIApplication

from submarine_site.core.bodies import Receive, Scope, Send
from submarine_site.core.streams import Stream, Streams

_WITHOUT_PREFIX = {"CONTENT_LENGTH", "CONTENT_TYPE"}


class InThreads:
    def __init__(self, app: WSGIApplication, *, threads: int, streams: Streams) -> None:
        self._app = app
        self._streams = streams
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request, whose body has bounds; one that was broken off is not heard."""
        body = await _body(receive)
        if body is None:
            return
        environ = _environ(scope, body)
        loop = asyncio.get_running_loop()
        start, content = await loop.run_in_executor(self._threads, self._answer, environ)
        if isinstance(content, Stream):
            await self._streams.send(content, start, scope, receive, send)
            return
        await send(start)
        await send({"type": "http.response.body", "body": content})

    def _answer(self, environ: dict[str, Any]) -> tuple[dict[str, Any], bytes | Stream]:
        start: dict[str, Any] = {"type": "http.response.start"}

        def start_response(status: str, headers: Iterable[tuple[str, str]], *_: object) -> Any:
            start["status"] = int(status.partition(" ")[0])
            start["headers"] = [
                # Django writes its cookies with a space in front.
                (name.lower().encode("latin1"), value.strip().encode("latin1"))
                for name, value in headers
            ]

        chunks = self._app(environ, start_response)
        try:
            return start, chunks if isinstance(chunks, Stream) else b"".join(chunks)
        finally:
            # Ends the request, and gives its connection back.
            getattr(chunks, "close", lambda: None)()


async def _body(receive: Receive) -> bytes | None:
    parts = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        parts.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(parts)


def _environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """What PEP 3333 says of a request."""
    name, port = scope.get("server") or ("localhost", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin1"),
        "QUERY_STRING": scope["query_string"].decode("latin1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": name,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    values: defaultdict[str, list[str]] = defaultdict(list)
    for raw_name, raw_value in scope["headers"]:
        # Else it could be taken for the one that a proxy in front has set.
        if b"_" in raw_name:
            continue
        key = raw_name.decode("latin1").upper().replace("-", "_")
        key = key if key in _WITHOUT_PREFIX else f"HTTP_{key}"
        values[key].append(raw_value.decode("latin1"))
    for key, each in values.items():
        environ[key] = ("; " if key == "HTTP_COOKIE" else ",").join(each)
    # A body that was sent in parts has a length by now.
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
