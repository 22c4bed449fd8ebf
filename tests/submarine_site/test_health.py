"""Health, for probes: what cannot answer is 503, what is late is told."""

import pytest
from django.db import connection
from django.test import Client

from notebooks.tasks import reconcile_all
from submarine_site.core import redis
from submarine_site.core.heartbeat import Heartbeat, beat
from tests.outages import break_connection

pytestmark = pytest.mark.django_db


def late(heart: Heartbeat, seconds: int) -> None:
    """Let it be so long since the sign of life."""
    beat(heart)
    left = redis.client().pttl(heart)
    redis.client().pexpire(heart, left - seconds * 1000)


def test_all_is_well(client: Client) -> None:
    beat(Heartbeat.WATCHER)
    beat(Heartbeat.POLL)
    response = client.get("/health")
    told = response.json()
    assert response.status_code == 200
    assert {name: told[name] for name in ("status", "database", "redis", "queue")} == {
        "status": "ok",
        "database": "ok",
        "redis": "ok",
        "queue": "ok",
    }
    assert (told["watcher"]["status"], told["poll"]["status"]) == ("ok", "ok")
    assert told["orphaned_runs"] == {"status": "ok", "held": 0}
    assert response.headers["Cache-Control"].startswith("max-age=0, no-cache")


@pytest.mark.parametrize("heart", Heartbeat)
def test_what_is_late_is_told_and_takes_nothing_away(heart: Heartbeat, client: Client) -> None:
    for other in Heartbeat:
        beat(other)
    late(heart, 100)
    response = client.get("/health")
    told = response.json()
    said = told["watcher" if heart is Heartbeat.WATCHER else "poll"]
    assert (response.status_code, told["status"], said["status"]) == (200, "degraded", "stale")
    assert said["seconds"] >= 100


def test_what_was_never_heard_is_unknown(client: Client) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "degraded",
        "database": "ok",
        "redis": "ok",
        "queue": "ok",
        "watcher": {"status": "unknown", "seconds": None},
        "poll": {"status": "unknown", "seconds": None},
        "orphaned_runs": {"status": "ok", "held": 0},
    }


def test_a_look_at_everything_is_a_sign_of_life(client: Client) -> None:
    reconcile_all()
    assert client.get("/health").json()["poll"]["status"] == "ok"


def test_without_redis_it_is_unavailable(client: Client, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    redis.client.cache_clear()
    response = client.get("/health")
    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "database": "ok",
        "redis": "unavailable",
        "queue": "unavailable",
        "watcher": {"status": "unknown", "seconds": None},
        "poll": {"status": "unknown", "seconds": None},
        "orphaned_runs": {"status": "ok", "held": 0},
    }


@pytest.mark.django_db(transaction=True)
def test_without_the_database_it_is_unavailable(client: Client) -> None:
    connection.ensure_connection()
    assert break_connection()
    response = client.get("/health")
    connection.close()
    assert (response.status_code, response.json()["database"]) == (503, "unavailable")
    assert response.json()["orphaned_runs"] == {"status": "unknown", "held": None}
