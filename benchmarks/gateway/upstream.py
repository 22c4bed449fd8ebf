"""A stand-in for a Jupyter server, faster than any proxy: `upstream.py <port or socket path>`.

`/…/small` is answered with 1 KiB, `/…/bytes/<n>` with n bytes; a body of known length is read and
forgotten.
"""

import asyncio
import re
import sys
from typing import cast

import uvloop

_SMALL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"." * 1024
)
_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_BYTES = re.compile(rb"GET \S*/bytes/(\d+) ")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_BLOCK = b"\0" * (256 * 1024)


class Server(asyncio.Protocol):
    """One connection; answers as soon as a request's head, and then its body, has come."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._head = b""
        self._to_read = 0
        self._to_send = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._to_read:
            self._to_read -= len(data)
            if not self._to_read:
                self._transport.write(_EMPTY)
            return
        self._head += data
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        self._head = b""
        length = _LENGTH.search(head)
        wanted = _BYTES.match(head)
        if length is not None:
            self._to_read = int(length[1]) - len(body)
            if not self._to_read:
                self._transport.write(_EMPTY)
        elif wanted is not None:
            self._to_send = int(wanted[1])
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % wanted[1])
            self._send()
        else:
            self._transport.write(_SMALL)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send()

    def _send(self) -> None:
        while self._to_send and not self._paused:
            block = _BLOCK[: self._to_send]
            self._to_send -= len(block)
            self._transport.write(block)


async def _serve(where: str) -> None:
    loop = asyncio.get_running_loop()
    if where.isdigit():
        server: asyncio.Server = await loop.create_server(Server, "127.0.0.1", int(where))
    else:
        server = await loop.create_unix_server(Server, where)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
