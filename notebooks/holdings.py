"""What sessions hold of quotas: from the request of a run until nothing of it is left."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.urls import reverse

from notebooks.models import NotebookSession, Run
from notebooks.states import LAUNCHED
from quotas import ledger
from quotas.holders import Holder
from quotas.limits import Bounds, bounds_of, named_pool
from quotas.models import Reservation, session_amounts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How much the ledger differed from what there was, before it was put right."""

    lacking: int
    left: int


def hold(session: NotebookSession, run: Run, *, charge_to: str = "") -> Reservation:
    """Return what the run holds, admitted and to be saved with it; sets what the session is
    charged to. Requires a transaction.

    Raises `InvalidInput` (`charge_to`) for a group whose pool its owner may not use, or as
    `ledger.admit` does.
    """
    bounds = bounds_of(session.owner_id)
    session.charged_to_id = pool_of(session, bounds, charge_to)
    reservation = reservation_of(session, run)
    ledger.admit(reservation, bounds=bounds, field="profile")
    return reservation


def carry_over(session: NotebookSession, successor: Run) -> None:
    """Have a run that takes another one's place hold as much: nothing is asked for anew."""
    reservation_of(session, successor).save(force_insert=True)


def release(run_ids: Collection[UUID]) -> int:
    """Give back what these runs hold. Requires nothing of them to be left."""
    return Reservation.objects.of_parts(run_ids).release()


def release_ended(run_ids: Collection[UUID]) -> int:
    """The same of those among them that are over: of one that is to run again nothing is left
    either.
    """
    over = Run.objects.filter(pk__in=run_ids, ended_at__isnull=False).values("pk")
    return Reservation.objects.held().filter(part__in=over).release()


def settle(observed: Collection[UUID]) -> Drift:
    """Put the ledger right by the runs that there are in the backend and the sessions that there
    are in the database: give back what is gone, and count what was not.
    """
    active = NotebookSession.objects.active().filter(current_run=OuterRef("part"))
    held = Reservation.objects.held().filter(kind=Reservation.Kind.SESSION)
    over = held.exclude(Exists(active)).values_list("part", flat=True)
    gone = set(over) - set(observed)
    known = set(Run.objects.filter(pk__in=gone).values_list("pk", flat=True))
    release(known)
    left = Reservation.objects.of_parts(gone - known).release(note=ledger.FOUND)
    counted = Reservation.objects.held().filter(part=OuterRef("current_run"))
    uncounted = NotebookSession.objects.filter(
        ~Exists(counted), status__in=sorted(LAUNCHED), current_run__isnull=False
    ).select_related("current_run")
    lacking = [
        reservation_of(session, session.current_run, note=ledger.FOUND)
        for session in uncounted
        if session.current_run is not None
    ]
    Reservation.objects.bulk_create(lacking, ignore_conflicts=True)
    if lacking or left:
        logger.warning("the ledger lacked %d runs, and had %d that are none", len(lacking), left)
    return Drift(lacking=len(lacking), left=left)


def described(ids: Collection[UUID]) -> Mapping[UUID, Holder]:
    """Which sessions these are."""
    return {
        session.pk: Holder(
            name=session.name,
            address="" if session.deleted_at else reverse("session", kwargs={"pk": session.pk}),
            can_stop=session.is_launched,
            is_ending=not session.is_launched,
        )
        for session in NotebookSession.objects.filter(pk__in=ids)
    }


def default_pool(user_id: int, bounds: Bounds) -> int | None:
    """Which pool is charged where none is named: that of the last time, if it still can be."""
    if len(bounds.pools) > 1:
        sessions = NotebookSession.objects.filter(owner=user_id).order_by("-created_at")
        last = sessions.values_list("charged_to_id", flat=True).first()
        if last in bounds.pools:
            return last
    return next(iter(bounds.pools), None)


def pool_of(session: NotebookSession, bounds: Bounds, charge_to: str = "") -> int | None:
    """Which pool the session's next run is charged to. Raises `InvalidInput` as `named_pool`."""
    if charge_to:
        return named_pool(bounds, charge_to)
    if session.charged_to_id in bounds.pools:
        return session.charged_to_id
    return default_pool(session.owner_id, bounds)


def reservation_of(session: NotebookSession, run: Run, *, note: str = "") -> Reservation:
    """Return what the run holds, unsaved."""
    return Reservation.of(
        kind=Reservation.Kind.SESSION,
        holder=session.pk,
        part=run.pk,
        user_id=session.owner_id,
        pool_id=session.charged_to_id,
        amounts=session_amounts(run.resources, run.accelerator),
        note=note,
    )
