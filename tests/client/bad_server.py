"""A little HTTP server that answers as it is told to, well or badly."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


def said(body: Any, status: int = 200, **headers: str) -> Answer:
    """JSON."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _send(handler, status, json.dumps(body).encode(), "application/json", headers)

    return answer


def refused(status: int, code: str, message: str = "No.", **headers: str) -> Answer:
    return said({"code": code, "message": message}, status, **headers)


def page(status: int = 200, **headers: str) -> Answer:
    """HTML, as proxies and the sign-in pages of networks have it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _send(handler, status, b"<html><h1>Welcome to the hotel</h1>", "text/html", headers)

    return answer


def redirect(to: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        _send(handler, 301, b"", "text/html", {"Location": to})

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Hear the request, and say nothing."""
    handler.close_connection = True


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Say less than was announced."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"id": ')
    handler.close_connection = True


def slowly(answer: Answer, gate: threading.Event) -> Answer:
    """Answer once the gate is open."""

    def wait(handler: BaseHTTPRequestHandler) -> None:
        gate.wait(20)
        answer(handler)

    return wait


def _send(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    kind: str,
    headers: Mapping[str, str],
) -> None:
    handler.send_response_only(status)
    handler.send_header("Date", headers.get("Date", handler.date_time_string()))
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items() - {("Date", headers.get("Date", ""))}:
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class BadServer:
    """Gives its answers in turn, the last of them time and again."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def plays(self, *answers: Answer) -> None:
        self.answers[:] = answers

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def playing() -> Iterator[BadServer]:
    """The server, on loopback."""
    server = BadServer()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            with lock:
                server.connections += 1
            super().setup()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                server.asked.append(Asked(self.command, self.path, dict(self.headers), body))
                answer = server.next()
            answer(self)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.do_GET
            raise AttributeError(name)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def session(status: str = "running", **more: Any) -> dict[str, Any]:
    """A session, as the service tells of it."""
    now = "2026-01-02T03:04:05.678901Z"
    return {
        "id": "11111111-2222-4333-8444-555555555555",
        "name": "thesis",
        "owner": "demo",
        "status": status,
        "status_changed_at": now,
        "reason": None,
        "profile": "small",
        "environment": "notebook-env",
        "environment_version": 1,
        "newest_environment_version": 1,
        "variables": {},
        "secrets": [],
        "code": [],
        "opens": "",
        "home": None,
        "mounts": [],
        "charged_to": None,
        "created_at": now,
        "last_activity_at": None,
        "run": None,
        **more,
    }
