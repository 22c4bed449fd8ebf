import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from uuid import uuid4

import aiohttp
import pytest

from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import PAGES, Running, Upstream, serving

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def instead(gateway: Running, handle: Server) -> AsyncIterator[None]:
    """Another server, written byte by byte, in the place of the session's."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway.authority.change(gateway.session_id, address=f"http://127.0.0.1:{port}", run_id=uuid4())
    async with server:
        yield


def saying(answer: bytes) -> Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handle


@pytest.mark.parametrize(
    "within",
    ["", "api?x=1&y=%20+", "files/a%2Fb%20c.ipynb", "files/%C3%A9", "a//b", "a/../b", "%25", "?"],
)
async def test_path_reaches_the_session_as_it_was_written(gateway: Running, within: str) -> None:
    request = f"GET {gateway.base}{within} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
    request += "Cookie: submarine-ticket=adas\r\nConnection: close\r\n\r\n"
    assert (await gateway.raw(request.encode())).startswith(b"HTTP/1.1 200 ")
    assert gateway.upstream.seen[0].target == gateway.base + within


async def test_session_sees_its_own_token_and_who_asks(gateway: Running) -> None:
    async with gateway.fetch(
        "api", headers=gateway.ticket | {"X-Forwarded-For": "9.9.9.9", "Authorization": "Basic x"}
    ) as response:
        assert response.status == 200
    (seen,) = gateway.upstream.seen
    assert seen.header("Authorization") == "token the-run's-token"
    assert seen.header("X-Forwarded-For") == "127.0.0.1"
    assert seen.header("X-Forwarded-Proto") == "http"
    assert seen.header("Host") == f"127.0.0.1:{gateway.port}"
    assert seen.header("Cookie") is None


async def test_response_carries_what_protects_the_session(gateway: Running) -> None:
    gateway.upstream.extra_headers = [
        ("Set-Cookie", "sessionid=evil; Path=/"),
        ("Set-Cookie", "_xsrf=1; Path=/"),
        ("X-Own", "kept"),
    ]
    async with gateway.fetch("api") as response:
        assert response.headers["X-Own"] == "kept"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'self'"
        assert response.headers.getall("Set-Cookie") == [f"_xsrf=1; Path={gateway.base}"]


@pytest.mark.parametrize("subdomain", ["hex", "uuid"])
async def test_session_has_its_own_host_with_subdomains(
    authority: MemoryAuthority, upstream: Upstream, subdomain: str
) -> None:
    async with serving(
        authority, upstream, gateway_url="http://localhost:8001", subdomains=True
    ) as gateway:
        label = gateway.session_id.hex if subdomain == "hex" else str(gateway.session_id)
        url = f"http://127.0.0.1:{gateway.port}/lab/api?x"
        headers = {"Host": f"{label}.localhost:8001", "Origin": f"http://{label}.localhost:8001"}
        async with gateway.client.post(url, headers=gateway.ticket | headers) as response:
            assert response.status == 200
        async with gateway.client.post(
            url, headers=gateway.ticket | headers | {"Origin": f"http://{uuid4()}.localhost:8001"}
        ) as response:
            assert response.status == 403
    assert [each.target for each in upstream.seen] == ["/lab/api?x"]


async def test_body_of_known_length_arrives_whole(gateway: Running) -> None:
    async with gateway.fetch(
        "api", method="PUT", headers=gateway.own, data=BytesIO(bytes(3_000_000))
    ) as response:
        assert await response.text() == "seen 3000000"
    assert gateway.upstream.seen[0].header("Content-Length") == "3000000"


async def test_body_of_unknown_length_arrives_whole(gateway: Running) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 40_000

    async with gateway.fetch("api", method="POST", headers=gateway.own, data=blocks()) as response:
        assert await response.text() == "seen 2000000"
    assert gateway.upstream.seen[0].header("Transfer-Encoding") == "chunked"


async def test_empty_body_is_announced_as_such(gateway: Running) -> None:
    async with gateway.fetch("api", method="POST", headers=gateway.own) as response:
        assert await response.text() == "seen 0"
    assert gateway.upstream.seen[0].header("Content-Length") == "0"


async def test_compressed_body_is_not_touched(gateway: Running) -> None:
    body = gzip.compress(b"x" * 100_000)
    async with gateway.fetch(
        "api", method="POST", headers=gateway.own | {"Content-Encoding": "gzip"}, data=body
    ) as response:
        assert await response.text() == f"seen {len(body)}"


async def test_compressed_response_is_not_touched(gateway: Running) -> None:
    body = gzip.compress(b"x" * 100_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    async with (
        instead(gateway, saying(answer % (len(body), body))),
        gateway.fetch("api") as response,
    ):
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.read() == body


async def test_download_arrives_whole(gateway: Running) -> None:
    async with gateway.fetch("bytes-5000000") as response:
        assert response.headers["Content-Length"] == "5000000"
        assert len(await response.read()) == 5_000_000


async def test_pieces_arrive_as_they_are_sent(gateway: Running) -> None:
    async with gateway.fetch("chunks") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert await response.content.readany() == b"first"
        gateway.upstream.go_on.set()
        assert await response.content.read() == b"second"


async def test_response_that_ends_with_its_connection_arrives_whole(gateway: Running) -> None:
    async with (
        instead(gateway, saying(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000)),
        gateway.fetch("api") as response,
    ):
        assert len(await response.read()) == 100_000


async def test_response_that_breaks_off_is_seen_to_break_off(gateway: Running) -> None:
    async with (
        instead(gateway, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")),
        gateway.fetch("api") as response,
    ):
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
async def test_response_without_a_body_leaves_the_connection_usable(
    gateway: Running, status: int, method: str
) -> None:
    for _ in range(3):
        async with gateway.fetch(f"status-{status}", method=method) as response:
            assert response.status == status
            assert await response.read() == b""
    async with gateway.fetch("api") as response:
        assert await response.text() == "seen 0"


async def test_head_tells_the_length(gateway: Running) -> None:
    async with gateway.fetch("bytes-1234", method="HEAD") as response:
        assert response.headers["Content-Length"] == "1234"


async def test_range_and_conditions_pass(gateway: Running) -> None:
    asked = {"Range": "bytes=5-9", "If-None-Match": '"x"', "If-Range": '"y"'}
    answer = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/100\r\n"
        b'ETag: "z"\r\nContent-Length: 5\r\n\r\nabcde'
    )
    async with gateway.fetch("api", headers=gateway.ticket | asked):
        pass
    for name, value in asked.items():
        assert gateway.upstream.seen[0].header(name) == value
    async with instead(gateway, saying(answer)):
        await asyncio.sleep(0.6)
        async with gateway.fetch("api") as response:
            assert response.status == 206
            assert response.headers["Content-Range"] == "bytes 5-9/100"
            assert response.headers["ETag"] == '"z"'
            assert await response.read() == b"abcde"


async def test_client_is_told_to_go_on_only_once_admitted(gateway: Running) -> None:
    head = (
        f"PUT {gateway.base}api HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        f"Content-Length: 4\r\nExpect: 100-continue\r\nOrigin: {gateway.origin}\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"{head}Cookie: submarine-ticket=adas\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    assert (await gateway.raw(f"{head}\r\n".encode())).startswith(b"HTTP/1.1 401 ")


async def test_client_that_goes_away_ends_the_request_upstream(gateway: Running) -> None:
    request = asyncio.create_task(gateway.client.get(gateway.url("wait"), headers=gateway.ticket))
    async with asyncio.timeout(5):
        await gateway.upstream.arrived.wait()
        request.cancel()
        await gateway.upstream.cancelled.wait()


async def test_client_that_goes_away_while_sending_ends_the_request_upstream(
    gateway: Running,
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        f"PUT {gateway.base}api HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        f"Content-Length: 1000\r\nOrigin: {gateway.origin}\r\n"
        "Cookie: submarine-ticket=adas\r\n\r\nhalf".encode()
    )
    await asyncio.sleep(0.1)
    writer.close()
    async with asyncio.timeout(5):
        await gateway.upstream.cancelled.wait()


async def test_early_answer_reaches_a_client_that_still_sends(gateway: Running) -> None:
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    async with instead(gateway, saying(answer)):
        head = (
            f"PUT {gateway.base}api HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
            f"Content-Length: 1000000000\r\nOrigin: {gateway.origin}\r\n"
            "Cookie: submarine-ticket=adas\r\n\r\n"
        )
        got = await gateway.raw(head.encode() + b"x" * 1000)
    assert got.startswith(b"HTTP/1.1 413 Too Large\r\n")
    assert b"Connection: close\r\n" in got
    assert got.endswith(b"\r\n\r\nno")


async def test_slow_upload_is_not_gathered_in_memory(gateway: Running) -> None:
    sent = 0

    async def blocks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(400):
            sent += 2**18
            yield bytes(2**18)

    request = asyncio.create_task(
        gateway.client.post(gateway.url("unread"), headers=gateway.own, data=blocks())
    )
    await asyncio.sleep(0.7)
    assert sent < 32 * 2**20
    gateway.upstream.go_on.set()
    async with await request as response:
        assert await response.text() == f"seen {400 * 2**18}"


async def test_slow_reader_does_not_block_others(gateway: Running) -> None:
    async with gateway.fetch("bytes-200000000"):
        async with asyncio.timeout(2):
            for _ in range(20):
                async with gateway.fetch("api") as response:
                    assert response.status == 200


async def test_server_that_is_away_is_said_to_be_away(gateway: Running) -> None:
    gateway.authority.change(gateway.session_id, address="unix:/nowhere")
    async with gateway.fetch("api") as response:
        assert response.status == 502
        assert (await response.json())["code"] == "no_answer"
    async with gateway.fetch("lab", headers=gateway.ticket | {"Accept": "text/html"}) as response:
        assert response.status == 502
        page = await response.text()
    assert "The server does not answer" in page
    assert f'href="{PAGES}/sessions/{gateway.session_id}"' in page


async def test_server_that_has_moved_is_found_by_a_fresh_look(gateway: Running) -> None:
    address = gateway.upstream.address
    gateway.authority.change(gateway.session_id, address="unix:/nowhere")
    async with gateway.fetch("api") as response:
        assert response.status == 502
    gateway.authority.change(gateway.session_id, address=address, run_id=uuid4())
    async with gateway.fetch("api") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2_000_000,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw",
    ],
)
async def test_server_that_does_not_speak_http_does_not_answer(
    gateway: Running, answer: bytes
) -> None:
    async with (
        instead(gateway, saying(answer)),
        gateway.fetch("api", method="POST", headers=gateway.own) as response,
    ):
        assert response.status == 502


async def test_response_that_was_not_asked_for_reaches_nobody(gateway: Running) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    async with instead(gateway, saying(answer + b"ok" + answer + b"no")):
        for _ in range(3):
            async with gateway.fetch("api") as response:
                assert await response.text() == "ok"


async def test_interim_responses_are_passed_over(gateway: Running) -> None:
    answer = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    async with instead(gateway, saying(answer)), gateway.fetch("api") as response:
        assert "Link" not in response.headers
        assert await response.text() == "ok"


@pytest.mark.parametrize(
    "answer",
    [
        (
            b"HTTP/1.1 103 Early Hints\r\nX-Accel-Redirect: /protected/x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        ),
        b"HTTP/1.1 200 OK\r\nX-Sendfile: /etc/passwd\r\nContent-Length: 2\r\n\r\nok",
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Accel-Redirect\r\n\r\n"
            b"2\r\nok\r\n0\r\nX-Accel-Redirect: /protected/x\r\n\r\n"
        ),
    ],
    ids=["interim", "head", "trailer"],
)
async def test_no_part_of_a_response_commands_the_proxy_in_front(
    gateway: Running, answer: bytes
) -> None:
    head = (
        f"GET {gateway.base}api HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        "Cookie: submarine-ticket=adas\r\nConnection: close\r\n\r\n"
    )
    async with instead(gateway, saying(answer)):
        got = (await gateway.raw(head.encode())).lower()
    assert got.startswith(b"http/1.1 200 ok\r\n")
    assert b"ok" in got.partition(b"\r\n\r\n")[2]
    assert b"x-accel" not in got
    assert b"x-sendfile" not in got
    assert b"trailer" not in got


@pytest.mark.parametrize(
    "line", [b"X-Accel-Redirect : /x", b"X: a\r\n X-Accel-Redirect: /x", b"X: a\rX-Sendfile: /x"]
)
async def test_header_that_others_may_read_differently_ends_the_response(
    gateway: Running, line: bytes
) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Length: 2\r\n\r\nok"
    async with instead(gateway, saying(answer)), gateway.fetch("api") as response:
        assert response.status == 502


async def closing_after_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request; reads a second one and closes, as when both happen at once."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_request_lost_with_an_idle_connection_is_repeated(
    gateway: Running, method: str
) -> None:
    async with instead(gateway, closing_after_one):
        for each in ("GET", method):
            async with gateway.fetch("api", method=each, headers=gateway.own) as response:
                assert response.status == 200


async def test_request_that_must_not_be_repeated_gets_a_connection_of_its_own(
    gateway: Running,
) -> None:
    async with instead(gateway, closing_after_one):
        for _ in range(3):
            async with gateway.fetch("api", method="POST", headers=gateway.own) as response:
                assert await response.text() == "ok"


async def test_connection_to_the_session_is_kept(gateway: Running) -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with instead(gateway, count):
        for _ in range(5):
            async with gateway.fetch("api") as response:
                assert await response.text() == "ok"
    assert connections == 1


async def test_requests_are_logged_without_query_and_secrets(
    gateway: Running, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    gateway.authority.add_token(gateway.session_id, "api-s3cret")
    with caplog.at_level("DEBUG"), caplog.at_level("INFO", "notebooks.gateway.access"):
        async with gateway.fetch("_submarine/enter?code=c0de", headers={}):
            pass
        async with gateway.fetch("api?token=s3cret"):
            pass
        async with gateway.fetch("api", headers={"Authorization": "token api-s3cret"}):
            pass
    ours = [each for each in caplog.messages if gateway.base in each]
    assert f"GET {gateway.base}api 200" in ours[1]
    text = "\n".join(caplog.messages)
    for secret in ("c0de", "s3cret", "adas", "the-run's-token"):
        assert secret not in text
