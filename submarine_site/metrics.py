"""Figures for Prometheus, all read from the database and Redis: any web process gives the same."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from rest_framework.permissions import IsAdminUser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.permissions import HasScope
from accounts.scopes import Scope
from notebooks import orphans
from notebooks.models import NotebookSession, SessionEvent
from notebooks.states import ACTIVE, SessionStatus
from quotas import ledger
from quotas.models import Reservation
from submarine_site.core.heartbeat import Heartbeat, seconds_since
from submarine_site.health import tasks_waiting

logger = logging.getLogger(__name__)

RECENT = timedelta(hours=1)


class _Metrics(APIView):
    """For staff, by sign-in or API token."""

    permission_classes = [HasScope, IsAdminUser]
    needs = {"get": Scope.ADMIN}
    renderer_classes = [JSONRenderer]  # Of refusals.
    schema = None

    def perform_content_negotiation(
        self,
        request: Request,
        force: Any = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """Whatever is asked for: the format has a name that DRF does not know."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Site())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


metrics = require_safe(_Metrics.as_view())


class _Site(Collector):
    def collect(self) -> Iterator[Metric]:
        yield _sessions()
        yield _failures()
        yield _held()
        yield _repairs()
        yield _orphaned_runs()
        yield from _known(
            "submarine_watcher_silence_seconds",
            "Since the watcher was last connected to the backend.",
            lambda: seconds_since(Heartbeat.WATCHER),
        )
        yield from _known(
            "submarine_poll_silence_seconds",
            "Since a worker last looked at everything.",
            lambda: seconds_since(Heartbeat.POLL),
        )
        yield from _known(
            "submarine_tasks_waiting", "Tasks that no worker has taken yet.", tasks_waiting
        )


def _sessions() -> Metric:
    gauge = GaugeMetricFamily(
        "submarine_sessions", "Sessions that are not deleted, by state.", labels=["state"]
    )
    present = NotebookSession.objects.filter(Q(deleted_at=None) | Q(status__in=sorted(ACTIVE)))
    counted = dict(present.order_by().values_list("status").annotate(Count("pk")))
    for status in SessionStatus:
        gauge.add_metric([status.value], counted.get(status.value, 0))
    return gauge


def _failures() -> Metric:
    gauge = GaugeMetricFamily(
        "submarine_failures_last_hour", "Runs that failed within the last hour.", labels=["code"]
    )
    recent = SessionEvent.objects.filter(
        to_status=SessionStatus.FAILED, created_at__gt=timezone.now() - RECENT
    )
    for code, times in recent.order_by("code").values_list("code").annotate(Count("pk")):
        gauge.add_metric([code], times)
    return gauge


def _held() -> Metric:
    gauge = GaugeMetricFamily(
        "submarine_held", "What sessions and volumes hold of each resource.", labels=["resource"]
    )
    for resource, amount in ledger.held_in_all().items():
        gauge.add_metric([resource], amount)
    return gauge


def _repairs() -> Metric:
    return CounterMetricFamily(
        "submarine_ledger_repairs",
        "What the ledger lacked, or had too long, when it was compared with what there is.",
        value=Reservation.objects.filter(note=ledger.FOUND).count(),
    )


def _orphaned_runs() -> Metric:
    return GaugeMetricFamily(
        "submarine_orphaned_runs_held",
        "Runs without a row in the database that wait for an operator's decision.",
        value=orphans.held(),
    )


def _known(name: str, meaning: str, read: Callable[[], float | None]) -> Iterator[Metric]:
    """A figure from Redis; none where it is not known, for 0 would say that all is well."""
    try:
        value = read()
    except (RedisError, OperationalError, OSError) as error:
        logger.warning("%s: %s", name, error)
        return
    if value is not None:
        yield GaugeMetricFamily(name, meaning, value=value)
