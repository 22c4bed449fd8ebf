"""Credentials in paths: where they are taken, and that nothing behind sees them there."""

import asyncio
import json
import socket
from typing import Any

import pytest
import requests
from uvicorn import Config, Server

from submarine_site.asgi import application
from submarine_v1.paths import PathCredentials
from tests.submarine_v1.conftest import ENVELOPE


async def led_on(path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    """What is behind it gets, which is the scope that the server has and logs."""
    seen: dict[str, Any] = {}

    async def behind(scope, receive, send) -> None:
        seen.update(scope)

    async def nothing(*_: object) -> Any:
        raise AssertionError

    scope = {"type": "http", "path": path, "raw_path": path.encode(), "headers": list(headers)}
    await PathCredentials(behind)(scope, nothing, nothing)
    assert seen == scope
    return scope


@pytest.mark.parametrize(
    "path",
    [
        "/s/subnb_a-b/api/v1/notebook",
        "/u/subnb_a-b:32080/api/v1/notebook",
        "/s/subnb_a-b:1/api/v1/notebook",
        "/u/subnb_a-b/api/v1/notebook",
        "/u/subnb_a-b:/api/v1/notebook",
    ],
)
async def test_it_is_taken_to_the_header(path: str) -> None:
    scope = await led_on(path, (b"authorization", b"Bearer subnb_a-b"), (b"accept", b"x"))
    assert scope["path"] == "/api/v1/notebook"
    assert scope["raw_path"] == b"/api/v1/notebook"
    assert scope["headers"] == [(b"accept", b"x"), (b"authorization", b"Bearer subnb_a-b")]


@pytest.mark.parametrize(
    "header", [b"Bearer other", b"Basic YTpi", b"subnb_a", b"Bearer subnb_a-", b"", b"Bearer"]
)
async def test_another_in_the_header_is_refused(header: bytes) -> None:
    sent: list[Any] = []

    async def unreachable(*_: object) -> Any:
        raise AssertionError

    async def send(event: Any) -> None:
        sent.append(event)

    path = "/u/subnb_a/api/v1/notebook"
    scope: dict[str, Any] = {
        "type": "http",
        "path": path,
        "raw_path": path.encode(),
        "headers": [(b"authorization", b"Bearer subnb_a"), (b"authorization", header)],
    }
    await PathCredentials(unreachable)(scope, unreachable, send)
    assert sent[0]["status"] == 400
    told = json.loads(sent[1]["body"])
    assert list(told) == ENVELOPE
    assert (told["code"], told["success"]) == (400, False)
    assert told["message"] == (
        "Two credentials were sent that differ: one in the path, one in the Authorization header. "
        "Send one of them."
    )
    assert (scope["path"], scope["raw_path"]) == ("/api/v1/notebook", b"/api/v1/notebook")


@pytest.mark.parametrize(
    "path",
    [
        "/s/subnb_a",
        "/s/subnb_a/",
        "/s/subnb_a/sessions/new",
        "/s/subnb_a/api/v2/me",
        "/u/subnb_a:80/admin/",
        "/s/subnb_a/s/subnb_a/api/v1/notebook",
        "/s/subnb_a/api/v1\n",
    ],
)
async def test_elsewhere_it_leads_nowhere_and_is_not_seen_either(path: str) -> None:
    scope = await led_on(path)
    assert scope["path"] == "/s/-"
    assert b"subnb" not in scope["raw_path"]


@pytest.mark.parametrize(
    "path", ["/", "/sessions", "/static/s/a", "/s", "/api/v1/notebook", "/user"]
)
async def test_what_has_none_is_left_alone(path: str) -> None:
    scope = await led_on(path, (b"authorization", b"Bearer other"))
    assert (scope["path"], scope["headers"]) == (path, [(b"authorization", b"Bearer other")])


async def test_the_servers_own_log_has_none(caplog: pytest.LogCaptureFixture) -> None:
    async def nothing_found(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = Config(PathCredentials(nothing_found), http="h11", lifespan="off", log_config=None)
        server = Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        port = listener.getsockname()[1]
        with caplog.at_level("INFO", logger="uvicorn.access"):
            url = f"http://127.0.0.1:{port}/s/subnb_a/api/v1/notebook"
            answer = await asyncio.to_thread(requests.get, url, timeout=10)
        assert answer.status_code == 404
        server.should_exit = True
        await serving
    assert "GET /api/v1/notebook HTTP/1.1" in caplog.text
    assert "subnb" not in caplog.text


def test_nothing_of_the_web_process_comes_before_it() -> None:
    assert isinstance(application, PathCredentials)
