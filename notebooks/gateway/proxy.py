"""Carries one admitted request to its session's Jupyter server, and the answer back.

Heads are written and bodies passed straight to the transports: aiohttp parses requests and keeps
the clients' connections, the rest is as many steps as there are reads. Nothing is held but what the
bounded buffers of both sides hold.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from aiohttp import HttpVersion11, hdrs, web

from notebooks.gateway.addresses import Place
from notebooks.gateway.authorization import Authorization
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.contract import Route
from notebooks.gateway.headers import HeaderPolicy
from notebooks.gateway.memory import OomKills
from notebooks.gateway.refusals import bad_request
from notebooks.gateway.statuses import RUNNING, no_answer, not_running
from notebooks.gateway.transfers import Transfer
from notebooks.gateway.upstream import (
    SWITCHING_PROTOCOLS,
    Connection,
    Pool,
    ResponseHead,
    UpstreamGoneError,
)
from notebooks.gateway.usage import Usage
from notebooks.gateway.websocket import CloseCode, Tunnel

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_ENDED_BODY = (
    b'{"code": "access_ended", "message": "Access ended while this was under way. Send it again."}'
)
_ENDED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
    % (len(_ENDED_BODY), _ENDED_BODY)
)


class Relayed:
    """Stands where aiohttp expects a response, for one whose bytes are already written."""

    def __init__(self, *, status: int, keep_alive: bool) -> None:
        self.status = status
        self.keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        """There is nothing left to write."""

    async def write_eof(self) -> None:
        """There is nothing left to write."""


class Proxy:
    """The way to all sessions."""

    def __init__(
        self,
        *,
        config: GatewayConfig,
        authorization: Authorization,
        policy: HeaderPolicy,
        oom_kills: OomKills,
        usage: Usage,
    ) -> None:
        self.config = config
        self.policy = policy
        self.oom_kills = oom_kills
        self.usage = usage
        self.pool = Pool()
        self.tunnels: set[Tunnel] = set()
        self._authorization = authorization

    async def route(self, session_id: UUID) -> Route:
        """Where a running session is; a refusal says what another one is doing."""
        return self._running(session_id, await self._authorization.route(session_id))

    async def reroute(self, session_id: UUID) -> Route:
        """Where it is by a fresh look."""
        return self._running(session_id, await self._authorization.reread(session_id))

    def close_tunnels(self) -> None:
        """Tell every WebSocket that the gateway goes away."""
        for tunnel in tuple(self.tunnels):
            tunnel.end(CloseCode.GOING_AWAY, "the gateway restarts")

    def _running(self, session_id: UUID, route: Route | None) -> Route:
        if route is None or route.status != RUNNING or not route.address:
            raise not_running(self.config, session_id, route)
        return route


class Exchange:
    """One request in flight, from admission to the last byte of its answer."""

    def __init__(
        self,
        *,
        proxy: Proxy,
        request: web.BaseRequest,
        transport: asyncio.Transport,
        place: Place,
        heard: Callable[[bytes], None],
        transfer: Transfer,
    ) -> None:
        self.route: Route | None = None
        self._proxy = proxy
        self._request = request
        self._transport = transport
        self._place = place
        self._heard = heard
        self._transfer = transfer
        self._tunnel: Tunnel | None = None
        self._body_broken = False
        self._answered = False

    async def carry(self) -> Relayed:
        """Carry it. Refuses only as long as nothing was answered."""
        request = self._request
        framing = _framing(request)
        upgrade = is_websocket(request)
        if upgrade and framing:
            raise bad_request("A WebSocket upgrade has no body.")
        repeatable = not framing and not upgrade and request.method in _IDEMPOTENT
        route = await self._proxy.route(self._place.session_id)
        try:
            for fresh in (not repeatable, True):
                connection, route = await self._connect(route, fresh=fresh)
                try:
                    return await self._over(connection, route, framing=framing, upgrade=upgrade)
                except UpstreamGoneError as gone:
                    # An idle connection may be closed by its server just as it is used again.
                    if not (connection.reused and gone.silent):
                        raise
        except UpstreamGoneError as gone:
            raise no_answer(self._proxy.config, self._place.session_id) from gone
        raise AssertionError("a fresh connection is not reused")

    def cut(self) -> None:
        """End it: it is no longer allowed."""
        if self._tunnel is not None:
            self._tunnel.end(CloseCode.REVOKED, "access has ended")
        elif self._answered:
            # The client must see that the body is not whole.
            self._transport.abort()
        else:
            self._transport.write(_ENDED)
            self._transport.close()

    async def _connect(self, route: Route, *, fresh: bool) -> tuple[Connection, Route]:
        pool = self._proxy.pool
        try:
            return await pool.acquire(route.address, fresh=fresh), route
        except UpstreamGoneError:
            route = await self._proxy.reroute(self._place.session_id)
            return await pool.acquire(route.address, fresh=True), route

    async def _over(
        self, connection: Connection, route: Route, *, framing: bytes, upgrade: bool
    ) -> Relayed:
        self.route = route
        self._transfer.transports = [self._transport, connection.transport]
        upload: asyncio.Task[None] | None = None
        whole = False
        try:
            connection.send(
                self._request_head(route, framing=framing, upgrade=upgrade),
                method=self._request.method,
                upgrade=upgrade,
            )
            if framing:
                upload = asyncio.create_task(self._upload(connection, framing))
            head = await connection.head()
            if head.oom_kills and route.run_id:
                self._proxy.oom_kills.hear(route.run_id, head.oom_kills)
            if head.usage and route.run_id:
                self._proxy.usage.hear(route.run_id, head.usage)
            if head.status == SWITCHING_PROTOCOLS:
                await self._tunnel_through(connection, head)
                return Relayed(status=head.status, keep_alive=False)
            keep_alive = not upgrade and (upload is None or upload.done())
            relayed = await self._answer(connection, head, keep_alive=keep_alive)
            whole = upload is None or upload.done()
        except UpstreamGoneError:
            if self._body_broken:
                raise bad_request("The body of this request is broken.") from None
            raise
        else:
            return relayed
        finally:
            if upload is not None:
                upload.cancel()
            if whole:
                self._proxy.pool.release(route.address, connection)
            else:
                connection.close()

    def _request_head(self, route: Route, *, framing: bytes, upgrade: bool) -> bytes:
        request = self._request
        target = self._place.target.encode("utf-8", "surrogateescape")
        return b"".join(
            (
                b"%b %b HTTP/1.1\r\n" % (request.method.encode(), target),
                *self._proxy.policy.upstream(
                    request.raw_headers,
                    token=route.token,
                    client=request.remote or "",
                    host=request.headers[hdrs.HOST],
                ),
                b"Connection: Upgrade\r\nUpgrade: websocket\r\n" if upgrade else b"",
                framing,
                b"\r\n",
            )
        )

    async def _upload(self, connection: Connection, framing: bytes) -> None:
        if self._request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
            self._transport.write(_CONTINUE)
        chunked = framing.startswith(b"Transfer-Encoding")
        content = self._request.content
        try:
            while data := await content.readany():
                connection.write(_chunk(data) if chunked else data)
                self._transfer.passed += len(data)
                await connection.drain()
            if chunked:
                connection.write(_LAST_CHUNK)
        except UpstreamGoneError:
            pass  # whoever waits for the response learns of it there
        except (web.RequestPayloadError, OSError):
            self._body_broken = True
            connection.close()

    async def _answer(
        self, connection: Connection, head: ResponseHead, *, keep_alive: bool
    ) -> Relayed:
        request, transport = self._request, self._transport
        modern = request.version >= HttpVersion11
        keep_alive = keep_alive and modern and request.keep_alive
        lines = self._head_lines(head)
        chunked = False
        if head.length is not None and head.status != HTTPStatus.NO_CONTENT:
            lines.append(b"Content-Length: %b\r\n" % head.length)
        elif head.has_body and modern:
            chunked = True
            lines.append(b"Transfer-Encoding: chunked\r\n")
        elif head.has_body:
            keep_alive = False
        lines.append(b"\r\n" if keep_alive else b"Connection: close\r\n\r\n")
        # A short body has come with its head, and leaves with it.
        if data := connection.read_nowait():
            lines.append(_chunk(data) if chunked else data)
            self._transfer.passed += len(data)
        if chunked and connection.ended:
            lines.append(_LAST_CHUNK)
            chunked = False
        self._answered = True
        transport.write(b"".join(lines))
        try:
            while data := await connection.read():
                transport.write(_chunk(data) if chunked else data)
                self._transfer.passed += len(data)
                await request.writer.drain()
        except UpstreamGoneError:
            # The client must see that the body is not whole.
            transport.abort()
            return Relayed(status=head.status, keep_alive=False)
        if chunked:
            transport.write(_LAST_CHUNK)
        return Relayed(status=head.status, keep_alive=keep_alive)

    async def _tunnel_through(self, connection: Connection, head: ResponseHead) -> None:
        lines = self._head_lines(head)
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self._transport.write(b"".join(lines))
        tunnel = Tunnel(
            client=self._transport,
            drain=self._request.writer.drain,
            upstream=connection,
            heard=self._heard,
            transfer=self._transfer,
        )
        self._tunnel = tunnel
        self._proxy.tunnels.add(tunnel)
        # It is not aiohttp's parser, but called like it for what comes after an upgrade.
        self._request.protocol.set_parser(tunnel)  # type: ignore[arg-type]
        try:
            await tunnel.run()
        finally:
            self._proxy.tunnels.discard(tunnel)

    def _head_lines(self, head: ResponseHead) -> list[bytes]:
        return [
            b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason),
            *self._proxy.policy.downstream(head.headers, base=self._place.base),
        ]


def _framing(request: web.BaseRequest) -> bytes:
    """The header line that frames a request's body, empty if there is none."""
    headers = request.headers
    encoding = headers.get(hdrs.TRANSFER_ENCODING)
    if encoding is not None:
        if encoding.lower() != "chunked" or hdrs.CONTENT_LENGTH in headers:
            raise bad_request("The body of this request is framed in an unknown way.")
        return b"Transfer-Encoding: chunked\r\n"
    length = headers.get(hdrs.CONTENT_LENGTH)
    if length is None:
        return b""
    if not (length.isascii() and length.isdigit()):
        raise bad_request("The body of this request has no valid length.")
    return b"Content-Length: %b\r\n" % length.encode()


def is_websocket(request: web.BaseRequest) -> bool:
    upgrade = request.headers.get(hdrs.UPGRADE)
    return (
        upgrade is not None
        and upgrade.lower() == "websocket"
        and request.method == hdrs.METH_GET
        and "upgrade" in request.headers.get(hdrs.CONNECTION, "").lower()
    )


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
