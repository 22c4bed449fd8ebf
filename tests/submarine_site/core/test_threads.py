"""A WSGI application behind ASGI: what it is given, and what becomes of its answer."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from submarine_site.core.streams import Streams
from submarine_site.core.threads import InThreads

Environ = dict[str, Any]


def ask(
    app: Callable[..., Iterable[bytes]],
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    parts: tuple[bytes, ...] = (b"",),
    **scope: Any,
) -> list[dict[str, Any]]:
    """Ask the application once; what it sends."""
    sent: list[dict[str, Any]] = []
    left = list(parts)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": list(headers),
        **scope,
    }
    streams = Streams(per_user=1, total=1, seconds=10)
    asyncio.run(InThreads(app, threads=1, streams=streams)(asked, receive, send))
    return sent


def seen(**asked: Any) -> Environ:
    """What an application is told of a request."""
    told: Environ = {}

    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        told.update(environ)
        told["body"] = environ["wsgi.input"].read()
        start("204 No Content", [])
        return []

    ask(app, **asked)
    return told


def test_an_answer_is_sent_whole() -> None:
    def app(_environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        start("201 Created", [("Set-Cookie", " a=1"), ("Set-Cookie", " b=2")])
        return [b"one, ", b"two"]

    assert ask(app) == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")],
        },
        {"type": "http.response.body", "body": b"one, two"},
    ]


def test_the_answer_is_closed_also_when_it_breaks() -> None:
    class Answer:
        is_closed = False

        def __iter__(self) -> "Answer":
            return self

        def __next__(self) -> bytes:
            raise RuntimeError

        def close(self) -> None:
            self.is_closed = True

    answer = Answer()
    with pytest.raises(RuntimeError):
        ask(lambda _environ, _start: answer)
    assert answer.is_closed


def test_the_request_is_told_as_wsgi_has_it() -> None:
    told = seen(
        method="POST",
        path="/caf\xe9",
        query_string=b"a=%20",
        scheme="https",
        server=("example.org", 443),
        client=("192.0.2.1", 5),
        headers=[(b"content-type", b"text/plain"), (b"x-request", b"7")],
        parts=(b"one ", b"body"),
    )
    assert (told["REQUEST_METHOD"], told["PATH_INFO"]) == ("POST", "/caf\xc3\xa9")
    assert (told["QUERY_STRING"], told["wsgi.url_scheme"]) == ("a=%20", "https")
    assert (told["SERVER_NAME"], told["SERVER_PORT"]) == ("example.org", "443")
    assert (told["REMOTE_ADDR"], told["CONTENT_TYPE"]) == ("192.0.2.1", "text/plain")
    assert (told["HTTP_X_REQUEST"], told["body"]) == ("7", b"one body")


def test_a_body_that_came_in_parts_has_the_length_that_it_has() -> None:
    assert seen(parts=(b"12", b"345"))["CONTENT_LENGTH"] == "5"


def test_a_request_that_was_broken_off_is_not_carried_out() -> None:
    heard: list[Environ] = []
    sent: list[object] = []
    events = [
        {"type": "http.request", "body": b"name=", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return events.pop(0)

    async def send(message: object) -> None:
        sent.append(message)

    def app(environ: Environ, _start: Callable[..., Any]) -> list[bytes]:
        heard.append(environ)
        return []

    streams = Streams(per_user=1, total=1, seconds=10)
    asyncio.run(InThreads(app, threads=1, streams=streams)({"type": "http"}, receive, send))
    assert (heard, sent) == ([], [])


def test_a_header_that_could_be_taken_for_another_is_left_out() -> None:
    told = seen(headers=[(b"x_forwarded_proto", b"https"), (b"x-forwarded-proto", b"http")])
    assert told["HTTP_X_FORWARDED_PROTO"] == "http"


def test_headers_that_come_twice_are_joined_as_each_kind_is() -> None:
    told = seen(
        headers=[(b"cookie", b"a=1"), (b"accept", b"x/y"), (b"cookie", b"b=2"), (b"accept", b"z/z")]
    )
    assert (told["HTTP_COOKIE"], told["HTTP_ACCEPT"]) == ("a=1; b=2", "x/y,z/z")
