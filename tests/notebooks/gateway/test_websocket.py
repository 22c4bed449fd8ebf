import asyncio
import os
import struct

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notebooks.gateway.websocket import Frames
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Running, Upstream, serving

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def frame(first: int, size: int, *, masked: bool = True) -> bytes:
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((first, mask_bit | size))
    elif size < 2**16:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    return head + (b"mask" if masked else b"") + bytes(size)


async def test_messages_pass_both_ways(gateway: Running) -> None:
    async with gateway.connect() as ws:
        await ws.send_str("text")
        await ws.send_bytes(b"\x00\xff")
        assert await ws.receive_str() == "text"
        assert await ws.receive_bytes() == b"\x00\xff"


async def test_session_sees_the_upgrade_and_no_credentials(gateway: Running) -> None:
    async with gateway.connect(compress=15) as ws:
        assert ws.compress == 0
    (seen,) = gateway.upstream.seen
    assert seen.header("Upgrade") == "websocket"
    assert seen.header("Connection") == "Upgrade"
    assert seen.header("Sec-WebSocket-Extensions") is None
    assert seen.header("Authorization") == "token the-run's-token"
    assert seen.header("Origin") == gateway.origin
    assert seen.header("Host") == gateway.origin.removeprefix("http://")
    assert seen.header("Cookie") is None


async def test_subprotocol_is_agreed_with_the_session(gateway: Running) -> None:
    protocols = ["v2.unknown", "v1.kernel.websocket.jupyter.org"]
    async with gateway.connect(protocols=protocols) as ws:
        assert ws.protocol == "v1.kernel.websocket.jupyter.org"


async def test_large_message_passes_whole(gateway: Running) -> None:
    message = os.urandom(2**20) * 32
    async with gateway.connect() as ws:
        await ws.send_bytes(message)
        assert await ws.receive_bytes(timeout=15) == message


async def test_pings_are_answered_by_the_session(gateway: Running) -> None:
    async with gateway.connect(autoping=False) as ws:
        await ws.ping(b"there?")
        message = await ws.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"there?")


async def test_close_code_of_the_session_reaches_the_client(gateway: Running) -> None:
    async with gateway.connect() as ws:
        await ws.send_str("close 4001")
        message = await ws.receive(timeout=5)
        assert (message.data, message.extra) == (4001, "as asked")


async def test_close_code_of_the_client_reaches_the_session(gateway: Running) -> None:
    async with gateway.connect() as ws:
        await ws.close(code=4002)
    async with asyncio.timeout(5):
        await gateway.upstream.closed.wait()
    assert gateway.upstream.close_code == 4002


async def test_client_that_vanishes_is_seen_by_the_session(gateway: Running) -> None:
    ws = await gateway.connect()
    ws._response.connection.transport.abort()  # type: ignore[union-attr]
    async with asyncio.timeout(5):
        await gateway.upstream.cancelled.wait()


async def test_bytes_sent_along_with_the_upgrade_are_not_lost(gateway: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        f"GET {gateway.base}ws HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        f"Origin: {gateway.origin}\r\nCookie: submarine-ticket=adas\r\n"
        "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        + bytes((TEXT, 0x82, 0, 0, 0, 0))
        + b"hi"
    )
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert await reader.readexactly(4) == bytes((TEXT, 2)) + b"hi"
    writer.close()


async def test_session_that_declines_the_upgrade_is_heard(gateway: Running) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await gateway.connect("status-404")
    assert refusal.value.status == 404


async def test_accepted_upgrade_does_not_command_the_proxy_in_front(gateway: Running) -> None:
    gateway.upstream.extra_headers = [("X-Accel-Redirect", "/protected/x"), ("X-Own", "kept")]
    async with gateway.connect() as ws:
        assert ws._response.headers["X-Own"] == "kept"
        assert "X-Accel-Redirect" not in ws._response.headers


async def test_upgrade_with_a_body_is_refused(gateway: Running) -> None:
    headers = gateway.own | {"Connection": "Upgrade", "Upgrade": "websocket"}
    async with gateway.fetch("ws", headers=headers, data=b"body") as response:
        assert response.status == 400


async def test_upgrade_to_another_protocol_is_an_ordinary_request(gateway: Running) -> None:
    headers = gateway.own | {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"}
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 200
    assert gateway.upstream.seen[0].header("Upgrade") is None


async def test_slow_reader_holds_up_only_its_own_sender(gateway: Running) -> None:
    async with gateway.connect() as slow, gateway.connect() as quick:
        sending = asyncio.create_task(slow.send_bytes(bytes(64 * 2**20)))
        async with asyncio.timeout(5):
            for _ in range(20):
                await quick.send_str("quick")
                assert await quick.receive_str() == "quick"
        assert len(await slow.receive_bytes(timeout=10)) == 64 * 2**20
        await sending


async def test_gateway_says_that_it_goes_away(
    authority: MemoryAuthority, upstream: Upstream
) -> None:
    async with serving(authority, upstream) as gateway:
        ws = await gateway.connect()
        await ws.send_str("here")
        assert await ws.receive_str() == "here"
        last = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        gateway.stop()
        message = await last
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0x01, 0x00, TEXT, BINARY, PING, PONG]),
        st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(FRAMES, st.lists(st.integers(1, 5000), min_size=1, max_size=5))
def test_frames_are_followed_however_they_are_cut(
    described: list[tuple[int, int, bool]], cuts: list[int]
) -> None:
    data = b"".join(frame(first, size, masked=masked) for first, size, masked in described)
    ends = set()
    end = 0
    for first, size, masked in described:
        end += len(frame(first, size, masked=masked))
        ends.add(end)
    frames, position, n = Frames(opening=100), 0, 0
    openings: list[bytes] = []
    while position < len(data):
        piece = data[position : position + cuts[n % len(cuts)]]
        openings += frames.feed(piece)
        position += len(piece)
        n += 1
        assert frames.between == (position in ends)
    # What is sent is the mask over itself, zeros, where it is masked.
    assert openings == [
        ((b"mask" * 25) if masked else bytes(100))[: min(size, 100)]
        for first, size, masked in described
        if first & 0x0F in {1, 2}
    ]
    assert not frames.closed


def test_close_frame_is_noticed() -> None:
    frames = Frames()
    assert frames.feed(frame(PING, 3) + frame(CLOSE, 2)) == []
    assert frames.closed
