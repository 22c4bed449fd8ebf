"""Connections to the API server, kept and shared by threads: the standard library's, to where and
as whom the official client has found.

That client's own take more than twice the time over a small request, and a start is two of them.
"""

import ssl
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from select import POLLIN, poll
from urllib.parse import urlsplit

from kubernetes.client import Configuration
from kubernetes.client.rest import should_bypass_proxies

CONNECT_SECONDS = 3.0


class Connections:
    def __init__(self, configuration: Configuration) -> None:
        """Raises `ValueError` if they have to lead through a proxy other than an HTTP one."""
        address = urlsplit(configuration.host)
        self._tls = _tls(configuration) if address.scheme == "https" else None
        self._host = address.hostname or ""
        self._port = address.port or (443 if self._tls else 80)
        self._server_name = configuration.tls_server_name or self._host
        self._path = address.path.rstrip("/")
        self._proxy = _proxy(configuration)
        self._proxy_headers = configuration.proxy_headers
        self._kept: list[HTTPConnection] = []
        weakref.finalize(self, _close_all, self._kept)

    @contextmanager
    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        read_seconds: float,
    ) -> Iterator[HTTPResponse]:
        """Yield the answer, whatever its status. Raises `OSError` or `HTTPException`.

        A connection is kept if its answer was read to the end.
        """
        connection = self._take()
        response: HTTPResponse | None = None
        try:
            connection.sock.settimeout(read_seconds)
            connection.request(method, self._path + path, body, headers)
            response = connection.getresponse()
            yield response
        except (HTTPException, OSError):
            connection.close()
            raise
        finally:
            # Its socket is gone if it broke, or if the server said that this answer is the last.
            if response is not None and response.isclosed() and connection.sock is not None:
                self._kept.append(connection)
            else:
                connection.close()

    def _take(self) -> HTTPConnection:
        while True:
            try:
                connection = self._kept.pop()
            except IndexError:
                return self._connected()
            if not _is_closed_there(connection):
                return connection
            connection.close()

    def _connected(self) -> HTTPConnection:
        host, port = self._proxy or (self._host, self._port)
        connection = HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        if self._proxy:
            connection.set_tunnel(self._host, self._port, self._proxy_headers)
        connection.connect()
        if self._tls:
            connection.sock = self._tls.wrap_socket(
                connection.sock, server_hostname=self._server_name
            )
        return connection


def _is_closed_there(connection: HTTPConnection) -> bool:
    """Whether the server gave it up meanwhile: it says nothing else before it is asked."""
    said = poll()
    said.register(connection.sock, POLLIN)
    return bool(said.poll(0))


def _close_all(kept: list[HTTPConnection]) -> None:
    for connection in kept:
        connection.close()


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif configuration.ssl_ca_cert:
        context.load_verify_locations(configuration.ssl_ca_cert)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _proxy(configuration: Configuration) -> tuple[str, int] | None:
    if not configuration.proxy or should_bypass_proxies(
        configuration.host, configuration.no_proxy or ""
    ):
        return None
    proxy = urlsplit(configuration.proxy)
    if proxy.scheme != "http" or not proxy.hostname:
        raise ValueError("The cluster is to be reached through a proxy that is no HTTP proxy.")
    return proxy.hostname, proxy.port or 80
