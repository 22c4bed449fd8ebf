"""What a worker does to a session: begin a run, record what was seen of it, end it.

Each function claims by a guarded transition, calls the backend outside any transaction and
records the outcome, so each may run twice, beside itself, or die at any line: what it left is
seen and mended by the reconciler.
"""

import logging
from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from notebooks.addresses import base_path
from notebooks.backends.contract import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    Observed,
    Phase,
    PhaseTime,
    RunKey,
    SessionSpec,
)
from notebooks.credentials import jupyter_token
from notebooks.models import MAX_DETAIL, NotebookSession, Run, RunPhase
from notebooks.runs import new_run
from notebooks.states import SessionStatus
from notebooks.wiring import backend
from submarine_site.core.live import announce
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.placement import Placement

logger = logging.getLogger(__name__)

LOG_TAIL_LINES = 50
LOG_TAIL_CHARACTERS = 64 * 1024
"""Lines may be of any length, and the tail goes into a row and through Redis."""


def _spec(session: NotebookSession, run: Run) -> SessionSpec:
    return SessionSpec(
        key=run.key,
        display_name=session.name,
        owner=session.owner.get_username(),
        image=run.image,
        resources=run.resources,
        base_url=base_path(session.pk),
        token=jupyter_token(run.pk),
        home=session.pk,
        placement=Placement.from_json(run.placement),
    )


def launch(key: RunKey) -> None:
    """Begin a run.

    Requires the session to be requested, or starting with nothing of it in the backend (the
    worker that claimed it died); leaves it starting, or failed when the backend refuses.
    Raises `BackendUnavailable`, with the session starting: try again.
    """
    with try_lock(AdvisoryLock.SESSION, key.session_id) as held:
        # Else another worker is at it: it looks whether this is still wanted when it is done.
        if held:
            _launch(key)


def _launch(key: RunKey) -> None:
    NotebookSession.objects.transition(key.session_id, SessionStatus.STARTING, run_id=key.run_id)
    session = (
        NotebookSession.objects.select_related("owner", "current_run")
        .filter(pk=key.session_id, current_run_id=key.run_id, status=SessionStatus.STARTING)
        .first()
    )
    if session is None or session.current_run is None:
        return
    if session.current_run.is_restart and _is_something_left_before(session.current_run):
        hold_up(key, "Waiting until what was lost is gone.")
        return
    try:
        backend().ensure_volume(session.pk)
        backend().start(_spec(session, session.current_run))
    except BackendRefused as refusal:
        fail(key, code=refusal.code, message=refusal.message)
        return
    still_wanted = NotebookSession.objects.filter(
        pk=key.session_id,
        current_run_id=key.run_id,
        # Whoever watches the backend may have seen it ready before `start` has returned.
        status__in=[SessionStatus.STARTING, SessionStatus.RUNNING],
    )
    if not still_wanted.exists():
        # It was stopped while the backend was at work: that stop may have found nothing, and of
        # a deleted session the home may have been made again.
        _halt(key)


def _is_something_left_before(run: Run) -> bool:
    """Whether the run whose place this one takes may still write to the same home."""
    lost = Run.objects.get(session_id=run.session_id, number=run.number - 1)
    return backend().observe(lost.key) is not None


def halt(key: RunKey) -> None:
    """End a run, and record it as stopped once nothing of it is left.

    Requires the session to be stopping, or this run to be wanted no more; leaves it stopping or
    stopped. Raises `BackendUnavailable` also while another worker is at the same session.
    """
    with try_lock(AdvisoryLock.SESSION, key.session_id) as held:
        if not held:
            # Perhaps it is being launched: what is not there yet cannot be ended.
            raise BackendUnavailable("Another worker is at this session.")
        _halt(key)


def _halt(key: RunKey) -> None:
    without_tail = Run.objects.filter(pk=key.run_id, log_tail="")
    if without_tail.exists():
        without_tail.update(log_tail=log_tail(key))
    backend().stop(key)
    if backend().observe(key) is None:
        _finish(key)


def finish(key: RunKey) -> None:
    """Record that a run is gone; of a deleted session, remove home and logs as well.

    Requires the session to be stopping and its run confirmed gone; leaves it stopped, or as it is
    while another worker is at it.
    """
    with try_lock(AdvisoryLock.SESSION, key.session_id) as held:
        if held:
            _finish(key)


def _finish(key: RunKey) -> None:
    session = NotebookSession.objects.filter(pk=key.session_id, current_run_id=key.run_id).first()
    if session is None:
        return
    if session.deleted_at is not None:
        backend().delete_volume(session.pk)
        backend().forget(session.pk)
    with transaction.atomic():
        # One that is deleted between the look and here is left for the next look, which removes
        # its home.
        moved = NotebookSession.objects.filter(deleted_at=session.deleted_at).transition(
            session.pk,
            SessionStatus.STOPPED,
            run_id=key.run_id,
            # Why it was stopped stays the reason for which it is stopped.
            code=session.reason_code,
            message=session.reason,
        )
        if moved:
            _end_run(key)


def hold_up(key: RunKey, why: str) -> None:
    """Say why a run is still queued. Requires the session to be starting."""
    RunPhase.objects.filter(run_id=key.run_id, phase=Phase.QUEUED, finished_at=None).update(
        detail=why[:MAX_DETAIL]
    )
    _announce(key.session_id)


def record_phases(seen: Mapping[RunKey, tuple[PhaseTime, ...]]) -> None:
    """Keep the times of launches' phases as the backend saw them. Of runs that have ended nothing
    is kept: their phases are over.
    """
    sessions = dict(
        Run.objects.filter(pk__in=[key.run_id for key in seen], ended_at=None).values_list(
            "pk", "session__owner_id"
        )
    )
    RunPhase.objects.bulk_create(
        [
            RunPhase(
                run_id=key.run_id,
                phase=phase.phase,
                started_at=phase.started_at,
                finished_at=phase.finished_at,
                detail=phase.detail[:MAX_DETAIL],
            )
            for key, phases in seen.items()
            if key.run_id in sessions
            for phase in phases
        ],
        update_conflicts=True,
        unique_fields=["run", "phase"],
        update_fields=["started_at", "finished_at", "detail"],
    )
    for key in seen:
        if key.run_id in sessions:
            announce(sessions[key.run_id], str(key.session_id))


def mark_running(key: RunKey, observed: Observed) -> None:
    """Record that the server has answered. Requires the session to be starting."""
    with transaction.atomic():
        now = timezone.now()
        moved = NotebookSession.objects.transition(
            key.session_id,
            SessionStatus.RUNNING,
            run_id=key.run_id,
            # From here on idleness counts, never from what an earlier run left behind.
            last_activity_at=now,
        )
        if moved:
            Run.objects.filter(pk=key.run_id).update(address=observed.address, ready_at=now)


def adopt_address(key: RunKey, address: str) -> None:
    """Record that a running server is reached elsewhere than before."""
    Run.objects.filter(pk=key.run_id, ended_at=None).update(address=address)


def stop_exited(key: RunKey, *, code: str, message: str, exit_code: int | None) -> None:
    """Record that a server ended as it was told to from inside; what is left of it goes too.

    Requires the session to be running; leaves it stopping.
    """
    with transaction.atomic():
        moved = NotebookSession.objects.transition(
            key.session_id,
            SessionStatus.STOPPING,
            run_id=key.run_id,
            code=code,
            message=message,
        )
        if moved:
            Run.objects.filter(pk=key.run_id).update(exit_code=exit_code)
    if moved:
        halt(key)


def fail(key: RunKey, *, code: str, message: str, exit_code: int | None = None) -> None:
    """Record that a run failed and why, with the last lines of its log; the first cause wins.

    Requires the session to be starting or running; leaves it failed.
    """
    tail = log_tail(key)
    with transaction.atomic():
        moved = NotebookSession.objects.transition(
            key.session_id,
            SessionStatus.FAILED,
            run_id=key.run_id,
            code=code,
            message=message,
        )
        if moved:
            _end_run(key, exit_code=exit_code, log_tail=tail)
    if moved:
        discard(key)


def restart(key: RunKey, *, code: str, message: str) -> None:
    """Begin a run anew in the place of one that was lost through no fault of its own.

    Requires the session to be starting or running; leaves it starting, by way of failed.
    """
    tail = log_tail(key)
    successor: Run | None = None
    with transaction.atomic():
        session = NotebookSession.objects.select_for_update().get(pk=key.session_id)
        failed = NotebookSession.objects.transition(
            session.pk, SessionStatus.FAILED, run_id=key.run_id, code=code, message=message
        )
        if failed:
            _end_run(key, log_tail=tail)
            successor = new_run(session, is_restart=True)
            NotebookSession.objects.transition(
                session.pk,
                SessionStatus.REQUESTED,
                code=code,
                message=f"{message} It is started again.",
                current_run_id=successor.pk,
            )
    if successor is not None:
        discard(key)
        launch(successor.key)


def discard(key: RunKey) -> None:
    """Remove what is in the backend of a run that no session needs."""
    try:
        backend().stop(key)
    except BackendError as error:
        logger.warning("run %s is left for the next look: %s", key.run_id, error)


def log_tail(key: RunKey, *, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a run's log; empty where there is none or it cannot be read."""
    try:
        # PostgreSQL's text cannot hold a NUL.
        return backend().logs(key, lines=lines).replace("\0", "")[-LOG_TAIL_CHARACTERS:]
    except BackendError as error:
        logger.warning("no log of run %s: %s", key.run_id, error)
        return ""


def _end_run(key: RunKey, **values: int | str | None) -> None:
    now = timezone.now()
    Run.objects.filter(pk=key.run_id, ended_at=None).update(ended_at=now, address="", **values)
    RunPhase.objects.filter(run_id=key.run_id, finished_at=None).update(finished_at=now)


def _announce(session_id: UUID) -> None:
    owner_id = NotebookSession.objects.values_list("owner_id", flat=True).get(pk=session_id)
    announce(owner_id, str(session_id))
