"""The gateway's server: parses, finds the session, admits, carries, and answers for itself.

`serve` runs until it is cancelled, then lets requests in flight finish for a while.
"""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, cast

import uvloop
from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from notebooks.gateway.activity import Activity, is_act, is_use
from notebooks.gateway.addresses import HEALTH_TARGET, OWN_PREFIX, Addresses, Place
from notebooks.gateway.admission import Admission
from notebooks.gateway.authorization import Authorization
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.contract import Authority
from notebooks.gateway.entrance import ENTER, Entrance
from notebooks.gateway.failed_sign_ins import FailedSignIns
from notebooks.gateway.headers import HeaderPolicy
from notebooks.gateway.idleness import Idleness
from notebooks.gateway.limits import LIMITS, limits
from notebooks.gateway.memory import OomKills
from notebooks.gateway.pages import answer, own_headers, raw_answer, wants_page
from notebooks.gateway.proxy import Exchange, Proxy, is_websocket
from notebooks.gateway.refusals import Refusal, bad_request, header_too_large, not_found
from notebooks.gateway.token_uses import TokenUses
from notebooks.gateway.transfers import Transfers
from notebooks.gateway.usage import Usage
from submarine_site.core.request_lines import RequestLine

KEEP_ALIVE_SECONDS = 75.0
SHUTDOWN_SECONDS = 10.0
EXPIRE_SECONDS = 5.0
READ_BYTES = 256 * 1024
MAX_HEAD = 60 * 1024
"""Of a request line and all headers. Jupyter takes 64 KiB, with what the gateway adds."""

LINGER_SECONDS = 2.0

_END = b"\r\n\r\n"
_VERSIONS = (HttpVersion10, HttpVersion11)

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("notebooks.gateway.access")


class Gateway:
    """Answers every request."""

    def __init__(self, authority: Authority, config: GatewayConfig) -> None:
        policy = HeaderPolicy(config)
        self._config = config
        self._addresses = Addresses(config)
        self._authorization = Authorization(authority)
        self._token_uses = TokenUses(authority)
        self._admission = Admission(
            config=config,
            authorization=self._authorization,
            policy=policy,
            token_uses=self._token_uses,
            failed_sign_ins=FailedSignIns(authority),
        )
        self._entrance = Entrance(config=config, authority=authority)
        self._activity = Activity(authority)
        self._transfers = Transfers(self._activity)
        self._oom_kills = OomKills(authority)
        self._usage = Usage(authority)
        self._proxy = Proxy(
            config=config,
            authorization=self._authorization,
            policy=policy,
            oom_kills=self._oom_kills,
            usage=self._usage,
        )
        self._idleness = Idleness(authority, self._proxy.pool)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        try:
            response = await self._handle(request)
        except Refusal as refusal:
            response = answer(refusal, page=wants_page(request))
        if access_logger.isEnabledFor(logging.INFO):
            # Never the query: it can hold a code or a token.
            access_logger.info(
                "%s %s %d %.1f ms",
                request.method,
                ascii(request.raw_path.partition("?")[0])[1:-1],
                response.status,
                (time.perf_counter() - started) * 1000,
            )
        return response

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep its knowledge fresh, and write what it has seen at the end."""
        await self._authorization.try_sweep()
        tasks = [
            asyncio.create_task(self._authorization.run()),
            asyncio.create_task(self._activity.run()),
            asyncio.create_task(self._transfers.run()),
            asyncio.create_task(self._token_uses.run()),
            asyncio.create_task(self._oom_kills.run()),
            asyncio.create_task(self._usage.run()),
            asyncio.create_task(self._idleness.run()),
            asyncio.create_task(self._expire()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._activity.flush()
            await self._token_uses.flush()
            await self._oom_kills.flush()
            await self._usage.flush()
            self._proxy.pool.close()

    def close_tunnels(self) -> None:
        self._proxy.close_tunnels()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if _head_size(request) > MAX_HEAD:
            raise header_too_large(MAX_HEAD)
        if request.version not in _VERSIONS:
            raise bad_request("This version of HTTP is not served.")
        target = request.raw_path
        if target.partition("?")[0] == HEALTH_TARGET:
            return self._health()
        place = self._addresses.locate(request.headers.get(hdrs.HOST, ""), target)
        if place.within.startswith(OWN_PREFIX):
            return await self._answer(request, place)
        return await self._carry(request, place)

    async def _answer(self, request: web.BaseRequest, place: Place) -> web.StreamResponse:
        """What the gateway has at a session's address by itself."""
        path = place.within.partition("?")[0]
        if path == ENTER:
            return await self._entrance.enter(request, place)
        if path == LIMITS and request.method == hdrs.METH_GET:
            await self._admission.admit(request, place)
            return limits(self._config, await self._proxy.route(place.session_id))
        raise not_found()

    async def _carry(self, request: web.BaseRequest, place: Place) -> web.StreamResponse:
        admitted = await self._admission.admit(request, place)
        held, place = admitted.access, admitted.place
        transport = request.transport
        assert transport is not None, "aiohttp cancels the handler of a client that is gone"
        transfer = self._transfers.begin(
            place.session_id,
            transport,
            method=request.method,
            within=place.within,
            websocket=is_websocket(request),
        )
        exchange = Exchange(
            proxy=self._proxy,
            request=request,
            transport=transport,
            place=place,
            heard=lambda opening: self._hear(place, opening),
            transfer=transfer,
        )
        # Nothing was awaited since admission, so a revocation from here on finds it.
        held.open.add(exchange)
        if is_use(request.method, place.within, navigation=wants_page(request)):
            self._activity.stamp(place.session_id)
        try:
            return cast("web.StreamResponse", await exchange.carry())
        finally:
            held.open.discard(exchange)
            self._transfers.end(transfer)

    def _hear(self, place: Place, opening: bytes) -> None:
        if is_act(place.within, opening):
            self._activity.stamp(place.session_id)

    def _health(self) -> web.Response:
        healthy = self._authorization.healthy
        return web.json_response(
            {"status": "ok" if healthy else "unavailable"},
            status=HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE,
            headers=own_headers(),
        )

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            self._proxy.pool.expire()


class _Head:
    """The head of one request while it comes."""

    __slots__ = ("_bytes", "_last", "_line", "is_refused", "is_too_large")

    def __init__(self) -> None:
        self._line = RequestLine()
        self._bytes = 0
        self._last = b""
        self.is_too_large = False
        self.is_refused = False

    def take(self, data: bytes) -> bytes:
        """Take the next bytes; return them as the parser takes them."""
        data = self._line.encode(data)
        self._bytes += len(data)
        if self._bytes > MAX_HEAD and _END not in self._last + data:
            self.is_too_large = True
        self._last = data[1 - len(_END) :]
        return data


class _ClientProtocol(web.RequestHandler):
    """aiohttp's, but what cannot be parsed or fails gets the gateway's own answer."""

    __slots__ = ("_head", "_head_of")

    _head: _Head

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_of = -1

    def data_received(self, data: bytes) -> None:
        if self._awaits_request():
            if self._head_of != self._request_count:
                self._head_of = self._request_count
                self._head = _Head()
            data = self._head.take(data)
            if self._head.is_too_large:
                self._refuse_head()
                return
        super().data_received(data)

    def _awaits_request(self) -> bool:
        """Whether what comes next is a request's head: all before it are answered, and read to
        their ends.
        """
        return self._request_count == 0 or (self._waiter is not None and not self._waiter.done())

    def _refuse_head(self) -> None:
        """Answer a head that does not end; what still comes of it is read and thrown away, as to
        close at once would reset the connection before the client reads the answer.
        """
        if self.transport is None or self.transport.is_closing() or self._head.is_refused:
            return
        self._head.is_refused = True
        self.transport.write(raw_answer(header_too_large(MAX_HEAD)))
        self.transport.write_eof()
        self._loop.call_later(LINGER_SECONDS, self.force_close)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("The response has begun.")
        if _is_too_large(exc):
            refusal = header_too_large(MAX_HEAD)
        elif status == HTTPStatus.BAD_REQUEST:
            refusal = bad_request("This is not a valid HTTP request.")
        else:
            logger.error("A request failed", exc_info=exc)
            refusal = Refusal(
                status=HTTPStatus.INTERNAL_SERVER_ERROR,
                code="internal",
                title="Something went wrong",
                message="The gateway failed. The error has been logged.",
            )
        response = answer(refusal, page=False)
        response.force_close()
        return response


def _is_too_large(error: BaseException | None) -> bool:
    """Whether this is the parser's word for a header that is too large."""
    # It has no class of its own for too many fields.
    return isinstance(error, LineTooLong) or (
        isinstance(error, BadHttpMessage) and error.message.startswith("Too many headers")
    )


def _head_size(request: web.BaseRequest) -> int:
    return len(request.raw_path) + sum(
        len(name) + len(value) for name, value in request.raw_headers
    )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _ClientProtocol(self, loop=self._loop, **self._kwargs)


def run(authority: Authority, config: GatewayConfig, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT."""

    async def until_signalled() -> None:
        serving = asyncio.create_task(serve(authority, config, sockets))
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, serving.cancel)
        await asyncio.wait([serving])
        if not serving.cancelled():
            serving.result()

    uvloop.run(until_signalled())


async def serve(
    authority: Authority,
    config: GatewayConfig,
    sockets: Sequence[socket.socket],
) -> None:
    """Serve on these bound sockets until cancelled."""
    gateway = Gateway(authority, config)
    options: dict[str, Any] = {
        "access_log": None,
        "auto_decompress": False,
        "keepalive_timeout": KEEP_ALIVE_SECONDS,
        "lingering_time": LINGER_SECONDS,
        "logger": logger,
        "max_field_size": MAX_HEAD,
        "max_line_size": MAX_HEAD,
        "read_bufsize": READ_BYTES,
    }
    server = _Server(gateway.handle, handler_cancellation=True, **options)
    loop = asyncio.get_running_loop()
    async with gateway.running():
        listeners = [await loop.create_server(server, sock=each, backlog=1024) for each in sockets]
        logger.info("The gateway serves %s", config.gateway_url)
        try:
            await loop.create_future()
        finally:
            for listener in listeners:
                listener.close()
            server.pre_shutdown()
            gateway.close_tunnels()
            await server.shutdown(SHUTDOWN_SECONDS)
