"""What no well-behaved client sends, through a raw socket."""

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


@pytest.mark.parametrize(
    "head",
    [
        "GET {base}api HTTP/1.1\r\nHost: h\r\nX: " + "x" * 100_000,
        "GET {base}api HTTP/1.1\r\nHost: h\r\n" + "x" * 100_000 + ": 1",
        "GET {base}" + "x" * 100_000,
    ],
)
async def test_oversized_header_is_refused(gateway: Running, head: str) -> None:
    answer = await gateway.raw(head.format(base=gateway.base).encode() + b"\r\n\r\n")
    assert statuses(answer) == [431]
    assert b"Traceback" not in answer


async def test_too_many_headers_are_refused(gateway: Running) -> None:
    headers = [f"X-{n}: 1" for n in range(1000)]
    assert statuses(await gateway.raw(request(gateway, "", *headers))) == [400]


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
