"""Where Submarine's CLI looks for the service when nothing is configured, with real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from notebooks.backends.inside.submarine_session import submarine_port
from tests.stack.service import free_ports

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="processes are known by /proc"
)

ASK = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request(sys.argv[2], sys.argv[3], body=b"{}", headers={"Cookie": "secret=1"})
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


class _Service(BaseHTTPRequestHandler):
    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = json.dumps([self.path, body, self.headers["Cookie"]]).encode()
        self.send_response(201)
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    Thread(target=server.serve_forever).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    [port] = free_ports(1)
    monkeypatch.setattr(submarine_port, "ADDRESS", ("127.0.0.1", port))
    server = submarine_port._Server(submarine_port.ADDRESS, submarine_port._Forward)
    Thread(target=server.serve_forever).start()
    yield port
    server.shutdown()
    server.server_close()


def ask(port: int, path: str = "/api/v1/notebook?id=1", **variables: str) -> tuple[int, str]:
    """What a process with these variables is answered."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(port), "PATCH", path],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    status, _, body = done.stdout.strip().partition(" ")
    return int(status), body


def of(service: int, credential: str = "s/subrun_1") -> dict[str, str]:
    return {
        "SUBMARINE_SERVER_DNS_NAME": "127.0.0.1",
        "SUBMARINE_SERVER_PORT": f"{service}/{credential}",
    }


def test_each_is_led_on_by_its_own_credential(service: int, port: int) -> None:
    for credential in ("s/subrun_1", "s/subrun_2"):
        status, body = ask(port, **of(service, credential))
        assert status == 201
        assert json.loads(body) == [f"/{credential}/api/v1/notebook?id=1", "{}", None]


def test_who_has_no_credential_is_led_nowhere(service: int, port: int) -> None:
    refused = '{"message": "This is for what runs in a session of Submarine Notebooks."}'
    assert ask(port) == (403, refused)
    assert ask(port, SUBMARINE_SERVER_PORT=str(service)) == (403, refused)
    assert ask(port, "/metrics", **of(service)) == (403, refused)


def test_where_the_service_is_away_it_says_so(port: int) -> None:
    [nobody] = free_ports(1)
    assert ask(port, **of(nobody)) == (502, '{"message": "The service does not answer."}')


def test_several_sessions_of_a_machine_listen_and_a_stranger_keeps_the_port(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    submarine_port._Server(submarine_port.ADDRESS, submarine_port._Forward).server_close()
    stranger = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    monkeypatch.setattr(submarine_port, "ADDRESS", stranger.server_address)
    monkeypatch.setenv(submarine_port.PORT, "1/s/subrun_1")
    submarine_port._load_jupyter_server_extension(None)
    stranger.server_close()
