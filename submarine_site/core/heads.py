"""Requests' heads have bounds, of size and of time: the faster one of uvicorn's parsers keeps
whatever anybody sends until it ends, and a connection until a request has come. And they may have
addresses that are not ASCII, as curl sends them.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from submarine_site.core.request_lines import RequestLine
from submarine_site.core.responses import error_told
from submarine_site.core.text import header_too_large

MOST_BYTES = 64 * 1024
"""Of a head, and of all else that is no body's."""

HEAD_SECONDS = 30.0
"""How long a head may take, from the connection or the end of the response before it."""

LINGER_SECONDS = 2.0

_STATUS = 431


class _TooLargeError(Exception):
    """Raised to the parser, to stop it."""


class BoundedHeads(HttpToolsProtocol):
    """For uvicorn's `--http`."""

    url = b""
    _left = MOST_BYTES
    _begun = False
    _too_large = False
    _refused = False
    _line: RequestLine
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._await_head()
        if self._left < 0:
            self._refuse()
        if self._refused:
            return
        if not self._begun:
            self._line = RequestLine()
        data = self._line.encode(data)
        self._left -= len(data)
        # Gives back what is left at each part of a body, and at the next head.
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._begun = True
        self._left = MOST_BYTES
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._cancel_head_timer()
        # What comes at once is parsed before it is counted.
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_BYTES:
            self._too_large = True
            raise _TooLargeError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._left = MOST_BYTES
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._begun = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._too_large:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        # None before the first request, though uvicorn declares it otherwise.
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            # A client may begin its next request while it still reads a long response.
            self._await_head()
        else:
            self.transport.close()

    def _refuse(self) -> None:
        """Say so. What still comes is read and thrown away, as to close at once would reset the
        connection before the client reads the answer.
        """
        if self._refused:
            return
        self._refused = True
        path = self.url.partition(b"?")[0].decode("latin-1")
        message = header_too_large(MOST_BYTES)
        body = json.dumps(error_told(path, "header_too_large", message, status=_STATUS)).encode()
        self.transport.write(
            b"HTTP/1.1 %d Request Header Fields Too Large\r\nContent-Type: application/json\r\n"
            b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (_STATUS, len(body), body)
        )
        if self.transport.can_write_eof():  # not over TLS
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
