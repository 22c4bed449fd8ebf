"""Connections to the API server are kept for as long as they are of use, and lead where they are
to.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kubernetes.client import Configuration

from notebooks.backends.kubernetes.connections import Connections
from tests.contracts.eventually import eventually

SECONDS = 10
NAME = "api.internal"


class Server:
    """Answers with what it was asked, and says over which of its connections."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.callers: list[int] = []
        self.ended = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.address = self.address.replace("http", "https")

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                super().handle()
                outer.ended += 1

            def do_GET(self) -> None:
                outer.asked.append((self.command, self.path))
                outer.callers.append(self.client_address[1])
                whole = self.path.encode()
                self.send_response(404 if self.path == "/missing" else 200)
                self.send_header("Content-Length", str(len(whole)))
                if self.path == "/last":
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(whole[:-1] if self.path == "/half" else whole)
                self.close_connection = self.path in {"/half", "/last", "/silent"}

            def do_CONNECT(self) -> None:
                outer.asked.append((self.command, self.path))
                self.send_response(200)
                self.end_headers()
                self.close_connection = False

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    with Server().running() as running:
        yield running


def connections(host: str, **values: Any) -> Connections:
    configuration = Configuration(host=host)
    # The one that this machine has.
    configuration.proxy = None
    for name, value in values.items():
        setattr(configuration, name, value)
    return Connections(configuration)


def ask(to: Connections, path: str = "/") -> bytes:
    with to.request("GET", path, body=None, headers={}, read_seconds=SECONDS) as response:
        return response.read()


def refuse(to: Connections) -> None:
    with to.request("GET", "/missing", body=None, headers={}, read_seconds=SECONDS) as response:
        response.read()
        raise LookupError


def test_a_connection_is_used_again(server: Server) -> None:
    to = connections(server.address)
    assert [ask(to, path) for path in ("/a", "/missing", "/b")] == [b"/a", b"/missing", b"/b"]
    assert len(set(server.callers)) == 1


def test_one_whose_answer_was_read_and_refused_is_used_again(server: Server) -> None:
    to = connections(server.address)
    with pytest.raises(LookupError):
        refuse(to)
    ask(to)
    assert len(set(server.callers)) == 1


def test_one_whose_answer_was_not_read_is_not_used_again(server: Server) -> None:
    to = connections(server.address)
    with to.request("GET", "/unread", body=None, headers={}, read_seconds=SECONDS):
        pass
    assert ask(to) == b"/"
    assert len(set(server.callers)) == 2


def test_one_that_broke_in_the_middle_is_not_used_again(server: Server) -> None:
    to = connections(server.address)
    with pytest.raises(IncompleteRead):
        ask(to, "/half")
    assert ask(to) == b"/"


@pytest.mark.parametrize("path", ["/last", "/silent"])
def test_one_that_the_server_has_closed_is_not_used_again(path: str, server: Server) -> None:
    to = connections(server.address)
    ask(to, path)
    eventually(lambda: server.ended == 1)
    assert ask(to) == b"/"
    assert len(set(server.callers)) == 2


def test_a_server_may_be_below_a_path(server: Server) -> None:
    to = connections(f"{server.address}/clusters/one/")
    assert ask(to, "/api") == b"/clusters/one/api"


def test_a_way_may_lead_through_a_proxy(server: Server) -> None:
    to = connections("http://api.internal", proxy=server.address)
    assert ask(to, "/api") == b"/api"
    assert server.asked == [("CONNECT", "api.internal:80"), ("GET", "/api")]


def test_a_proxy_is_passed_by_where_it_is_not_meant(server: Server) -> None:
    to = connections(server.address, proxy="http://127.0.0.1:1", no_proxy="127.0.0.1")
    assert ask(to) == b"/"


def test_a_proxy_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no HTTP proxy"):
        connections("https://api.internal", proxy="socks5://127.0.0.1:1080")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """With its key, for `NAME` alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)  # noqa: TID251
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[Server]:
    with Server(certificate).running() as running:
        yield running


def test_a_server_is_known_by_the_name_that_it_is_to_have(
    tls_server: Server, certificate: Path
) -> None:
    to = connections(tls_server.address, ssl_ca_cert=str(certificate), tls_server_name=NAME)
    assert ask(to) == b"/"


def test_a_server_of_another_name_is_not_talked_to(tls_server: Server, certificate: Path) -> None:
    to = connections(tls_server.address, ssl_ca_cert=str(certificate))
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(to)
    assert tls_server.asked == []


def test_a_server_that_nobody_vouches_for_is_talked_to_only_if_that_is_allowed(
    tls_server: Server,
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(connections(tls_server.address))
    assert ask(connections(tls_server.address, verify_ssl=False)) == b"/"
