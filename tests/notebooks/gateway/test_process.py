"""The gateway as a process of its own."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import aiohttp
import psutil
import pytest

from tests.notebooks.gateway.conftest import Upstream

SIZE = 256 * 2**20
GROWTH = 24 * 2**20


class Gateway:
    def __init__(self, process: Process, port: int, session_id: UUID) -> None:
        self.process = process
        self.origin = f"http://127.0.0.1:{port}"
        self.base = f"{self.origin}/session/{session_id}/"
        self.headers = {"Cookie": "submarine-ticket=benchmark", "Origin": self.origin}


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[Gateway]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    session_id = uuid4()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.gateway.gateway"),
        *(str(port), upstream.address, str(session_id)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield Gateway(process, port, session_id)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def growth(pid: int, work: Callable[[], Awaitable[None]]) -> int:
    """By how many bytes a process is larger than before, at the most, while this is done."""
    process = psutil.Process(pid)
    before = peak = process.memory_info().rss
    working = asyncio.ensure_future(work())
    while not working.done():
        await asyncio.wait([working], timeout=0.02)
        peak = max(peak, process.memory_info().rss)
    await working
    return peak - before


async def test_memory_is_flat_while_much_is_downloaded(gateway: Gateway) -> None:
    async def download() -> None:
        async with client.get(f"{gateway.base}bytes-{SIZE}", headers=gateway.headers) as response:
            await asyncio.sleep(0.3)  # let whatever would fill up, fill up
            read = 0
            async for block in response.content.iter_any():
                read += len(block)
            assert read == SIZE

    async with aiohttp.ClientSession() as client:
        assert await growth(gateway.process.pid, download) < GROWTH


async def test_memory_is_flat_while_much_is_uploaded(gateway: Gateway) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(SIZE // 2**18):
            yield bytes(2**18)

    async def upload() -> None:
        async with client.put(
            f"{gateway.base}api", headers=gateway.headers, data=blocks()
        ) as response:
            assert await response.text() == f"seen {SIZE}"

    async with aiohttp.ClientSession() as client:
        assert await growth(gateway.process.pid, upload) < GROWTH


async def test_request_in_flight_is_finished_before_the_end(
    gateway: Gateway, upstream: Upstream
) -> None:
    async with aiohttp.ClientSession() as client:
        request = asyncio.create_task(client.get(f"{gateway.base}wait", headers=gateway.headers))
        async with asyncio.timeout(5):
            await upstream.arrived.wait()
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.1)
            with pytest.raises(aiohttp.ClientConnectionError):
                await client.get(gateway.origin)
            upstream.go_on.set()
            async with await request as response:
                assert await response.text() == "seen 0"
            assert await gateway.process.wait() == 0
