"""The table of transitions: every pair of states, and who wins a race."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from django.db import connection

from notebooks.models import NotebookSession, SessionEvent
from notebooks.states import SessionStatus as S
from tests.factories import SessionFactory
from tests.sessions import run_of

ALLOWED = {
    (S.STOPPED, S.REQUESTED),
    (S.FAILED, S.REQUESTED),
    (S.REQUESTED, S.STARTING),
    (S.STARTING, S.RUNNING),
    (S.REQUESTED, S.STOPPING),
    (S.STARTING, S.STOPPING),
    (S.RUNNING, S.STOPPING),
    (S.STOPPED, S.STOPPING),
    (S.FAILED, S.STOPPING),
    (S.STOPPING, S.STOPPED),
    (S.STARTING, S.FAILED),
    (S.RUNNING, S.FAILED),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("source", "target"), list(product(S, S)))
def test_a_session_moves_only_as_the_table_says(source: S, target: S) -> None:
    session = SessionFactory.create(status=source)
    allowed = (source, target) in ALLOWED

    moved = NotebookSession.objects.transition(session.pk, target, code="why", message="because")

    session.refresh_from_db()
    assert moved is allowed
    assert session.status == (target if allowed else source)
    events = list(SessionEvent.objects.values_list("from_status", "to_status", "code", "message"))
    assert events == ([(source, target, "why", "because")] if allowed else [])


@pytest.mark.django_db
def test_news_of_an_earlier_run_changes_nothing() -> None:
    session = SessionFactory.create(status=S.STARTING)
    earlier = run_of(SessionFactory.create(status=S.STARTING))

    moved = NotebookSession.objects.transition(session.pk, S.RUNNING, run_id=earlier.pk)

    session.refresh_from_db()
    assert (moved, session.status) == (False, S.STARTING)
    assert not SessionEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_at_once_exactly_one_wins() -> None:
    session = SessionFactory.create(status=S.REQUESTED)

    def claim(_: int) -> bool:
        try:
            return NotebookSession.objects.transition(session.pk, S.STARTING)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(claim, range(16)))

    assert won.count(True) == 1
    assert SessionEvent.objects.count() == 1
