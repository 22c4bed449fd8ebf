"""A gateway on uvloop in front of a real HTTP server on a Unix socket, and a client for it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import uvloop
from aiohttp import web
from yarl import URL

from notebooks.gateway.app import serve
from notebooks.gateway.config import GatewayConfig
from tests.notebooks.gateway.authority import MemoryAuthority

PAGES = "http://pages.test:8000"


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@dataclass
class Seen:
    """One request as the upstream received it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body_size: int

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, values
        return values[0] if values else None


@dataclass
class Upstream:
    """Stands for a session's Jupyter server, and remembers what it was asked."""

    address: str
    seen: list[Seen] = field(default_factory=list)
    extra_headers: list[tuple[str, str]] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    close_code: int | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._handle(request)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        action, _, argument = request.path.rpartition("/")[2].partition("-")
        if action in {"ws", "channels"} or "/terminals/websocket/" in request.path:
            self._remember(request, 0)
            return await self._echo(request)
        if action == "unread":
            await self.go_on.wait()
        size = 0
        async for block in request.content.iter_any():
            size += len(block)
        self._remember(request, size)
        match action:
            case "bytes":
                return await self._bytes(request, int(argument))
            case "chunks":
                return await self._chunks(request)
            case "status":
                return web.Response(status=int(argument), headers=self._extra())
            case "wait":
                await self.go_on.wait()
            case _:
                pass
        return web.Response(text=f"seen {size}", headers=self._extra())

    def _remember(self, request: web.BaseRequest, size: int) -> None:
        headers = [(name.decode(), value.decode()) for name, value in request.raw_headers]
        self.seen.append(Seen(request.method, request.raw_path, headers, size))
        self.arrived.set()

    def _extra(self) -> "aiohttp.typedefs.LooseHeaders":
        return list(self.extra_headers)

    async def _bytes(self, request: web.BaseRequest, size: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(size)})
        await response.prepare(request)
        block = bytes(2**18)
        while size:
            await response.write(block[:size])
            size -= min(size, len(block))
        return response

    async def _chunks(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"first")
        await self.go_on.wait()
        await response.write(b"second")
        return response

    async def _echo(self, request: web.BaseRequest) -> web.StreamResponse:
        ws = web.WebSocketResponse(
            protocols=["v1.kernel.websocket.jupyter.org"], max_msg_size=0, compress=False
        )
        ws.headers.extend(self.extra_headers)
        await ws.prepare(request)
        async for message in ws:
            if message.type is aiohttp.WSMsgType.BINARY:
                await ws.send_bytes(message.data)
            elif message.data.startswith("close "):
                await ws.close(code=int(message.data[6:]), message=b"as asked")
            else:
                await ws.send_str(message.data)
        self.close_code = ws.close_code
        self.closed.set()
        return ws


@dataclass
class Running:
    """A gateway, and a client that sends paths as they are written."""

    config: GatewayConfig
    authority: MemoryAuthority
    upstream: Upstream
    session_id: UUID
    client: aiohttp.ClientSession
    port: int
    stop: Callable[[], bool]

    @property
    def origin(self) -> str:
        return self.config.gateway_url

    @property
    def base(self) -> str:
        return f"/session/{self.session_id}/"

    @property
    def ticket(self) -> dict[str, str]:
        return {"Cookie": f"{self.config.ticket_cookie}=adas"}

    @property
    def own(self) -> dict[str, str]:
        """Headers of a request that the session's own pages make."""
        return {**self.ticket, "Origin": self.origin}

    def url(self, within: str) -> URL:
        return URL(f"http://127.0.0.1:{self.port}{self.base}{within}", encoded=True)

    def fetch(
        self,
        within: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: object = None,
    ) -> "aiohttp.client._RequestContextManager":
        return self.client.request(
            method,
            self.url(within),
            headers=self.ticket if headers is None else headers,
            data=data,
            allow_redirects=False,
        )

    def connect(
        self, within: str = "ws", *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> "aiohttp.client._BaseRequestContextManager[aiohttp.ClientWebSocketResponse[bool]]":
        headers = self.own if headers is None else headers
        return self.client.ws_connect(self.url(within), headers=headers, max_msg_size=0, **options)

    async def raw(self, request: bytes) -> bytes:
        """All that is answered to these bytes until the connection is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    # pytest's own folders can have names too long for a socket.
    with TemporaryDirectory(prefix="gw") as folder:
        path = Path(folder) / "jupyter.sock"
        upstream = Upstream(f"unix:{path}")
        server = web.Server(
            upstream.handle,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_field_size=2**16,
        )
        listener = await asyncio.get_running_loop().create_unix_server(server, path)
        yield upstream
        upstream.go_on.set()
        listener.close()
        await server.shutdown(1)


@pytest.fixture
def authority() -> MemoryAuthority:
    return MemoryAuthority()


@asynccontextmanager
async def serving(
    authority: MemoryAuthority,
    upstream: Upstream,
    *,
    session_id: UUID | None = None,
    **changes: object,
) -> AsyncIterator[Running]:
    """A gateway with one running session, for which Ada's ticket is `adas`."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    options = {"gateway_url": f"http://127.0.0.1:{port}", "subdomains": False, **changes}
    config = GatewayConfig(pages_url=PAGES, **options)  # type: ignore[arg-type]
    session_id = authority.add_session(upstream.address, session_id=session_id)
    authority.add_ticket(session_id, "adas")
    task = asyncio.create_task(serve(authority, config, [listening]))
    client = aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=20),
    )
    try:
        async with client:
            yield Running(config, authority, upstream, session_id, client, port, task.cancel)
    finally:
        upstream.go_on.set()
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


@pytest.fixture
async def gateway(authority: MemoryAuthority, upstream: Upstream) -> AsyncIterator[Running]:
    async with serving(authority, upstream) as running:
        yield running
