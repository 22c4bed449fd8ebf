"""A kernel of Jupyter's, played by the bad server: it says what it is told to, and may be cut."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.client.bad_server import Answer, BadServer, said, session

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Channels:
    """The WebSocket of a kernel. It answers whom it heard last, also over another connection."""

    def __init__(self) -> None:
        self._message_id = ""

    def hear(self, *texts: str, ends: bool = True) -> Answer:
        """Hear what is to be run, print the texts, and end it or have the connection cut."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            _accept(handler)
            self._message_id = json.loads(_received(handler))["header"]["msg_id"]
            self._say(handler, texts, ends=ends)

        return answer

    def go_on(self, *texts: str, ends: bool = True) -> Answer:
        """Print the texts to whoever comes back."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            _accept(handler)
            self._say(handler, texts, ends=ends)

        return answer

    def _say(self, handler: BaseHTTPRequestHandler, texts: tuple[str, ...], *, ends: bool) -> None:
        for text in texts:
            self._send(handler, "stream", {"name": "stdout", "text": text})
        if ends:
            self._send(handler, "execute_reply", {"status": "ok"})
            self._send(handler, "status", {"execution_state": "idle"})
            handler.rfile.read(1)
        handler.close_connection = True

    def _send(self, handler: BaseHTTPRequestHandler, kind: str, content: dict[str, Any]) -> None:
        message = {
            "msg_type": kind,
            "content": content,
            "parent_header": {"msg_id": self._message_id},
        }
        body = json.dumps(message).encode()
        handler.wfile.write(b"\x81\x7e" + len(body).to_bytes(2, "big") + body)


def _accept(handler: BaseHTTPRequestHandler) -> None:
    digest = hashlib.sha1((handler.headers["Sec-WebSocket-Key"] + _MAGIC).encode())  # noqa: S324
    handler.send_response_only(101)
    handler.send_header("Upgrade", "websocket")
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Sec-WebSocket-Accept", base64.b64encode(digest.digest()).decode())
    handler.end_headers()


def _received(handler: BaseHTTPRequestHandler) -> bytes:
    size = handler.rfile.read(2)[1] & 0x7F
    if size == 126:
        size = int.from_bytes(handler.rfile.read(2), "big")
    mask = handler.rfile.read(4)
    body = handler.rfile.read(size)
    return bytes(each ^ mask[at % 4] for at, each in enumerate(body))


def opened(server: BadServer) -> tuple[Answer, Answer]:
    """What is answered to whoever opens a session and starts a kernel in it."""
    base = f"{server.url}/session/{session()['id']}/"
    return said({"url": base, "base_url": base}), said({"id": "k"}, 201)
