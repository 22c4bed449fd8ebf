"""Bodies that are larger than anybody takes."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from submarine_site.asgi import application
from submarine_site.core.bodies import BoundedBodies

LIMIT = 10
TOO_LARGE = {"code": "too_large", "message": "The body may have 10 bytes."}


class Echo:
    """Reads the whole body, as Django does, and answers with it."""

    def __init__(self) -> None:
        self.read = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            event = await receive()
            self.read += event["body"]
            more = event["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.read})


@pytest.fixture
def echo() -> Echo:
    return Echo()


async def answer(
    echo: Echo,
    *parts: bytes,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    path: str = "/api/v2/sessions/",
) -> tuple[int, bytes]:
    client = ApplicationCommunicator(
        BoundedBodies(echo, limit=LIMIT), {"type": "http", "path": path, "headers": headers}
    )
    for number, part in enumerate(parts, start=1):
        more = number < len(parts)
        await client.send_input({"type": "http.request", "body": part, "more_body": more})
    start = await client.receive_output()
    body = await client.receive_output()
    await client.wait()
    return start["status"], body["body"]


async def test_a_body_of_the_limit_passes(echo: Echo) -> None:
    assert await answer(echo, b"12345", b"67890") == (200, b"1234567890")


async def test_a_body_announced_as_larger_is_refused_unread(echo: Echo) -> None:
    status, body = await answer(echo, b"1", headers=((b"content-length", b"11"),))
    assert (status, json.loads(body)) == (413, TOO_LARGE)
    assert echo.read == b""


async def test_a_body_in_chunks_is_refused_where_it_grows_larger(echo: Echo) -> None:
    status, body = await answer(echo, b"1234567890", b"1", b"2")
    assert (status, json.loads(body)) == (413, TOO_LARGE)
    assert echo.read == b"1234567890"


async def test_a_page_s_form_that_is_too_large_is_answered_with_a_page(echo: Echo) -> None:
    status, body = await answer(
        echo, b"1", headers=((b"content-length", b"4096"),), path="/environments/new"
    )
    assert status == 413
    assert "<h1>Too large</h1>" in body.decode()
    assert "Nothing was changed." in body.decode()


async def test_a_body_that_does_not_arrive_is_given_up(echo: Echo) -> None:
    client = ApplicationCommunicator(
        BoundedBodies(echo, limit=LIMIT, seconds=0.01),
        {"type": "http", "path": "/api/v2/sessions", "headers": ()},
    )
    await client.send_input({"type": "http.request", "body": b"1", "more_body": True})
    start = await client.receive_output()
    body = json.loads((await client.receive_output())["body"])
    assert (start["status"], body["code"]) == (408, "too_slow")
    assert (b"connection", b"close") in start["headers"]
    assert echo.read == b"1"


async def test_who_waits_for_an_answer_has_time() -> None:
    async def waits(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.wait([asyncio.ensure_future(receive())], timeout=0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = ApplicationCommunicator(
        BoundedBodies(waits, limit=LIMIT, seconds=0.01),
        {"type": "http", "path": "/", "headers": ()},
    )
    await client.send_input({"type": "http.request", "body": b"1", "more_body": False})
    assert (await client.receive_output())["status"] == 200


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/v2/sessions", {"code": "too_large", "message": "The body may have 1048576 bytes."}),
        (
            "/s/subnb_x/api/v1/notebook",
            {
                "status": "REQUEST_ENTITY_TOO_LARGE",
                "code": 413,
                "success": False,
                "message": "The body may have 1048576 bytes.",
                "result": None,
                "attributes": {},
            },
        ),
    ],
)
async def test_the_web_process_is_bounded(path: str, told: dict[str, object]) -> None:
    headers = [(b"content-length", b"10000000")]
    client = ApplicationCommunicator(
        application, {"type": "http", "path": path, "headers": headers}
    )
    start = await client.receive_output()
    assert start["status"] == 413
    assert json.loads((await client.receive_output())["body"]) == told
