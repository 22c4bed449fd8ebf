"""Orphaned runs: those that the backend has and of which the database has no row.

A leftover looks like a session that is younger than a restored database. What may be such a session
is left alone until an operator removes it or adopts it (`notebooks.adoption`).
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from accounts.models import User
from audit.services import entry as audit_entry
from audit.services import record_all
from notebooks.backends.contract import RunDescription, RunKey
from notebooks.models import OrphanedRun, Run, RunBaseline
from notebooks.wiring import backend

logger = logging.getLogger(__name__)

GRACE = timedelta(minutes=5)
"""How long an orphaned run that is not held is left alone."""

MOST_AT_ONCE = 3
"""Of more orphaned runs at once none is removed: a database that lacks so many is not the one that
began them.
"""

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far the clocks of those that begin runs may be apart."""

_MAX_TEXT = 200


def note_baseline() -> None:
    """Note the newest run that the database knows. Called when a worker starts.

    Runs that wait for a worker do not count: after a restore they are newer than what was lost.
    """
    begun = Q(ready_at__isnull=False) | Q(ended_at__isnull=False) | ~Q(phases={})
    newest = Run.objects.filter(begun).aggregate(newest=Max("created_at"))["newest"]
    RunBaseline.objects.bulk_create(
        [RunBaseline(pk=1, newest_run_at=newest)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["newest_run_at", "noted_at"],
    )


def review(orphaned: Collection[RunKey], *, now: datetime) -> list[RunKey]:
    """Record the runs that are orphaned now, and return those of them to be ended.

    Raises `BackendError` if those that are new cannot be described.
    """
    ids = {key.run_id: key for key in orphaned}
    OrphanedRun.objects.exclude(pk__in=ids).delete()
    if not ids:
        return []
    recorded = set(OrphanedRun.objects.filter(pk__in=ids).values_list("pk", flat=True))
    if new := [key for run_id, key in ids.items() if run_id not in recorded]:
        _record(new, now)
    rows = list(OrphanedRun.objects.filter(pk__in=ids))
    _hold(rows)
    return [row.key for row in rows if is_due(row, now=now) and _begin_removal(row, now)]


def hold_for(
    row: OrphanedRun, *, count: int, newest_run_at: datetime | None
) -> OrphanedRun.Hold | None:
    """Decide whether a run is left alone, being one of `count` orphaned ones. Pure."""
    if (
        newest_run_at is None
        or row.began_at is None
        or row.began_at > newest_run_at - CLOCK_TOLERANCE
    ):
        return OrphanedRun.Hold.NEWER
    return OrphanedRun.Hold.MANY if count > MOST_AT_ONCE else None


def is_due(row: OrphanedRun, *, now: datetime) -> bool:
    """Whether a run is to be ended. Pure."""
    if row.removal_requested_at or row.removal_began_at:
        return True
    return not row.hold and now - row.first_seen_at > GRACE


def held() -> int:
    """Count the runs that wait for an operator's decision."""
    return OrphanedRun.objects.exclude(hold="").filter(removal_requested_at=None).count()


def kernel_digests() -> set[str]:
    """Return the digests of the kernels that orphaned runs have, by their records."""
    listed = OrphanedRun.objects.values_list("record__run__kernels", flat=True)
    kernels = [kernel for each in listed if isinstance(each, list) for kernel in each]
    return {str(kernel.get("digest")) for kernel in kernels if isinstance(kernel, dict)}


def request_removal(run_ids: Collection[UUID], *, actor: User) -> int:
    """Have runs removed at the next look of a worker; how many of them were not to be before."""
    with transaction.atomic():
        rows = list(
            OrphanedRun.objects.select_for_update()
            .filter(pk__in=run_ids, removal_requested_at=None, removal_began_at=None)
            .order_by("pk")
        )
        OrphanedRun.objects.filter(pk__in=[row.pk for row in rows]).update(
            removal_requested_at=timezone.now()
        )
        record_all(
            *(
                audit_entry(
                    "orphan.removed",
                    row,
                    actor=actor,
                    before={"session": str(row.session_id), "owner": row.owner_name},
                )
                for row in rows
            )
        )
    return len(rows)


def _record(keys: Iterable[RunKey], now: datetime) -> None:
    keys = list(keys)
    described = backend().describe(keys)
    OrphanedRun.objects.bulk_create(
        [_row(key, described[key], now) for key in keys if key in described],
        ignore_conflicts=True,
    )


def _row(key: RunKey, description: RunDescription, now: datetime) -> OrphanedRun:
    return OrphanedRun(
        run_id=key.run_id,
        session_id=key.session_id,
        began_at=description.created_at,
        owner_name=description.owner[:_MAX_TEXT],
        name=description.display_name[:_MAX_TEXT],
        record=dict(description.record),
        first_seen_at=now,
    )


def _hold(rows: Collection[OrphanedRun]) -> None:
    """Hold those that are to be left alone. Once held, a run stays so: what it was held for may
    not be seen any more when others were removed or workers started anew.
    """
    newest = RunBaseline.objects.values_list("newest_run_at", flat=True).first()
    for row in rows:
        if row.hold or row.removal_began_at:
            continue
        hold = hold_for(row, count=len(rows), newest_run_at=newest)
        if hold is None:
            continue
        row.hold = hold
        OrphanedRun.objects.filter(pk=row.pk, removal_began_at=None).update(hold=hold)
        logger.warning(
            "run %s of session %s has no row and is left alone (%s): an operator decides",
            row.pk,
            row.session_id,
            hold.label,
        )


def _begin_removal(row: OrphanedRun, now: datetime) -> bool:
    """Claim the removal of a run; False if it was adopted meanwhile."""
    if row.removal_began_at:
        return True
    began = OrphanedRun.objects.filter(pk=row.pk, removal_began_at=None).update(
        removal_began_at=now
    )
    if began:
        logger.warning("run %s belongs to no session: ending it", row.pk)
    return bool(began)
