"""Connections to Jupyter servers: one exchange at a time on each, kept open between exchanges.

Written on `asyncio.Protocol` because every request of every session passes here: a response's head
and body reach the caller in as few steps as they arrived in. Bodies are passed on as they are
encoded, and reading pauses while the caller is behind.
"""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import cast

import httptools

from notebooks.gateway.headers import OOM_KILLS, USAGE

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 30.0
MAX_IDLE_PER_ADDRESS = 64
MAX_OVERHEAD = 256 * 1024
HIGH_WATER = 512 * 1024

SWITCHING_PROTOCOLS = 101
_OK = 200
_BODILESS = frozenset({204, 304})


class _UnexpectedError(Exception):
    """Raised to the parser, to stop it: what follows may not be read as part of an answer."""


class UpstreamGoneError(Exception):
    """The server is not there, broke off, or does not speak HTTP.

    `silent` if not a byte of an answer came, so that the request may never have been read.
    """

    def __init__(self, message: str, *, silent: bool) -> None:
        super().__init__(message)
        self.silent = silent


@dataclass(slots=True, kw_only=True)
class ResponseHead:
    """Status line and headers, raw. `length` is the announced Content-Length, if any, `oom_kills`
    and `usage` what it says of its session's memory and volumes.
    """

    status: int = 0
    reason: bytes = b""
    headers: list[tuple[bytes, bytes]]
    length: bytes | None = None
    oom_kills: bytes = b""
    usage: bytes = b""
    chunked: bool = False
    has_body: bool = True


class Connection(asyncio.Protocol):
    """One connection. `send`, then `head`, then `read` until it gives nothing."""

    def __init__(self) -> None:
        self.reused = False
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._source: asyncio.ReadTransport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._for_head_request = False
        self._may_upgrade = False
        self._head = ResponseHead(headers=[])
        self._unproductive = 0
        self._head_done = False
        self._tunnel = False
        self._keep_alive = False
        self._heard = False
        self._done = False
        self._lost = False
        self._broken: str | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._reading_paused = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    # What the proxy calls.

    def send(self, head: bytes, *, method: str, upgrade: bool) -> None:
        """Begin an exchange."""
        self._may_upgrade = upgrade
        self._for_head_request = method == "HEAD"
        self._heard = self._done = False
        self._expect_response()
        self._transport.write(head)

    @property
    def transport(self) -> asyncio.WriteTransport:
        return self._transport

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the server has taken most of what was written."""
        if self._lost:
            raise UpstreamGoneError("closed while sending", silent=not self._heard)
        if self._writer is not None:
            await self._writer

    async def head(self) -> ResponseHead:
        while not self._head_done:
            if self._broken or self._lost:
                raise UpstreamGoneError(
                    self._broken or "closed without an answer", silent=not self._heard
                )
            await self._more()
        return self._head

    async def read(self) -> bytes:
        """All of the body that has come; wait if none has; empty at the end."""
        while not self._chunks:
            if self._done:
                return b""
            if self._broken or self._lost:
                raise UpstreamGoneError(self._broken or "closed within a response", silent=False)
            await self._more()
        return self.read_nowait()

    def read_nowait(self) -> bytes:
        """What has come of the body and was not read."""
        chunks = self._chunks
        if not chunks:
            return b""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._buffered = 0
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        return data

    def fed_by(self, source: asyncio.ReadTransport) -> None:
        """Pause reading from this source while the server is behind."""
        self._source = source

    @property
    def ended(self) -> bool:
        """Whether the response is complete and all of it was read."""
        return self._done and not self._chunks

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow: this one is over, and nothing odd happened."""
        return (
            self._done
            and not self._lost
            and not self._broken
            and not self._tunnel
            and not self._for_head_request  # the parser still waits for its body
            and self._keep_alive
            and self._writer is None
        )

    def close(self) -> None:
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._tunnel:
            self._take(data)
        elif self._parser is None or self._done:
            self._break("sent what was not asked for")
        else:
            self._parse(data)
        self._wake()

    def eof_received(self) -> None:
        # The transport closes itself on this; `connection_lost` decides what it means.
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._head_done and not self._broken and exc is None and self._until_close():
            self._done = True
        self._wake()
        if self._writer is not None:
            self.resume_writing()

    def pause_writing(self) -> None:
        self._writer = self._loop.create_future()
        if self._source is not None and not self._source.is_closing():
            self._source.pause_reading()

    def resume_writing(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.set_result(None)
        if self._source is not None and not self._source.is_closing():
            self._source.resume_reading()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._head_done:
            raise _UnexpectedError("a second response")

    def on_status(self, reason: bytes) -> None:
        self._head.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:
            return  # a trailer
        lower = name.lower()
        if lower == b"content-length":
            self._head.length = value
        elif lower == b"transfer-encoding":
            # It ends here and is made anew, so it must be the one that is known.
            if value.lower() != b"chunked":
                raise _UnexpectedError("an unknown transfer coding")
            self._head.chunked = True
        elif lower == OOM_KILLS:
            self._head.oom_kills = value
        elif lower == USAGE:
            self._head.usage = value
        self._head.headers.append((name, value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        head = self._head
        head.status = self._parser.get_status_code()
        if head.status == SWITCHING_PROTOCOLS and not self._may_upgrade:
            raise _UnexpectedError("another protocol")
        if head.status < _OK and head.status != SWITCHING_PROTOCOLS:
            return
        # Only now: the parser forgets the framing, on which this depends, with the last byte.
        self._keep_alive = self._parser.should_keep_alive()
        head.has_body = not (self._for_head_request or head.status in _BODILESS)
        self._head_done = True
        self._unproductive = 0
        if not head.has_body:
            self._done = True

    def on_body(self, body: bytes) -> None:
        self._unproductive = 0
        if self._head.has_body:
            self._take(body)

    def on_message_complete(self) -> None:
        if self._head_done:
            self._done = True
        else:
            self._head = ResponseHead(headers=[])  # an interim response, 1xx

    # Helpers.

    def _expect_response(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._head = ResponseHead(headers=[])
        self._unproductive = 0
        self._head_done = False

    def _parse(self, data: bytes) -> None:
        assert self._parser is not None
        # The parser gathers a header, however long, before it tells of it.
        self._unproductive += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._tunnel, self._done = True, False
            self._take(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._break(f"sent what is not HTTP ({type(error).__name__})")
        else:
            if self._unproductive > MAX_OVERHEAD and not self._done:
                self._break("sent too large a header")

    def _take(self, data: bytes) -> None:
        if not data:
            return
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > HIGH_WATER and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _until_close(self) -> bool:
        """Whether the end of the connection is the proper end of this response."""
        return self._tunnel or (self._head.length is None and not self._head.chunked)

    def _break(self, reason: str) -> None:
        self._broken = reason
        self._transport.abort()

    async def _more(self) -> None:
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Pool:
    """Idle connections by address, the latest used first."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle: defaultdict[str, list[Connection]] = defaultdict(list)

    async def acquire(self, address: str, *, fresh: bool) -> Connection:
        """A connection to `unix:/path` or `http://host:port`.

        A server may close an idle connection just as it is used again, so what cannot be repeated
        asks for a `fresh` one.
        """
        idle = self._idle.get(address)
        while idle and not fresh:
            connection = idle.pop()
            if connection.reusable:
                connection.reused = True
                return connection
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._connect(address)
        except (OSError, ValueError) as error:
            raise UpstreamGoneError("cannot connect", silent=True) from error

    async def _connect(self, address: str) -> Connection:
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            _, connection = await self._loop.create_unix_connection(Connection, path)
        else:
            host, _, port = address.removeprefix("http://").rpartition(":")
            _, connection = await self._loop.create_connection(
                Connection, host.strip("[]"), int(port)
            )
        return connection

    def release(self, address: str, connection: Connection) -> None:
        """Give a connection back; it is kept if it can be used again."""
        idle = self._idle[address]
        if connection.reusable and len(idle) < MAX_IDLE_PER_ADDRESS:
            connection.idle_since = self._loop.time()
            idle.append(connection)
        else:
            connection.close()

    def expire(self) -> None:
        """Close what has been idle for long, or was closed by its server."""
        oldest = self._loop.time() - IDLE_SECONDS
        for address, idle in list(self._idle.items()):
            kept = []
            for connection in idle:
                if connection.reusable and connection.idle_since > oldest:
                    kept.append(connection)
                else:
                    connection.close()
            if kept:
                self._idle[address] = kept
            else:
                del self._idle[address]

    def close(self) -> None:
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
