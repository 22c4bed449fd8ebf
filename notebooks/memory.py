"""Out of memory inside a session that runs on: told to its user.

The kernel's OOM killer may end the process of one notebook and spare the server. The session's
own counter says so, by way of the gateway.
"""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from notebooks.models import NotebookSession, Run, SessionEvent
from notebooks.states import SessionStatus
from submarine_site.core.resources import Resources


def record_oom_kills(seen: Mapping[UUID, int]) -> None:
    """Note of runs how many of their processes were ended so far. A number that is not higher
    than the one before changes nothing, nor does one of a run that is over.
    """
    for run_id, kills in seen.items():
        _record(run_id, kills)


def notice_of(session: NotebookSession) -> SessionEvent | None:
    """The last time that a running session ran out of memory."""
    run = session.current_run
    if run is None or not run.oom_kills or session.status != SessionStatus.RUNNING:
        return None
    return session.events.filter(run=run, code="kernel_out_of_memory").first()


def _record(run_id: UUID, kills: int) -> None:
    with transaction.atomic():
        # The session before its run, as transitions do. Rivals wait here, then see the number.
        session = (
            NotebookSession.objects.select_for_update()
            .filter(current_run_id=run_id, status=SessionStatus.RUNNING)
            .first()
        )
        if session is None:
            return
        run = Run.objects.get(pk=run_id)
        if kills <= run.oom_kills:
            return
        Run.objects.filter(pk=run_id).update(oom_kills=kills)
        NotebookSession.objects.note(
            session, _sentence(kills - run.oom_kills, run.resources), code="kernel_out_of_memory"
        )


def _sentence(ended: int, size: Resources) -> str:
    # Not that the limit was reached: a machine that is full ends processes below it.
    what = "1 process was ended" if ended == 1 else f"{ended} processes were ended"
    return (
        f"Out of memory: {what}; the limit is {size.memory}. Kernels may be lost; files are safe."
    )
