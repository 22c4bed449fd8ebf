"""Clients that leave their responses unread or open: what the web process holds for them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any, cast

import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import Client
from uvicorn import Config, Server

from accounts.models import SignIn, User
from accounts.scopes import grantable
from accounts.services import create_token, revoke_token
from audit import export
from audit.models import AuditEntry, Channel
from submarine_site.asgi import application
from submarine_site.core import streams
from submarine_site.core.heads import BoundedHeads
from submarine_site.core.streams import Streams
from submarine_site.core.threads import InThreads
from tests.conftest import browser_of
from tests.contracts.eventually import eventually

pytestmark = pytest.mark.django_db(transaction=True)

POOL = 16
MORE = POOL + 8
SECONDS = 30
EXPORT = "/api/v2/audit/export"
END = b"\r\n0\r\n\r\n"
EVENT = b"event: change\ndata: \n\n"


class Reader:
    """A connection that sends one request and reads as far as it is told to."""

    def __init__(
        self,
        port: int,
        path: str,
        browser: Client,
        *,
        method: str = "GET",
        token: str = "",
        body: bytes = b"",
        length: int = 0,
    ) -> None:
        self._socket = socket.socket()
        # As little as can be taken in without being read.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(SECONDS)
        self._socket.connect(("127.0.0.1", port))
        cookies = "; ".join(f"{name}={each.value}" for name, each in browser.cookies.items())
        head = {
            "Host": "testserver",
            **({"Cookie": cookies} if cookies else {}),
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({"Content-Length": length} if length else {}),
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {head[name]}" for name in head)]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        self._read = b""

    def until(self, mark: bytes) -> bytes:
        """Read until the mark, or the end."""
        while mark not in self._read and (part := self._socket.recv(65536)):
            self._read += part
        return self._read

    def close(self) -> None:
        self._socket.close()


class Web:
    """A web process on a port of its own, in a thread."""

    def __init__(self, port: int, stack: ExitStack, streams: Streams | None) -> None:
        self._port = port
        self._stack = stack
        self._streams = streams

    def open_streams(self) -> int:
        assert self._streams is not None
        return self._streams.open_count

    def open(self, path: str, browser: Client, **options: Any) -> Reader:
        reader = Reader(self._port, path, browser, **options)
        self._stack.callback(reader.close)
        return reader

    def status(self, path: str, browser: Client, **options: Any) -> int:
        head = self.open(path, browser, **options).until(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])


@contextmanager
def serving(app: Any, streams: Streams | None = None) -> Iterator[Web]:
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as readers:
        # Connections have it from here.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        config = Config(
            app,
            http=BoundedHeads,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Web(listener.getsockname()[1], readers, streams)
        finally:
            readers.close()
            server.should_exit = True
            thread.join(SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(application) as web:
        yield web


def bounded(**limits: Any) -> Any:
    """The web process with limits of its own."""
    streams = Streams(**{"per_user": 100, "total": 100, "seconds": 60.0, **limits})
    return serving(InThreads(get_wsgi_application(), threads=4, streams=streams), streams)


def in_use() -> int:
    """The database connections that are not in the pool, without that of the test."""
    connection.close()
    stats = cast("Any", connection).pool.get_stats()
    return cast("int", stats["pool_size"] - stats["pool_available"])


@pytest.fixture
def long_log(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of Ada's entries than fit into the buffers between the server and a client."""
    monkeypatch.setattr(export, "AT_ONCE", 20)
    AuditEntry.objects.bulk_create(
        AuditEntry(
            actor_id=ada.pk,
            actor_name=ada.username,
            action="session.opened",
            object_kind="session",
            object_id=str(number),
            channel=Channel.PAGE,
            after={"note": "x" * 5000},
        )
        for number in range(400)
    )


def test_pages_answer_while_new_sign_ins_listen(web: Web, ada: User) -> None:
    for browser in [browser_of(ada) for _ in range(MORE)]:
        assert EVENT in web.open("/live", browser).until(EVENT)

    # Each was the first request of its sign-in, which is recorded.
    assert SignIn.objects.count() == MORE
    assert in_use() == 0
    assert web.status("/", browser_of(ada)) == 200


def test_pages_answer_while_one_sign_in_listens_many_times(web: Web, ada: User) -> None:
    browser = browser_of(ada)
    readers = [web.open("/live", browser) for _ in range(60)]
    heads = [reader.until(b"\r\n\r\n").split(b"\r\n")[0] for reader in readers]

    assert heads.count(b"HTTP/1.1 200 OK") == settings.STREAMS_PER_USER
    assert heads.count(b"HTTP/1.1 429 Too Many Requests") == 60 - settings.STREAMS_PER_USER
    assert in_use() == 0
    assert web.status("/", browser) == 200


@pytest.mark.parametrize("path", [EXPORT, "/admin/audit/auditentry/export/"])
def test_pages_answer_while_exports_are_read_slowly(
    web: Web, ada: User, long_log: None, path: str
) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    browser = browser_of(ada)
    readers = [web.open(path, browser) for _ in range(MORE)]
    for reader in readers:
        assert b"actor_id" in reader.until(b"actor_id")

    # All exports together read with one.
    assert in_use() <= 1
    assert web.status("/", browser) == 200
    whole = readers[0].until(END)
    assert whole.endswith(END)
    assert whole.count(b"session.opened") == 400


def test_pages_answer_while_others_are_slow(web: Web, ada: User) -> None:
    browser = browser_of(ada)
    for _ in range(MORE):
        # Of two hundred kilobytes.
        web.open("/api/v2/schema/", browser).until(b"HTTP/1.1 200 OK")
        web.open("/api/v2/sessions", browser, method="POST", body=b"{", length=100)

    assert web.status("/", browser) == 200
    assert in_use() == 0


def sign_out(user: User) -> None:
    SignIn.objects.filter(user=user).end()


def disable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User) -> None:
    user.set_password("another")
    user.save()


@pytest.mark.parametrize("end", [sign_out, disable, change_password])
def test_a_stream_ends_with_the_sign_in(
    ada: User, monkeypatch: pytest.MonkeyPatch, end: Callable[[User], None]
) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.1)
    with bounded() as web:
        reader = web.open("/live", browser_of(ada))
        reader.until(EVENT)
        end(ada)
        assert reader.until(END).endswith(END)
        assert in_use() == 0


def test_a_stream_ends_with_the_token(
    ada: User, long_log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.1)
    made = create_token(user=ada, name="export", scopes=grantable(ada))
    with bounded() as web:
        reader = web.open(EXPORT, Client(), token=made.secret)
        assert b"HTTP/1.1 200 OK" in reader.until(b"session.opened")
        revoke_token(token=made.record)
        assert eventually(lambda: web.open_streams() == 0)
        assert END not in reader.until(END)
