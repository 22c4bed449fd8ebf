"""What a token may not do any more, the real processes refuse within a second."""

import time
from collections.abc import Iterator

import psutil
import psycopg
import pytest
import requests

from tests.stack.service import Program, Service, wait_until

pytestmark = pytest.mark.stack

TOKEN = "UPDATE accounts_apitoken SET {} WHERE starts_with(%s, hint)"
USER = """UPDATE accounts_user SET {}
WHERE id = (SELECT user_id FROM accounts_apitoken WHERE starts_with(%s, hint))"""
ENDS = (
    (TOKEN, "revoked_at = now()", "revoked_at = NULL"),
    (TOKEN, "expires_at = now()", "expires_at = now() + interval '1 day'"),
    (USER, "is_active = false", "is_active = true"),
)


@pytest.fixture
def database(service: Service) -> Iterator[psycopg.Connection]:
    url = psutil.Process(service.pid("web")).environ()["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def refused_after(answer: requests.Response, since: float) -> float:
    """How long it took until this refusal came."""
    assert answer.status_code == 401
    return time.monotonic() - since


def test_a_token_that_ended_is_refused_within_a_second(
    demo: Program, database: psycopg.Connection
) -> None:
    session = demo.start()
    other = Program(demo.service)
    for whose, end, undo in ENDS:
        wait_until(lambda: other.jupyter_answers(session))
        assert other.api("GET", "me/").status_code == 200
        database.execute(whose.format(end), [other.token])
        ended = time.monotonic()
        assert refused_after(other.api("GET", "me/"), ended) < 1
        v1 = other.http.get(f"{demo.service.url}/api/v1/notebook", timeout=30)
        assert refused_after(v1, ended) < 1

        wait_until(lambda: other.jupyter(session, "GET", "api/me").status_code == 401, seconds=5)
        assert time.monotonic() - ended < 1
        database.execute(whose.format(undo), [other.token])
    demo.delete(session)


def test_a_token_does_what_it_is_for_and_nothing_else(demo: Program) -> None:
    session = demo.start()

    def program(*scopes: str) -> Program:
        made = demo.api("POST", "tokens/", json={"name": "narrow", "scopes": scopes})
        narrow = Program(demo.service)
        narrow.token = made.json()["token"]
        narrow.http.headers["Authorization"] = f"Bearer {narrow.token}"
        return narrow

    watcher, worker = program("read", "launch"), program("access")
    refused = watcher.jupyter(session, "GET", "api/contents")
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert watcher.api("POST", f"sessions/{session}/open/").status_code == 403
    assert worker.jupyter_answers(session)
    assert worker.run_cell(session, "6 * 7") == "42"
    assert worker.api("POST", f"sessions/{session}/stop/").status_code == 403
    assert worker.api("GET", "sessions/").status_code == 403
    assert demo.read(session)["status"] == "running"
    rows = {row["id"]: row for row in demo.api("GET", "tokens/").json()["results"]}

    def noted() -> bool:
        rows.update({row["id"]: row for row in demo.api("GET", "tokens/").json()["results"]})
        [used] = [row for row in rows.values() if worker.token.startswith(row["hint"])]
        return bool(used["last_used_from"] == "127.0.0.1")

    wait_until(noted, seconds=15)
    watcher.verb(session, "stop")
    demo.wait_for(session, "stopped")
    demo.delete(session)
