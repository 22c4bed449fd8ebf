"""A registry of images that has none, and says so in the way that a repository's name asks for.

On this machine's own address, at which a node asks without TLS.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

_REFUSALS = {
    "missing": (404, "MANIFEST_UNKNOWN"),
    "private": (403, "DENIED"),
    "slow": (404, "MANIFEST_UNKNOWN"),
    "policy": (403, "DENIED"),
}

POLICY_SAYS = 'pull is blocked by policy "no-latest"'
_MANIFEST = {
    "Content-Type": "application/vnd.docker.distribution.manifest.v2+json",
    "Docker-Content-Digest": f"sha256:{'a' * 64}",
    "Content-Length": "500",
}


class Registry:
    """`slow` is silent until it is let go."""

    def __init__(self) -> None:
        self.asked = Event()
        self.go = Event()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.answer(self)

            def do_HEAD(self) -> None:
                registry.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self.go.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def image(self, name: str) -> str:
        return f"127.0.0.1:{self._server.server_port}/{name}:1"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.split("/")[2]
        if name == "slow":
            self.asked.set()
            self.go.wait()
        if name == "policy" and handler.command == "HEAD":
            # Registries say why only where there is a body to say it in.
            handler.send_response(200)
            for header in _MANIFEST.items():
                handler.send_header(*header)
            handler.end_headers()
            return
        status, code = _REFUSALS.get(name, (200, ""))
        error = {"code": code, **({"message": POLICY_SAYS} if name == "policy" else {})}
        body = json.dumps({"errors": [error]} if code else {}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body)
