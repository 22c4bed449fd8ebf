"""The service image's own command, as a process of this machine."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import User
from submarine_site.core.heads import MOST_BYTES
from tests.stack.service import free_ports, wait_until

CHECKOUT = Path(__file__).parents[2]
CONNECTIONS = 20

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True)
class Web:
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_healthy(self) -> bool:
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/health", timeout=30).status_code == 200
        return False


def command() -> list[str]:
    """What the container runs, with the Python of the tests."""
    dockerfile = (CHECKOUT / "docker/Dockerfile").read_text().replace("\\\n", "")
    found = re.search(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert found
    program, *arguments = json.loads(found[1])
    assert program == "python"
    return [sys.executable, *arguments]


def database_url() -> str:
    database = connection.settings_dict
    name, host = database["NAME"], database["HOST"] or database["OPTIONS"].get("host", "")
    user = quote(database["USER"] or "postgres")
    return f"postgres://{user}@/{name}?host={quote(str(host), safe='')}"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    [port] = free_ports(1)
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "submarine_site.settings.production",
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "SUBMARINE_PAGES_URL": f"http://127.0.0.1:{port}",
        "SUBMARINE_GATEWAY_URL": "http://localhost:1",
        "SUBMARINE_DATA_DIR": str(tmp_path),
        "SUBMARINE_LOCAL_BACKEND_ACCEPTED": "true",
    }
    process = subprocess.Popen(
        [*command(), "--port", str(port)], cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL
    )
    web = Web(process, port)
    try:
        wait_until(web.is_healthy)
        yield web
    finally:
        process.kill()
        process.wait()


def opened(web: Web) -> socket.socket:
    return socket.create_connection(("127.0.0.1", web.port), timeout=30)


def all_of(answering: socket.socket) -> bytes:
    """All that is said until the server ends the connection."""
    said = b""
    while part := answering.recv(65536):
        said += part
    return said


def test_heads_that_never_end_are_refused_while_others_are_answered(web: Web) -> None:
    with ExitStack() as connections:
        endless = [connections.enter_context(opened(web)) for _ in range(CONNECTIONS)]
        for each in endless:
            each.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nCookie: ")
        assert web.is_healthy()
        for each in endless:
            each.sendall(b"x" * 3 * MOST_BYTES)
            assert all_of(each).startswith(b"HTTP/1.1 431 ")
        assert web.is_healthy()
    assert web.process.poll() is None


def test_a_page_that_stays_open_does_not_keep_it_from_stopping(web: Web, ada: User) -> None:
    browser = Client()
    browser.force_login(ada)
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    with opened(web) as page:
        page.sendall(
            f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        assert page.recv(4096).startswith(b"HTTP/1.1 200 ")

        web.process.send_signal(signal.SIGTERM)

        # Without a limit it would wait for the page, which waits for the service.
        web.process.wait(60)
        all_of(page)
