"""A session in which nothing happens is stopped; one whose kernel computes is not, and a tab that
is open and untouched is nothing that happens.
"""

import json
import time
from contextlib import suppress
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest
import requests
from websockets.exceptions import ConnectionClosed

from tests.stack.service import Program, Service, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.jupyter, pytest.mark.timeout(300)]

WRITTEN_SECONDS = 7
"""After which the gateway has written what it saw."""


def limit_to_a_minute(service: Service, session: str) -> None:
    """Have the session's run have an idle limit of a minute, and nothing have happened in it for
    ten.
    """
    url = psutil.Process(service.pid("web")).environ()["DATABASE_URL"]
    ago = timedelta(minutes=10)
    with psycopg.connect(url) as database:
        database.execute(
            "UPDATE notebooks_run SET idle_limit_minutes = 1, ready_at = ready_at - %s "
            "WHERE session_id = %s",
            [ago, session],
        )
        database.execute(
            "UPDATE notebooks_notebooksession SET last_activity_at = now() - %s WHERE id = %s",
            [ago, session],
        )


def message(kind: str, **content: object) -> str:
    """What a page sends to a kernel."""
    header = {"msg_id": uuid4().hex, "msg_type": kind, "session": "s", "version": "5.3"}
    rest = {"parent_header": {}, "metadata": {}, "channel": "shell"}
    return json.dumps({"header": header, **rest, "content": content})


def test_a_session_is_stopped_when_nothing_happens_in_it(service: Service, demo: Program) -> None:
    session = demo.start(name="idle")
    kernel = demo.jupyter(session, "POST", "api/kernels", json={}).json()["id"]
    terminal = demo.jupyter(session, "POST", "api/terminals", json={}).json()["name"]
    with (
        demo.websocket(session, f"api/kernels/{kernel}/channels") as channel,
        demo.websocket(session, f"terminals/websocket/{terminal}") as screen,
    ):
        # Which a tab says when it connects.
        screen.send(json.dumps(["set_size", 24, 80, 480, 640]))
        channel.send(message("execute_request", code="import time; time.sleep(30)", silent=False))
        Event().wait(WRITTEN_SECONDS)
        limit_to_a_minute(service, session)

        def told() -> dict[str, Any]:
            """The session, after what a tab does that nobody touches."""
            for socket in (channel, screen):
                with suppress(TimeoutError):
                    while True:
                        socket.recv(timeout=0.1)
            channel.send(message("kernel_info_request"))
            for polled in ("api/kernels", "api/terminals", "api/sessions", "api/contents"):
                demo.jupyter(session, "GET", polled)
            return demo.read(session)

        wait_until(lambda: told()["last_activity_signal"] == "kernel", seconds=35)
        assert told()["status"] == "running"

        def computes_no_more() -> bool:
            [seen] = demo.jupyter(session, "GET", "api/kernels").json()
            return bool(seen["execution_state"] == "idle")

        wait_until(computes_no_more)
        idle_since = time.monotonic()
        # Which closes its sockets.
        with suppress(ConnectionClosed, requests.HTTPError):
            while told()["status"] == "running":
                assert time.monotonic() - idle_since < 150
                Event().wait(1)
    assert time.monotonic() - idle_since > 55
    stopped = demo.wait_for(session, "stopped")
    assert stopped["reason"]["code"] == "idle_stop"
    assert stopped["reason"]["message"] == (
        "Nothing happened in it for 1 min, the longest that its size allows."
    )
    assert service.servers(session) == []
