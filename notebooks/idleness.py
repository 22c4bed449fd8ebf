"""Which servers are asked whether something happens in them, and what they said, for the gateway:
sessions reach nothing else, and nothing else reaches them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, Value
from django.utils import timezone

from notebooks.gateway.contract import Probed
from notebooks.lifetimes import Signal
from notebooks.models import NotebookSession, Run
from notebooks.states import SessionStatus
from submarine_site.core.live import announce_all

NEAR = timedelta(minutes=2)
"""How long before the end of its limit a run is asked first."""

AGAIN_AFTER = timedelta(seconds=15)
AT_ONCE = 32


def claim_probes() -> list[Run]:
    """Return runs of which it is to be known by now whether they are idle, for this caller alone.
    They are due again after a while.
    """
    now = timezone.now()
    limit = ExpressionWrapper(
        F("idle_limit_minutes") * Value(timedelta(minutes=1)), output_field=DurationField()
    )
    quiet_since = ExpressionWrapper(Value(now + NEAR) - limit, output_field=DateTimeField())
    with transaction.atomic():
        due = list(
            Run.objects.filter(
                Q(probe_at=None) | Q(probe_at__lte=now),
                session__status=SessionStatus.RUNNING,
                session__current_run=F("pk"),
                session__last_activity_at__lte=quiet_since,
                idle_limit_minutes__isnull=False,
            )
            .exclude(address="")
            .order_by(F("probe_at").asc(nulls_first=True))
            .select_for_update(skip_locked=True, of=("self",))[:AT_ONCE]
        )
        Run.objects.filter(pk__in=[run.pk for run in due]).update(probe_at=now + AGAIN_AFTER)
    return due


def record_probes(probed: Sequence[Probed]) -> None:
    """Keep what servers said. What is of a run that is over changes nothing."""
    runs = {each.run_id: each for each in probed}
    with transaction.atomic():
        sessions = list(
            NotebookSession.objects.filter(status=SessionStatus.RUNNING, current_run__in=runs)
            .select_related("current_run")
            .order_by("pk")
            .select_for_update(of=("self",))
        )
        said = [(each, runs[each.current_run.pk]) for each in sessions if each.current_run]
        kernels = {session.pk: each.kernel_at for session, each in said if each.kernel_at}
        terminals = {session.pk: each.terminal_at for session, each in said if each.terminal_at}
        _stamp(kernels, Signal.KERNEL)
        _stamp(terminals, Signal.TERMINAL)
        for session, each in said:
            _record(session, each)
        announce_all((session.owner_id, str(session.pk)) for session in sessions)


def _stamp(seen: dict[UUID, datetime], signal: Signal) -> None:
    if seen:
        NotebookSession.objects.stamp_activity(seen, signal)


def _record(session: NotebookSession, said: Probed) -> None:
    run = session.current_run
    assert run is not None
    if not said.failure:
        Run.objects.filter(pk=run.pk).update(probed_at=said.asked_at, probe_failure="")
    elif not run.probe_failure:
        Run.objects.filter(pk=run.pk).update(probe_failure=said.failure)
        NotebookSession.objects.note(
            session, f"{said.failure} It is not stopped for being idle until that is known."
        )
