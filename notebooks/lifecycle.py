"""What a worker does to a session: begin a run, record what was seen of it, end it.

Each function claims by a guarded transition, calls the backend outside any transaction and
records the outcome, so each may run twice, beside itself, or die at any line: what it left is
seen and mended by the reconciler.
"""

import logging
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from notebooks.addresses import base_path
from notebooks.backends.contract import (
    BackendError,
    BackendRefused,
    Observed,
    PhaseTime,
    RunKey,
    SessionSpec,
)
from notebooks.credentials import jupyter_token
from notebooks.models import MAX_DETAIL, NotebookSession, Run, RunPhase
from notebooks.states import SessionStatus
from notebooks.wiring import backend
from submarine_site.core.live import announce

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
    )


def launch(key: RunKey) -> None:
    """Begin a run.

    Requires the session to be requested, or starting with nothing of it in the backend (the
    worker that claimed it died); leaves it starting, or failed when the backend refuses.
    Raises `BackendUnavailable`, with the session starting: try again.
    """
    NotebookSession.objects.transition(key.session_id, SessionStatus.STARTING, run_id=key.run_id)
    session = (
        NotebookSession.objects.select_related("owner", "current_run")
        .filter(pk=key.session_id, current_run_id=key.run_id, status=SessionStatus.STARTING)
        .first()
    )
    if session is None or session.current_run is None:
        return
    try:
        backend().ensure_volume(session.pk)
        backend().start(_spec(session, session.current_run))
    except BackendRefused as refusal:
        fail(key, code=refusal.code, message=refusal.message)
        return
    still_wanted = NotebookSession.objects.filter(
        pk=key.session_id, current_run_id=key.run_id, status=SessionStatus.STARTING
    )
    if not still_wanted.exists():
        # It was stopped while the backend was at work: that stop may have found nothing, and of
        # a deleted session the home may have been made again.
        halt(key)


def halt(key: RunKey) -> None:
    """End a run, and record it as stopped once nothing of it is left.

    Requires the session to be stopping, or this run to be wanted no more; leaves it stopping or
    stopped.
    """
    without_tail = Run.objects.filter(pk=key.run_id, log_tail="")
    if without_tail.exists():
        without_tail.update(log_tail=log_tail(key))
    backend().stop(key)
    if backend().observe(key) is None:
        finish(key)


def finish(key: RunKey) -> None:
    """Record that a run is gone; of a deleted session, remove home and logs as well.

    Requires the session to be stopping and its run confirmed gone; leaves it stopped.
    """
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


def record_phases(key: RunKey, phases: Iterable[PhaseTime]) -> None:
    """Keep the times of a launch's phases as the backend saw them. Requires the run not to have
    ended: its phases are over.
    """
    if not Run.objects.filter(pk=key.run_id, ended_at=None).exists():
        return
    RunPhase.objects.bulk_create(
        [
            RunPhase(
                run_id=key.run_id,
                phase=seen.phase,
                started_at=seen.started_at,
                finished_at=seen.finished_at,
                detail=seen.detail[:MAX_DETAIL],
            )
            for seen in phases
        ],
        update_conflicts=True,
        unique_fields=["run", "phase"],
        update_fields=["started_at", "finished_at", "detail"],
    )
    owner_id = NotebookSession.objects.values_list("owner_id", flat=True).get(pk=key.session_id)
    announce(owner_id, str(key.session_id))


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
