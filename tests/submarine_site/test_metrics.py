"""Figures for Prometheus."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from accounts.services import create_token
from notebooks import holdings, tasks
from notebooks.models import SessionEvent
from notebooks.states import SessionStatus as S
from quotas.models import Reservation
from submarine_site.core import redis
from submarine_site.core.heartbeat import Heartbeat, beat
from tests.broker import Broker
from tests.conftest import browser_of
from tests.factories import ProfileFactory, SessionFactory, VolumeFactory

pytestmark = pytest.mark.django_db


def figures(operator: User) -> dict[str, float]:
    response = browser_of(operator).get("/metrics")
    assert response.status_code == 200
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_sessions_are_counted_by_state(operator: User) -> None:
    for status in (S.RUNNING, S.RUNNING, S.STOPPED):
        SessionFactory.create(status=status)
    SessionFactory.create(status=S.STOPPED, deleted_at=timezone.now())
    told = figures(operator)
    assert {name: value for name, value in told.items() if name.startswith("submarine_se")} == {
        "submarine_sessions requested": 0,
        "submarine_sessions starting": 0,
        "submarine_sessions running": 2,
        "submarine_sessions stopping": 0,
        "submarine_sessions stopped": 1,
        "submarine_sessions failed": 0,
    }


def test_what_is_held_is_summed_and_repairs_of_the_ledger_counted(operator: User) -> None:
    profile = ProfileFactory.create(name="gpu-1", gpus=1, accelerator="a100", cpu_milli=500)
    SessionFactory.create(status=S.RUNNING, profile=profile)
    SessionFactory.create(status=S.RUNNING)
    VolumeFactory.create(size_mib=1024)
    Reservation.objects.filter(cpu_milli=500).delete()
    told = figures(operator)
    assert told["submarine_ledger_repairs_total"] == 0
    assert told["submarine_held sessions"] == 1
    holdings.settle(set())
    told = figures(operator)
    assert told["submarine_ledger_repairs_total"] == 1
    assert {name: value for name, value in told.items() if name.startswith("submarine_held")} == {
        "submarine_held sessions": 2,
        "submarine_held cpu_milli": 1500,
        "submarine_held memory_mib": 4096,
        "submarine_held storage_mib": 1024,
        "submarine_held volumes": 1,
        "submarine_held gpu:a100": 1,
    }


def test_failures_of_the_last_hour_are_counted_by_code(operator: User) -> None:
    session = SessionFactory.create(status=S.FAILED)
    for age in (timedelta(0), timedelta(minutes=59), timedelta(hours=2)):
        SessionEvent.objects.create(
            session=session,
            to_status=S.FAILED,
            code="server_crashed",
            created_at=timezone.now() - age,
        )
    assert figures(operator)["submarine_failures_last_hour server_crashed"] == 2


def test_tasks_that_wait_are_counted(operator: User) -> None:
    broker = Broker()
    broker.take()
    tasks.reconcile_all.delay()
    assert figures(operator)["submarine_tasks_waiting"] == 1
    broker.take()
    assert figures(operator)["submarine_tasks_waiting"] == 0


def test_how_long_the_background_has_been_silent_is_told(operator: User) -> None:
    assert "submarine_watcher_silence_seconds" not in figures(operator)
    beat(Heartbeat.WATCHER)
    told = figures(operator)
    assert 0 <= told["submarine_watcher_silence_seconds"] < 60
    assert "submarine_poll_silence_seconds" not in told


def test_without_redis_the_database_is_still_told_of(operator: User, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    redis.client.cache_clear()
    told = figures(operator)
    assert "submarine_sessions running" in told
    assert "submarine_watcher_silence_seconds" not in told


def test_prometheus_comes_with_a_token_of_an_operator(operator: User, client: Client) -> None:
    secret = create_token(user=operator, name="prometheus", scopes=["admin"]).secret
    response = client.get(
        "/metrics",
        headers={"Authorization": f"Bearer {secret}", "Accept": "application/openmetrics-text"},
    )
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")


def test_a_token_of_somebody_else_is_refused(mallory: User, client: Client) -> None:
    secret = create_token(user=mallory, name="mine").secret
    response = client.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert response.status_code == 403


def test_every_figure_is_described_for_operators(operator: User, settings) -> None:
    for heart in Heartbeat:
        beat(heart)
    SessionEvent.objects.create(
        session=SessionFactory.create(status=S.FAILED), to_status=S.FAILED, code="server_crashed"
    )
    SessionFactory.create(status=S.RUNNING)
    described = (settings.BASE_DIR / "docs" / "operators.md").read_text()
    names = {name.partition(" ")[0] for name in figures(operator)}
    assert len(names) == 8
    assert {name for name in names if f"`{name}" not in described} == set()
