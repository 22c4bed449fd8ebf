"""A WebSocket, once accepted, is two streams of bytes that pass unchanged.

Messages of any size, pings, close codes and subprotocols thus reach the other side as they were
sent, and a slow reader slows only its own sender. The gateway reads no more than frame headers, as
it must know where a frame ends to add a close frame of its own, and how a client's messages begin:
by that it knows what a person does from what a page does by itself.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from enum import IntEnum

from notebooks.gateway.transfers import Transfer
from notebooks.gateway.upstream import Connection, UpstreamGoneError

GOODBYE_SECONDS = 1.0

_LENGTH_16 = 126
_LENGTH_64 = 127
_MASKED = 0x80
_LENGTH_BITS = 0x7F
_OPCODE_BITS = 0x0F
_CONTROL = 0x08
_CLOSE = 0x08
_SHORTEST_HEADER = 2
_MASK_SIZE = 4

OPENING_BYTES = 4096
_CLOSE_HEADER = 0x88


class CloseCode(IntEnum):
    """Why the gateway ends a WebSocket."""

    GOING_AWAY = 1001
    REVOKED = 4401


class Frames:
    """Follows one direction of a WebSocket from frame header to frame header, and takes up to
    `opening` bytes of the first frame of each message.
    """

    def __init__(self, *, opening: int = 0) -> None:
        self._header = bytearray()
        self._payload_left = 0
        self._most = opening
        self._mask = b""
        self._opening: bytearray | None = None
        self.closed = False
        """Whether a close frame has begun: nothing may follow it."""

    @property
    def between(self) -> bool:
        """Whether the last byte seen was the last of its frame."""
        return not self._header and not self._payload_left

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return how messages begin, of those of which that is known now."""
        openings: list[bytes] = []
        position, end = 0, len(data)
        header = self._header
        while position < end:
            if self._payload_left:
                step = min(self._payload_left, end - position)
                self._payload_left -= step
                if self._opening is not None:
                    missing = self._most - len(self._opening)
                    self._opening += data[position : position + min(step, missing)]
                    self._close_opening(openings)
                position += step
                continue
            missing = _header_size(header) - len(header)
            header += data[position : position + missing]
            position += missing
            if len(header) == _header_size(header):
                opcode = header[0] & _OPCODE_BITS
                self.closed |= opcode == _CLOSE
                self._payload_left = _payload_size(header)
                if self._most and 0 < opcode < _CONTROL:
                    self._mask = bytes(header[-_MASK_SIZE:]) if header[1] & _MASKED else b""
                    self._opening = bytearray()
                    self._close_opening(openings)
                header.clear()
        return openings

    def _close_opening(self, openings: list[bytes]) -> None:
        taken = self._opening
        if taken is None or (self._payload_left and len(taken) < self._most):
            return
        openings.append(_unmasked(bytes(taken), self._mask))
        self._opening = None


def _header_size(header: bytearray) -> int:
    """The size of the header that begins so."""
    if len(header) < _SHORTEST_HEADER:
        return _SHORTEST_HEADER
    extended = {_LENGTH_16: 2, _LENGTH_64: 8}.get(header[1] & _LENGTH_BITS, 0)
    return _SHORTEST_HEADER + extended + (4 if header[1] & _MASKED else 0)


def _unmasked(data: bytes, mask: bytes) -> bytes:
    if not mask:
        return data
    size = len(data)
    key = (mask * (size // _MASK_SIZE + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(size)


def _payload_size(header: bytearray) -> int:
    size = header[1] & _LENGTH_BITS
    if size == _LENGTH_16:
        return int.from_bytes(header[2:4])
    if size == _LENGTH_64:
        return int.from_bytes(header[2:10])
    return size


class Tunnel:
    """One accepted WebSocket, open under a pass.

    It stands where aiohttp expects a parser, so bytes from the client come to `feed_data`; `run`
    carries those from the server.
    """

    def __init__(
        self,
        *,
        client: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        upstream: Connection,
        heard: Callable[[bytes], None],
        transfer: Transfer,
    ) -> None:
        self._client = client
        self._drain = drain
        self._upstream = upstream
        self._heard = heard
        self._transfer = transfer
        self._from_client = Frames(opening=OPENING_BYTES)
        self._from_upstream = Frames()
        self._ended_by_us = False
        upstream.fed_by(client)

    async def run(self) -> None:
        """Carry what the server sends until either side ends it. Cancelled if the client goes."""
        try:
            while data := await self._upstream.read():
                self._from_upstream.feed(data)
                self._client.write(data)
                self._transfer.passed += len(data)
                await self._drain()
        except UpstreamGoneError:
            if self._ended_by_us:
                # Closing at once may reset the connection before the client reads the reason.
                await asyncio.sleep(GOODBYE_SECONDS)
        finally:
            self._upstream.close()

    def end(self, code: CloseCode, reason: str) -> None:
        """Close it from here, saying why if that can be said between two frames."""
        if self._ended_by_us:
            return
        self._ended_by_us = True
        if self._from_upstream.between and not self._from_upstream.closed:
            payload = struct.pack("!H", code) + reason.encode()
            self._client.write(bytes((_CLOSE_HEADER, len(payload))) + payload)
        self._upstream.close()
        # A client that reads nothing more is not waited for.
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._client.abort)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes from the client. The answer is aiohttp's: not at an end, nothing left over."""
        openings = self._from_client.feed(data)
        if not self._ended_by_us:
            for opening in openings:
                self._heard(opening)
            self._upstream.write(data)
            self._transfer.passed += len(data)
        elif self._from_client.closed:
            self._client.close()
        return False, b""

    def feed_eof(self) -> None:
        """The client is gone; aiohttp cancels `run`."""
