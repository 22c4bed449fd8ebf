"""A client with as little of its own as can be: raw sockets, one request after another."""

import socket
import statistics
import time
from dataclasses import dataclass

_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds."""

    p50: float
    p95: float


def latency(port: int, request: bytes, *, count: int, pause: float) -> Latency:
    """Time `count` requests on one connection, with a pause before each."""
    times = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            time.sleep(pause)  # noqa: TID251 - low load is what is measured
            started = time.perf_counter()
            connection.sendall(request)
            _, length, body = _head(connection)
            while len(body) < length:
                body += connection.recv(_BLOCK)
            times.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(times, n=100)
    return Latency(p50=cuts[49], p95=cuts[94])


def download(port: int, request: bytes) -> float:
    """Read one response and forget it: MiB per second."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        started = time.perf_counter()
        connection.sendall(request)
        _, length, body = _head(connection)
        left = length - len(body)
        buffer = bytearray(_BLOCK)
        while left:
            received = connection.recv_into(buffer)
            assert received, "the download was cut"
            left -= received
        return length / (time.perf_counter() - started) / 2**20


def upload(port: int, request: bytes, size: int) -> float:
    """Send a body of zeros: MiB per second until it is answered."""
    block = bytes(_BLOCK)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        started = time.perf_counter()
        connection.sendall(request)
        for _ in range(size // _BLOCK):
            connection.sendall(block)
        status, _, _ = _head(connection)
        assert status == 200
        return size / (time.perf_counter() - started) / 2**20


def _head(connection: socket.socket) -> tuple[int, int, bytes]:
    """The status, the length and what has come of the body."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(_BLOCK)
        assert received, "the connection was closed"
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    lengths = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
    return int(lines[0].split()[1]), lengths[0], body
