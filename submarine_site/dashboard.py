"""The admin's start page: how the service does, by a handful of questions whatever there is."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncHour
from django.http import HttpRequest
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from notebooks import capacity, orphans
from notebooks.failures import explain
from notebooks.models import NotebookSession, Run, SessionEvent
from notebooks.states import ACTIVE, SessionStatus
from quotas import overview
from quotas.admin.fields import bars
from quotas.amounts import Amounts
from quotas.models import QuotaRequest
from submarine_site.health import tasks_waiting

logger = logging.getLogger(__name__)

HOURS = 24
_STEP = 10
_HEIGHT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One hour of a plot, in the plot's own units."""

    x: int
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """How often something was, hour by hour, the present one last."""

    total: int
    most: int
    bars: Sequence[Bar]
    width: int = HOURS * _STEP
    height: int = _HEIGHT


def add_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the start page shows to those who may look at sessions and limits."""
    if not request.user.has_perms(["notebooks.view_notebooksession", "quotas.view_limit"]):
        return context
    now = timezone.now()
    site = overview.site()
    return context | {
        "dashboard": {
            "sessions": _sessions(),
            "site": bars(site),
            "capacity": _capacity({each.resource: each.used for each in site}),
            "failures": _failures(
                since=timezone.localtime(now).replace(hour=0, minute=0, second=0)
            ),
            "waiting": _waiting(),
            "orphaned": orphans.held(),
            "requests": QuotaRequest.objects.filter(state=QuotaRequest.State.OPEN).count(),
            "started": plot(_hourly(Run.objects.order_by(), now), now=now),
            "failed": plot(_hourly(_failed(), now), now=now),
        }
    }


def _sessions() -> list[tuple[str, int]]:
    present = NotebookSession.objects.filter(Q(deleted_at=None) | Q(status__in=sorted(ACTIVE)))
    counted = dict(present.order_by().values_list("status").annotate(Count("pk")))
    return [(status.label, counted.get(status.value, 0)) for status in SessionStatus]


def _failed() -> Any:
    return SessionEvent.objects.filter(to_status=SessionStatus.FAILED).order_by()


def _failures(*, since: datetime) -> list[tuple[str, str, int]]:
    counted = _failed().filter(created_at__gte=since).values_list("code").annotate(n=Count("pk"))
    return [
        (code, explain(code, "").title, times) for code, times in counted.order_by("-n", "code")
    ]


def _capacity(used: Amounts) -> str:
    """Bars of what is held against what there is; empty where that is not known."""
    try:
        there = capacity.known()
    except (RedisError, OSError) as error:
        logger.warning("what there is cannot be looked up: %s", error)
        return ""
    return bars(capacity.against(there, used)) if there else ""


def _waiting() -> int | None:
    try:
        return tasks_waiting()
    except (RedisError, OperationalError, OSError) as error:
        logger.warning("the queue of tasks cannot be looked at: %s", error)
        return None


def _hourly(rows: Any, now: datetime) -> Iterable[tuple[datetime, int]]:
    since = _first_hour(now)
    counted: Iterable[tuple[datetime, int]] = (
        rows.filter(created_at__gte=since)
        .values_list(TruncHour("created_at"))
        .annotate(Count("pk"))
    )
    return counted


def _first_hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def plot(counted: Iterable[tuple[datetime, int]], *, now: datetime) -> Plot:
    """Return bars of what was counted by the hour. Pure."""
    by_hour = dict(counted)
    hours = [_first_hour(now) + timedelta(hours=each) for each in range(HOURS)]
    counts = [by_hour.get(hour, 0) for hour in hours]
    most = max(counts)
    bars = []
    for number, (hour, count) in enumerate(zip(hours, counts, strict=True)):
        height = round(_HEIGHT * count / most, 1) if most else 0
        title = f"{timezone.localtime(hour):%H:%M}: {count}"
        bars.append(Bar(x=number * _STEP, y=_HEIGHT - height, height=height, title=title))
    return Plot(total=sum(counts), most=most, bars=bars)
