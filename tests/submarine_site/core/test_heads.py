"""Heads that are larger than anybody's, as the one who sends them sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from submarine_site.core import heads
from submarine_site.core.heads import MOST_BYTES, BoundedHeads

REFUSED = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
PIECE = b"x" * 1024


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the length of the body, or with the raw address where that is asked for."""
    length, more = 0, True
    while more:
        event = await receive()
        length += len(event.get("body", b""))
        more = event.get("more_body", False)
    body = str(length).encode()
    if (b"x-echo", b"address") in scope["headers"]:
        body = scope["raw_path"] + b"?" * bool(scope["query_string"]) + scope["query_string"]
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> bytes:
        """The body of the next answer."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return await self._reader.readexactly(length)

    async def rest(self) -> bytes:
        """All that is said until the server ends it."""
        return await asyncio.wait_for(self._reader.read(), 5)

    async def send_without_end(self) -> bytes:
        """Go on until the server ends it; what it said."""
        said = asyncio.create_task(self._reader.read())
        sent = 0
        while not said.done() and sent < 2 * MOST_BYTES:
            await self.send(PIECE)
            sent += len(PIECE)
        return await asyncio.wait_for(said, 5)


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    config = Config(echo, lifespan="off", log_level="critical")
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHeads(config, ServerState(), {}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield Connection(reader, writer)
        writer.close()


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\nCookie: ",
        b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: ",
    ],
    ids=["address", "name", "value", "trailer"],
)
async def test_what_does_not_end_is_refused(connection: Connection, begun: bytes) -> None:
    await connection.send(begun)

    said = await connection.send_without_end()

    assert REFUSED in said
    assert json.loads(said.rpartition(b"\r\n\r\n")[2]) == {
        "code": "header_too_large",
        "message": (
            "The header of this request has more than 64 KiB or too many fields. "
            "If a browser sent it, delete the cookies of this site there and try again."
        ),
    }


@pytest.mark.parametrize(
    "head",
    [
        b"GET /%b HTTP/1.1\r\nHost: here\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\nCookie: %b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\n%b: x\r\n\r\n",
    ],
    ids=["address", "value", "name"],
)
async def test_a_head_that_comes_at_once_has_the_same_bound(
    connection: Connection, head: bytes
) -> None:
    await connection.send(head % (b"x" * MOST_BYTES))

    said = await connection.rest()

    assert said.startswith(REFUSED)
    assert said.count(b"HTTP/1.1") == 1


async def test_submarines_clients_are_told_in_the_form_that_they_know(
    connection: Connection,
) -> None:
    head = b"GET /api/v1/notebook HTTP/1.1\r\nHost: here\r\nCookie: %b\r\n\r\n"
    await connection.send(head % (b"x" * MOST_BYTES))

    said = await connection.rest()

    body = json.loads(said.rpartition(b"\r\n\r\n")[2])
    assert (body["code"], body["success"]) == (431, False)


@pytest.mark.parametrize(
    ("line", "echoed"),
    [
        ("GET /größe?q=ünï HTTP/1.1".encode(), b"/gr%C3%B6%C3%9Fe?q=%C3%BCn%C3%AF"),
        (b"GET /\xff%41 HTTP/1.1", b"/%FF%41"),
    ],
)
async def test_an_address_that_is_not_ascii_is_encoded(
    connection: Connection, line: bytes, echoed: bytes
) -> None:
    request = line + b"\r\nHost: here\r\nContent-Length: 2\r\nX-Echo: address\r\n\r\n\xff\xfe"
    for _ in range(2):
        for cut in (0, 1, 6, 7, len(line) + 1):
            await connection.send(request[:cut])
            await asyncio.sleep(0)
            await connection.send(request[cut:])
            assert await connection.answer() == echoed


@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\t", b"\x7f", b"\r"])
async def test_control_characters_in_an_address_are_refused(
    connection: Connection, byte: bytes
) -> None:
    await connection.send(b"GET /\xc3\xbc" + byte + b" HTTP/1.1\r\nHost: here\r\n\r\n")

    assert (await connection.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_large_head_is_taken(connection: Connection) -> None:
    cookie = b"x" * (MOST_BYTES - 1024)

    await connection.send(b"GET / HTTP/1.1\r\nHost: here\r\nCookie: " + cookie + b"\r\n\r\n")

    assert await connection.answer() == b"0"


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400_000,
        b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\nx\r\n" * 400_000
        + b"0\r\n\r\n",
    ],
    ids=["whole", "in parts"],
)
async def test_a_body_is_no_head(connection: Connection, request_: bytes) -> None:
    for _ in range(2):
        await connection.send(request_)

        assert await connection.answer() == b"400000"


async def test_each_request_has_a_head_of_its_own(connection: Connection) -> None:
    request = b"GET / HTTP/1.1\r\nHost: here\r\nCookie: " + b"x" * 1024 + b"\r\n\r\n"

    for _ in range(3 * MOST_BYTES // len(request)):
        await connection.send(request)
        assert await connection.answer() == b"0"


@pytest.fixture
def short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.01)


@pytest.mark.usefixtures("short_time")
async def test_a_connection_without_a_request_is_given_up(connection: Connection) -> None:
    assert await connection.rest() == b""


BEGUN = b"GET / HTTP/1.1\r\nHost: h"


@pytest.mark.parametrize("begun", [b"\r\n", BEGUN])
async def test_a_head_that_does_not_go_on_is_given_up(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    await connection.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    assert await connection.answer() == b"0"
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.01)
    await connection.send(begun)

    assert await connection.rest() == b""


async def test_a_response_is_not_cut_by_what_comes_after_its_request(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.01)
    await connection.send(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nx")
    # Many times as long as a head may take.
    await asyncio.sleep(0.1)
    await connection.send(b"x\r\n")

    assert await connection.answer() == b"2"
