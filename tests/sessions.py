"""Ways through a session's life: what tests do to sessions, and what they ask of them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from notebooks import lifecycle, reconciler
from notebooks.backends.contract import RunKey
from notebooks.models import NotebookSession, Run


def tick() -> None:
    """One look of the reconciler at everything, and all that it asks for: what was requested is
    begun, and each that has to be looked at again is.
    """
    due = reconciler.reconcile_all()
    assert due is not None
    lifecycle.launch(*lifecycle.requested(limit=16))
    for key in due:
        reconciler.reconcile_session(key)


def run_of(session: NotebookSession) -> Run:
    """Its present or last run, as the database has it now."""
    run = NotebookSession.objects.get(pk=session.pk).current_run
    assert run is not None
    return run


def key_of(session: NotebookSession) -> RunKey:
    return run_of(session).key


def state_of(session: NotebookSession) -> str:
    return NotebookSession.objects.values_list("status", flat=True).get(pk=session.pk)


def let_pass(session: NotebookSession, span: timedelta) -> None:
    """Have the session be in its state for this long."""
    NotebookSession.objects.filter(pk=session.pk).update(status_changed_at=timezone.now() - span)


def sites_homes(settings: Any, **said: str) -> None:
    """Have the site's homes be what a cluster's settings say; the backend stays what it is."""
    settings.BACKEND = "kubernetes"
    settings.KUBERNETES = said


def moves(session: NotebookSession) -> list[tuple[str, str, str]]:
    """What happened to it, oldest first: from, to and code of each event."""
    events = session.events.order_by("id")
    return list(events.values_list("from_status", "to_status", "code"))


def actors(session: NotebookSession) -> list[User | None]:
    """Who did what happened to it, oldest first."""
    return [event.actor for event in session.events.order_by("id").select_related("actor")]
