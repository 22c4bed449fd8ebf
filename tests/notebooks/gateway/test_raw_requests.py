"""What no well-behaved client sends, through a raw socket."""

import asyncio
import re
from uuid import uuid4

import pytest

from tests.notebooks.gateway.conftest import Running


def request(gateway: Running, line: str = "", *headers: str, body: str = "") -> bytes:
    line = line or f"POST {gateway.base}api HTTP/1.1"
    lines = [
        line,
        f"Host: 127.0.0.1:{gateway.port}",
        f"Origin: {gateway.origin}",
        "Cookie: submarine-ticket=adas",
        "Connection: close",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def statuses(answer: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"HTTP/\d\.\d (\d{3})", answer)]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["Content-Length: 6", "Transfer-Encoding: chunked"], "0\r\n\r\nX"),
        (["Transfer-Encoding: chunked", "Content-Length: 6"], "0\r\n\r\nX"),
        (["Content-Length: 1", "Content-Length: 2"], "xx"),
        (["Content-Length: 1, 2"], "xx"),
        (["Content-Length: +1"], "x"),
        (["Content-Length: -1"], "x"),
        (["Content-Length: 0x1"], "x"),
        (["Content-Length: "], ""),
        (["Content-Length: 99999999999999999999999"], "x"),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], "0\r\n\r\n"),
        (["Transfer-Encoding: identity"], "x"),
        (["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"),
        (["Transfer-Encoding: chunked, chunked"], "0\r\n\r\n"),
        (["Transfer-Encoding: xchunked"], "0\r\n\r\n"),
        (["Transfer-Encoding : chunked"], "0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], "x\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], "-1\r\nx\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], "1;a=\nb\r\nx\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], "1\r\nxx\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], "fffffffffffffffff\r\nx\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], "1\nx\n0\n\n"),
        (["X: a\r\n folded"], ""),
        (["X\x00: a"], ""),
        (["X: a\x00b"], ""),
        (["X: a\rb"], ""),
        ([": nameless"], ""),
        (["no colon"], ""),
        (["Host: evil.test"], ""),
    ],
)
async def test_request_that_could_be_read_in_two_ways_is_refused(
    gateway: Running, headers: list[str], body: str
) -> None:
    answer = await gateway.raw(request(gateway, "", *headers, body=body))
    assert statuses(answer) == [400]
    assert b'{"code": "bad_request"' in answer
    assert b"Traceback" not in answer
    assert [seen for seen in gateway.upstream.seen if seen.body_size] == []


@pytest.mark.parametrize(
    "line",
    [
        "GET http://127.0.0.1:{port}{base}api HTTP/1.1",
        "GET https://evil.test{base}api HTTP/1.1",
        "GET {base}../{other}/api HTTP/1.1",
        "GET {base}%2e%2e/{other}/api HTTP/1.1",
        "GET {base}..%2f{other}/api HTTP/1.1",
        "GET {base}..%5c{other}/api HTTP/1.1",
        "GET {base}..\\{other}\\api HTTP/1.1",
        "GET {base}%252e%252e%252f{other}/api HTTP/1.1",
        "CONNECT 127.0.0.1:22 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET {base}a b HTTP/1.1",
        "GET {base}api",
        "GET {base}api HTTP/9.9",
        "get {base}api HTTP/1.1",
        "\x16\x03\x01",
    ],
)
async def test_target_that_is_not_a_path_in_the_session_is_refused(
    gateway: Running, line: str
) -> None:
    other = gateway.authority.add_session(gateway.upstream.address)
    line = line.format(base=gateway.base, port=gateway.port, other=other)
    answer = await gateway.raw(request(gateway, line))
    assert statuses(answer) == [400]
    assert gateway.upstream.seen == []


async def test_ticket_of_one_session_is_nothing_in_another(gateway: Running) -> None:
    other = gateway.authority.add_session(gateway.upstream.address)
    answer = await gateway.raw(request(gateway, f"GET /session/{other}/api HTTP/1.1"))
    assert statuses(answer) == [401]


@pytest.mark.parametrize("host", ["evil.test", "", "127.0.0.1", "127.0.0.1:1"])
async def test_foreign_host_is_misdirected(gateway: Running, host: str) -> None:
    line = f"GET {gateway.base}api HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert statuses(await gateway.raw(line.encode())) == [421]


async def test_missing_host_is_refused(gateway: Running) -> None:
    line = f"GET {gateway.base}api HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert statuses(await gateway.raw(line.encode())) == [400]


TOO_LARGE = (
    b'{"code": "header_too_large", "message": "The header of this request has more than 60 KiB or'
    b" too many fields. If a browser sent it, delete the cookies of this site there and try"
    b' again."}'
)


@pytest.mark.parametrize(
    "head",
    [
        "GET {base}api HTTP/1.1\r\nHost: h\r\nX: " + "x" * 100_000,
        "GET {base}api HTTP/1.1\r\nHost: h\r\n" + "x" * 100_000 + ": 1",
        "GET {base}" + "x" * 100_000,
        "GET {base}api HTTP/1.1\r\nHost: h\r\n" + "X: {x}\r\n" * 20 + "Y: 1",
        "GET {base}api HTTP/1.1\r\nHost: h\r\n" + "X: 1\r\n" * 1000 + "Y: 1",
    ],
    ids=["value", "name", "address", "many large", "many"],
)
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["whole", "without end"])
async def test_header_that_is_too_large_is_told_so(gateway: Running, head: str, end: bytes) -> None:
    head = head.format(base=gateway.base, x="x" * 10_000)
    answer = await gateway.raw(head.encode() + end)
    assert statuses(answer) == [431]
    assert answer.endswith(b"\r\n\r\n" + TOO_LARGE)
    assert b"Cache-Control: no-store\r\n" in answer
    assert gateway.upstream.seen == []


async def test_head_without_end_on_a_used_connection_is_refused(gateway: Running) -> None:
    first = request(gateway, f"GET {gateway.base}api HTTP/1.1").replace(
        b"Connection: close\r\n", b""
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    for _ in range(2):
        writer.write(first)
        assert b"200 OK" in await reader.readuntil(b"seen 0")
    writer.write(first.removesuffix(b"\r\n") + b"X: 1\r\n" * 11_000)
    async with asyncio.timeout(5):
        assert statuses(await reader.read()) == [431]
    writer.close()


async def test_head_that_comes_at_once_has_the_same_bound(gateway: Running) -> None:
    headers = [f"X-{n}: {'x' * 10_000}" for n in range(6)]
    assert statuses(await gateway.raw(request(gateway, "", *headers))) == [200]
    assert statuses(await gateway.raw(request(gateway, "", *headers, f"Y: {'x' * 2000}"))) == [431]


async def test_many_large_cookies_do_not_lock_a_browser_out(gateway: Running) -> None:
    planted = "; ".join(f"submarine-ticket={letter * 3900}" for letter in "abcdefghijklmno")
    answer = await gateway.raw(
        request(gateway, "", "Content-Length: 0").replace(
            b"Cookie: ", f"Cookie: {planted}; ".encode()
        )
    )
    assert statuses(answer) == [200]


async def read_of(gateway: Running, request: bytes, cut: int) -> list[int]:
    """The statuses of the answers to these bytes, sent in two pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request[:cut])
    await asyncio.sleep(0.01)
    writer.write(request[cut:])
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return statuses(answer)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("files/ünï.txt".encode(), "files/%C3%BCn%C3%AF.txt"),
        ("files/%C3%BCü".encode(), "files/%C3%BC%C3%BC"),
        (
            "files/日本/😀?q=é&x=%E9".encode(),
            "files/%E6%97%A5%E6%9C%AC/%F0%9F%98%80?q=%C3%A9&x=%E9",
        ),
        (b"files/\xfcn\xef.txt", "files/%FCn%EF.txt"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1, 4, 60, 61, 62, 70, 200])
async def test_path_that_is_not_ascii_reaches_the_session_encoded(
    gateway: Running, written: bytes, sent: str, cut: int
) -> None:
    line = request(gateway, f"GET {gateway.base}WITHIN HTTP/1.1").replace(b"WITHIN", written)
    assert await read_of(gateway, line, cut) == [200]
    assert gateway.upstream.seen[0].target == gateway.base + sent


async def test_path_that_is_not_ascii_follows_a_body_that_is_not(gateway: Running) -> None:
    base, body = gateway.base, "ünï".encode()
    first = request(gateway, f"PUT {base}api HTTP/1.1", "Content-Length: 5")
    first = first.replace(b"Connection: close\r\n", b"") + body
    second = request(gateway, f"GET {base}files/WITHIN HTTP/1.1").replace(b"WITHIN", body)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    for piece in (first[:-3], first[-3:]):
        writer.write(piece)
        await asyncio.sleep(0.01)
    assert await reader.readuntil(b"seen 5")
    writer.write(second)
    async with asyncio.timeout(5):
        assert statuses(await reader.read()) == [200]
    writer.close()
    assert [(seen.target, seen.body_size) for seen in gateway.upstream.seen] == [
        (f"{base}api", 5),
        (f"{base}files/%C3%BCn%C3%AF", 0),
    ]


@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\t", b"\x0b", b"\x7f", b"\r", b" "])
async def test_control_characters_are_refused_beside_what_is_not_ascii(
    gateway: Running, byte: bytes
) -> None:
    line = request(gateway, f"GET {gateway.base}WITHIN HTTP/1.1")
    answer = await gateway.raw(line.replace(b"WITHIN", "ü".encode() + byte + b"x"))
    assert statuses(answer) == [400]
    assert gateway.upstream.seen == []


@pytest.mark.parametrize("within", [b"\xc3\xbc/../../x", b"\xc3\xbc/%2e%2e/..%2fx", b"..\\\xff"])
async def test_path_that_is_not_ascii_does_not_lead_out_of_the_session(
    gateway: Running, within: bytes
) -> None:
    line = request(gateway, f"GET {gateway.base}WITHIN HTTP/1.1").replace(b"WITHIN", within)
    assert statuses(await gateway.raw(line)) == [400]
    assert gateway.upstream.seen == []


@pytest.mark.parametrize("line", [b"G\xcbT /x HTTP/1.1", b"GET /x HTTP/1.\xb1", b"\xff"])
async def test_only_the_address_may_be_other_than_ascii(gateway: Running, line: bytes) -> None:
    answer = await gateway.raw(line + b"\r\nHost: h\r\n\r\n")
    assert statuses(answer) == [400]


async def test_old_client_gets_an_answer_it_can_read(gateway: Running) -> None:
    gateway.upstream.go_on.set()
    answer = await gateway.raw(request(gateway, f"GET {gateway.base}chunks HTTP/1.0"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body == b"firstsecond"


async def test_pipelined_requests_are_answered_in_order(gateway: Running) -> None:
    first = request(gateway, f"GET {gateway.base}bytes-3 HTTP/1.1").replace(
        b"Connection: close\r\n", b""
    )
    second = request(gateway, f"GET {gateway.base}{uuid4()} HTTP/1.1")
    answer = await gateway.raw(first + second)
    assert statuses(answer) == [200, 200]
    assert gateway.upstream.seen[0].target.endswith("bytes-3")


async def test_refused_body_is_not_read_to_its_end(gateway: Running) -> None:
    head = (
        f"POST /session/{uuid4()}/api HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        "Content-Length: 10000000000\r\n\r\n"
    )
    assert statuses(await gateway.raw(head.encode() + b"x" * 1000)) == [401]
