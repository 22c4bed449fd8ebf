"""An https proxy on loopback through which git makes every connection, redirects too.

It looks a name up once and connects to an address that it has judged, so that no name can lead
elsewhere the second time. What passes is encrypted from end to end.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from notebooks.backends.fetcher.addresses import Networks, Refused
from notebooks.backends.fetcher.meanings import (
    address_refused,
    lookup_failed,
    name_unknown,
    no_answer,
)
from notebooks.backends.fetcher.outcome import Failure

CONNECT_SECONDS = 15
CHUNK = 256 * 1024
LONGEST_LINE = 4096
_POLL_SECONDS = 0.02
"""How long its end may be waited for."""


class Relay(ThreadingTCPServer):
    """In use within `with`. At `until`, by the monotonic clock, it ends whatever passes through it:
    a server that sends a byte now and then holds up nobody for longer.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, networks: Networks, until: float) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.networks = networks
        self.until = until
        self._trouble: Failure | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take_trouble(self) -> Failure | None:
        """Return why the last try failed, unless it was told already or none did."""
        told, self._trouble = self._trouble, None
        return told

    def note(self, trouble: Failure | None) -> None:
        """Keep why the last try failed, if it did: git learns no more than that."""
        self._trouble = trouble

    def __enter__(self) -> Relay:  # noqa: PYI034 - Self is not in Python 3.8
        Thread(target=self.serve_forever, args=[_POLL_SECONDS], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is git's to report."""


class _Tunnel(StreamRequestHandler):
    server: Relay
    connection: socket.socket

    def handle(self) -> None:
        method, _, rest = (
            self.rfile.readline(LONGEST_LINE).decode("ascii", "replace").partition(" ")
        )
        while self.rfile.readline(LONGEST_LINE).strip():
            """Headers: nothing in them matters."""
        host, _, port = rest.partition(" ")[0].rpartition(":")
        if method != "CONNECT" or not port.isdigit():
            self._answer("400 Bad Request")
            return
        if there := self._connect(host.strip("[]"), int(port)):
            with there:
                self._answer("200 Connected")
                _join(self.connection, there, self.server.until)

    def _connect(self, host: str, port: int) -> socket.socket | None:
        try:
            addresses = self.server.networks.resolve(host, port)
        except Refused:
            self._fail("403 Forbidden", address_refused(host))
            return None
        except UnicodeError:
            self._fail("502 Bad Gateway", name_unknown(host))
            return None
        except OSError as error:
            self._fail("502 Bad Gateway", lookup_failed(host, error))
            return None
        for address in addresses:
            with suppress(OSError):
                there = socket.create_connection(address, CONNECT_SECONDS)
                self.server.note(None)
                return there
        self._fail("502 Bad Gateway", no_answer(host))
        return None

    def _fail(self, status: str, trouble: Failure) -> None:
        self.server.note(trouble)
        self._answer(status)

    def _answer(self, status: str) -> None:
        self.wfile.write(f"HTTP/1.1 {status}\r\n\r\n".encode())


def _join(one: socket.socket, other: socket.socket, until: float) -> None:
    """Pass on what comes from either, until one of them ends or the time is up."""
    with selectors.DefaultSelector() as selector:
        for here, there in ((one, other), (other, one)):
            selector.register(here, selectors.EVENT_READ, there)
        while (left := until - time.monotonic()) > 0:
            for ready, _ in selector.select(left):
                assert isinstance(ready.fileobj, socket.socket)
                data = ready.fileobj.recv(CHUNK)
                if not data:
                    return
                # One that does not read what it is sent does not hold this up either.
                ready.data.settimeout(max(until - time.monotonic(), _POLL_SECONDS))
                ready.data.sendall(data)
