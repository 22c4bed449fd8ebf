"""A small Kubernetes API over real HTTP: lists and watches of pods and events, and their faults."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]

EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}


class ApiServer:
    """What is put into it is listed and watched. Attributes make it fail, and `asked` says what
    was asked of it.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.refuses: Json | None = None
        """A status object that answers everything."""
        self.watches_end_at_once = False
        self.longest_watch = 30.0
        self._changed = Condition()
        self._version = 100
        self._oldest = 0
        self._cuts = 0
        self._objects: dict[str, dict[str, Json]] = {"pods": {}, "events": {}}
        self._changes: list[tuple[int, str, str, Json]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    # What happens in the cluster.

    def put(self, resource: str, given: Json) -> None:
        with self._changed:
            name = given["metadata"]["name"]
            kind = "MODIFIED" if name in self._objects[resource] else "ADDED"
            self._objects[resource][name] = self._happened(kind, resource, given)

    def remove(self, resource: str, name: str) -> None:
        with self._changed:
            self._happened("DELETED", resource, self._objects[resource].pop(name))

    def forget(self) -> None:
        """Know nothing of the past, and so resume no watch: 410 Gone."""
        with self._changed:
            self._version += 1
            self._oldest = self._version
            self._changes.clear()

    def mark(self, resource: str) -> None:
        """Send a bookmark."""
        with self._changed:
            self._happened("BOOKMARK", resource, {"metadata": {}})

    def break_off(self) -> None:
        """Break all connections of watches in the middle."""
        with self._changed:
            self._cuts += 1
            self._changed.notify_all()

    def watches(self, resource: str) -> list[dict[str, str]]:
        """The queries of the watches asked for, in order."""
        return [query for path, query in self.asked if path == resource and "watch" in query]

    def lists(self, resource: str) -> list[dict[str, str]]:
        return [query for path, query in self.asked if path == resource and "watch" not in query]

    def _happened(self, kind: str, resource: str, given: Json) -> Json:
        self._version += 1
        metadata = given["metadata"] | {"resourceVersion": str(self._version)}
        written = given | {"metadata": metadata}
        self._changes.append((self._version, kind, resource, written))
        self._changed.notify_all()
        return written

    # How it is served.

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve; yields the address."""
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{self._server.server_address[1]}"
        finally:
            self._server.shutdown()
            self.break_off()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                resource, query = parts.path.rpartition("/")[2], dict(parse_qsl(parts.query))
                outer.asked.append((resource, query))
                with suppress(OSError):
                    if outer.refuses is not None:
                        self.answer(outer.refuses, outer.refuses["code"])
                    elif "watch" in query:
                        self.stream(outer._follow(resource, query))
                    else:
                        self.answer(outer._page(resource, query))

            def answer(self, body: Json, status: int = 200) -> None:
                written = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            def stream(self, changes: Iterator[Json | None]) -> None:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for change in changes:
                    if change is None:
                        self.close_connection = True
                        return
                    line = json.dumps(change).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        return Handler

    def _page(self, resource: str, query: dict[str, str]) -> Json:
        with self._changed:
            items = list(self._objects[resource].values())
            begin = int(query.get("continue", 0))
            end = begin + int(query["limit"])
            metadata = {"resourceVersion": str(self._version)}
            if end < len(items):
                metadata["continue"] = str(end)
            return {"items": items[begin:end], "metadata": metadata}

    def _follow(self, resource: str, query: dict[str, str]) -> Iterator[Json | None]:
        """Yield the changes after a version; None breaks the connection off."""
        seen, cuts = int(query["resourceVersion"]), self._cuts
        if seen < self._oldest:
            yield {"type": "ERROR", "object": EXPIRED}
            return
        end = time.monotonic() + min(float(query["timeoutSeconds"]), self.longest_watch)
        while not self.watches_end_at_once and time.monotonic() < end:
            with self._changed:
                new = [change for change in self._changes if change[0] > seen]
                if not new and self._cuts == cuts:
                    self._changed.wait(end - time.monotonic())
            for version, kind, of, written in new:
                seen = version
                if of == resource:
                    yield {"type": kind, "object": written}
            if self._cuts != cuts:
                yield None
                return


def kubeconfig(address: str, folder: Path) -> Path:
    """Write a kubeconfig for a server that asks for no credentials."""
    path = folder / "kubeconfig"
    named = {
        "clusters": [{"name": "test", "cluster": {"server": address}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(json.dumps({"kind": "Config", "current-context": "test", **named}))
    return path
