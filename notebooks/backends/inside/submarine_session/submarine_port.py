"""A Jupyter server extension: where the CLI of Apache Submarine looks for the service when it is
not configured, `localhost:32080`, is the service.

That CLI reads no variable: its configuration is a file among its own, which all sessions may share
and which outlives them, so no credential may be written there. Whoever connects is known by the
variables of their process, and is led on by their own credential, as if they had sent it
themselves. So it does not matter which session's server takes a connection where sessions share a
machine; who has no such variables, as a browser, is led nowhere. If the port is somebody else's, it
stays theirs.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ADDRESS = ("127.0.0.1", 32080)
NAME, PORT = "SUBMARINE_SERVER_DNS_NAME", "SUBMARINE_SERVER_PORT"
"""The variables by which the SDK of Apache Submarine finds the service."""

SECONDS = 30.0


def variables_at(client: tuple[str, int]) -> dict[str, str]:
    """The variables of the process that has this end of a connection to us; none if it is not one
    that we may look at.
    """
    inode = _socket_of(client)
    for process in Path("/proc").glob("[0-9]*") if inode else ():
        with suppress(OSError), os.scandir(process / "fd") as opened:
            if any(_leads_to(file, inode) for file in opened):
                pairs = (process / "environ").read_bytes().decode(errors="replace").split("\0")
                return {name: value for name, _, value in (each.partition("=") for each in pairs)}
    return {}


def _socket_of(client: tuple[str, int]) -> str:
    def written(host: str, port: int) -> str:
        address = int.from_bytes(socket.inet_aton(host), sys.byteorder)
        return f"{address:08X}:{port:04X}"

    ends = [written(*client), written(*ADDRESS)]
    with open("/proc/net/tcp") as table:  # noqa: PTH123 - it is no file
        for line in table:
            fields = line.split()
            if fields[1:3] == ends:
                return fields[9]
    return ""


def _leads_to(file: os.DirEntry[str], inode: str) -> bool:
    with suppress(OSError):
        # Pathlib has it since 3.9.
        return os.readlink(file.path) == f"socket:[{inode}]"  # noqa: PTH115
    return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # The servers of all sessions of a machine listen at the same time.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


class _Forward(BaseHTTPRequestHandler):
    timeout = SECONDS

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = variables_at(self.client_address)
        port, _, credential = found.get(PORT, "").partition("/")
        if not credential or not self.path.startswith("/api/"):
            self._say(403, "This is for what runs in a session of Submarine Notebooks.")
            return
        kept = {"accept", "content-type", "user-agent"}
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
        connection = HTTPConnection(found[NAME], int(port), timeout=SECONDS)
        try:
            connection.request(self.command, f"/{credential}{self.path}", body or None, headers)
            answer = connection.getresponse()
            told = answer.read()
        except (OSError, HTTPException):
            self._say(502, "The service does not answer.")
            return
        finally:
            connection.close()
        self._answer(answer.status, answer.headers.get("Content-Type", ""), told)

    do_GET = do_POST = do_PATCH = do_DELETE = _forward  # noqa: N815 - as the base class has them

    def _say(self, status: int, message: str) -> None:
        self._answer(status, "application/json", json.dumps({"message": message}).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """What is asked for is logged by the service."""


def _load_jupyter_server_extension(_: Any) -> None:
    if PORT in os.environ and Path("/proc/net/tcp").exists():
        with suppress(OSError):
            Thread(target=_Server(ADDRESS, _Forward).serve_forever, daemon=True).start()
