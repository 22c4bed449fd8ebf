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

KEPT_WHEN_GONE = timedelta(days=1)
"""How long a held run stays held that the backend does not list."""

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far the clocks of those that begin runs may be apart."""

_MAX_TEXT = 200


def note_baseline() -> None:
    """Note the newest run that the database knows. Called when a worker starts.

    Runs that wait for a worker do not count: after a restore they are newer than what was lost.
    Nor does what was begun since the last note, before all runs were compared with that or while
    any is held: else the lost ones would not be newer any more.
    """
    begun = Q(ready_at__isnull=False) | Q(ended_at__isnull=False) | ~Q(phases={})
    newest = Run.objects.filter(begun).aggregate(newest=Max("created_at"))["newest"]
    with transaction.atomic():
        noted, is_first = RunBaseline.objects.select_for_update().get_or_create(
            pk=1, defaults={"newest_run_at": newest}
        )
        if is_first or (_is_newer(newest, noted.newest_run_at) and not _may_rise(noted)):
            return
        noted.newest_run_at = newest
        noted.noted_at = timezone.now()
        noted.is_applied = False
        noted.save()


def _is_newer(newest: datetime | None, noted: datetime | None) -> bool:
    return newest is not None and (noted is None or newest > noted)


def _may_rise(noted: RunBaseline) -> bool:
    return noted.is_applied and not OrphanedRun.objects.exclude(hold="").exists()


def review(orphaned: Collection[RunKey], *, now: datetime) -> list[RunKey]:
    """Record the runs that are orphaned now, and return those of them to be ended.

    Raises `BackendError` if those that are new cannot be described.
    """
    baseline = RunBaseline.objects.first()
    ids = {key.run_id: key for key in orphaned}
    _forget(ids, now)
    recorded = set(OrphanedRun.objects.filter(pk__in=ids).values_list("pk", flat=True))
    if new := [key for run_id, key in ids.items() if run_id not in recorded]:
        _record(new, now)
    rows = list(OrphanedRun.objects.filter(pk__in=ids))
    _hold(rows, baseline.newest_run_at if baseline else None)
    if baseline is not None and not baseline.is_applied:
        # Not one that was noted meanwhile.
        RunBaseline.objects.filter(noted_at=baseline.noted_at).update(is_applied=True)
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
    waiting = OrphanedRun.objects.filter(removal_requested_at=None, gone_at=None)
    return waiting.exclude(hold="").count()


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
            .filter(pk__in=run_ids, removal_requested_at=None, removal_began_at=None, gone_at=None)
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


def _forget(listed: Collection[UUID], now: datetime) -> None:
    """Delete the rows of what is gone. Of one that is held that is not sure at once."""
    OrphanedRun.objects.filter(pk__in=listed, gone_at__isnull=False).update(gone_at=None)
    gone = OrphanedRun.objects.exclude(pk__in=listed)
    gone.filter(
        Q(hold="")
        | Q(removal_began_at__isnull=False)
        | Q(gone_at__lt=now - KEPT_WHEN_GONE)
        # Adopted while it was recorded.
        | Q(pk__in=Run.objects.values("pk"))
    ).delete()
    gone.filter(gone_at=None).update(gone_at=now)


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


def _hold(rows: Collection[OrphanedRun], newest: datetime | None) -> None:
    """Hold those that are to be left alone. Once held, a run stays so: what it was held for may
    not be seen any more when others were removed or workers started anew.
    """
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
