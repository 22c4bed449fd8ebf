"""Requests' heads have bounds: the faster one of uvicorn's parsers keeps whatever anybody sends
until it ends, however much that is. And they may have addresses that are not ASCII, as curl sends
them.
"""

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from submarine_site.core.request_lines import RequestLine
from submarine_site.core.responses import error_told
from submarine_site.core.text import header_too_large

MOST_BYTES = 64 * 1024
"""Of a head, and of all else that is no body's."""

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

    def data_received(self, data: bytes) -> None:
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
        super().on_message_begin()

    def on_headers_complete(self) -> None:
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
