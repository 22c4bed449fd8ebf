"""Logs: kept ones from the database, present ones through a worker, and none within bounds."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from django.core import signing
from django.db import connections
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.test import APIClient

from notebooks import logs, tasks
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from submarine_site.celery import app
from submarine_site.core.redis import client
from submarine_site.core.signed import sign
from tests.broker import Broker
from tests.sessions import key_of, run_of

pytestmark = pytest.mark.django_db


def read(api: APIClient, session: NotebookSession):
    return api.get(f"/api/v2/sessions/{session.pk}/logs")


def test_the_log_of_a_run_that_goes_on_is_read_by_a_worker(
    api: APIClient, running: NotebookSession, backend: FakeBackend, broker: Broker
) -> None:
    key = key_of(running)
    backend.write_log(key, "hello\0 wörld\n")

    def work() -> None:
        task = broker.wait(10)
        assert task is not None
        name, arguments = task
        assert name == "send_log"
        app.tasks["notebooks.tasks.send_log"](*arguments)
        connections.close_all()

    with ThreadPoolExecutor(1) as worker:
        done = worker.submit(work)
        response = read(api, running)
        done.result(10)

    assert response.status_code == 200
    assert response.json() == {"run": str(key.run_id), "text": "hello wörld\n"}


def test_a_reply_that_nobody_waits_for_is_not_kept(running: NotebookSession) -> None:
    tasks.send_log(request_for(running, "log:nobody"), "log:nobody")
    assert 0 < client().ttl("log:nobody") <= 30


def request_for(session: NotebookSession, reply_to: str) -> str:
    """What a worker is asked with for the log of this session."""
    key = key_of(session)
    return sign(reply_to, [str(key.session_id), str(key.run_id), 10])


def test_a_log_is_sent_nowhere_but_to_whom_it_was_signed_for(
    running: NotebookSession, backend: FakeBackend
) -> None:
    backend.write_log(key_of(running), "hello\n")
    key = key_of(running)
    signed = request_for(running, "log:mine")
    for forged in (
        signing.dumps([str(key.session_id), str(key.run_id), 10], key="guessed"),
        "",
        "x:y:z",
    ):
        tasks.send_log(forged, "log:mine")
    tasks.send_log(signed, "log:another")
    assert client().keys("*") == []
    tasks.send_log(signed, "log:mine")
    assert client().keys("*") == [b"log:mine"]


def test_a_log_that_no_worker_wrote_is_not_shown(
    api: APIClient, running: NotebookSession, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notebooks.logs.secrets.token_hex", lambda _: "known")
    for forged in (
        b"rm -rf ~",
        sign("log:other", "text").encode(),
        request_for(running, "log:known"),
    ):
        client().lpush("log:known", forged)
        assert read(api, running).status_code == 503
    client().lpush("log:known", sign("log:known", "the end\n"))
    assert read(api, running).json()["text"] == "the end\n"


def test_the_log_of_a_run_that_ended_is_the_one_kept(
    api: APIClient, failed: NotebookSession, broker: Broker
) -> None:
    run = run_of(failed)
    type(run).objects.filter(pk=run.pk).update(log_tail="the end\n")
    assert read(api, failed).json() == {"run": str(run.pk), "text": "the end\n"}
    assert broker.take() == []


def test_without_a_worker_the_log_is_unavailable_within_bounds(
    api: APIClient, running: NotebookSession, broker: Broker, monkeypatch
) -> None:
    monkeypatch.setattr(logs, "_LOG_WAIT_SECONDS", 0.2)
    began = monotonic()
    response = read(api, running)
    assert monotonic() - began < 2
    assert response.status_code == 503
    assert response.json() == {
        "code": "log_unavailable",
        "message": "The log cannot be read right now. Try again in a moment.",
    }
    assert [name for name, _ in broker.take()] == ["send_log"]


def test_the_wait_is_shorter_than_the_patience_of_the_connection() -> None:
    patience = client().connection_pool.connection_kwargs["socket_timeout"]
    assert patience > logs._LOG_WAIT_SECONDS


def test_without_redis_the_log_is_unavailable(
    api: APIClient, running: NotebookSession, broker: Broker, monkeypatch
) -> None:
    class Away:
        def blpop(self, *_: object, **__: object) -> None:
            raise RedisConnectionError

    monkeypatch.setattr(logs, "client", Away)
    assert read(api, running).json()["code"] == "log_unavailable"
