"""A server of Git LFS that sends a byte now and then, for longer than there is time."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from notebooks.backends.fetcher.addresses import Networks
from notebooks.backends.fetcher.lfs import Connections
from notebooks.backends.fetcher.relay import Relay
from tests.authority import certificates

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"
DRIPS = 2000
SECONDS_APART = 0.01
SECONDS = 1
"""For the whole of it; the drips take twenty times that."""


@dataclass
class Dripping:
    """`slow` is what drips: the handshake, the head or the body."""

    slow: str
    context: ssl.SSLContext
    sent: int = 0
    is_over: Event = field(default_factory=Event)

    def serve(self, listening: socket.socket) -> None:
        here, _ = listening.accept()
        # Whoever asked goes before its end.
        with here, suppress(OSError):
            if self.slow == "handshake":
                here.sendall(b"\x16\x03\x03\x3f\xff")
                self.drip(here)
                return
            with self.context.wrap_socket(here, server_side=True) as secured:
                secured.recv(4096)
                secured.sendall(HEAD if self.slow == "body" else b"HTTP/1.1 200 OK\r\nX: ")
                self.drip(secured)

    def drip(self, connection: socket.socket) -> None:
        for _ in range(DRIPS):
            connection.sendall(b"x")
            self.sent += 1
            self.is_over.wait(SECONDS_APART)


@contextmanager
def dripping(folder: Path, slow: str) -> Iterator[tuple[Dripping, str, Connections]]:
    """Serve one connection; yields the server, its URL, and connections that trust it."""
    trusted, chain = certificates(folder, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server = Dripping(slow, context)
    until = time.monotonic() + SECONDS
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        Relay(Networks.of(allowed=("127.0.0.0/8",), blocked=()), until) as relay,
    ):
        thread = Thread(target=server.serve, args=[listening])
        thread.start()
        client = ssl.create_default_context(cadata=trusted)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/object"
        try:
            yield server, url, Connections(relay.server_address[1], client, until)
        finally:
            server.is_over.set()
            thread.join()


@pytest.mark.parametrize("slow", ["handshake", "head", "body"])
def test_a_server_that_drips_is_left_at_the_deadline(tmp_path: Path, slow: str) -> None:
    with dripping(tmp_path, slow) as (server, url, connections):
        with pytest.raises(TimeoutError):
            list(connections.read(connections.open(url, {}), DRIPS))
        assert time.monotonic() >= connections.until
        assert server.sent < DRIPS


def flood(connection: socket.socket) -> None:
    while True:
        connection.sendall(bytes(2**20))


def test_a_server_that_does_not_read_is_left_at_the_deadline() -> None:
    until = time.monotonic() + SECONDS
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        Relay(Networks.of(allowed=("127.0.0.0/8",), blocked=()), until) as relay,
    ):
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", relay.server_address[1])) as client:
            client.settimeout(60)
            client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
            there, _ = listening.accept()
            with there, pytest.raises((BrokenPipeError, ConnectionResetError)):
                flood(client)
    assert time.monotonic() >= until
