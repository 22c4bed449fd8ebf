"""The table of transitions: every pair of states, and who wins a race."""

from itertools import product
from uuid import UUID

import pytest

from notebooks.models import NotebookSession, SessionEvent
from notebooks.states import SessionStatus as S
from tests.factories import SessionFactory
from tests.sessions import key_of, moves, run_of, state_of
from tests.threads import at_once

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

    won = at_once(16, lambda _: NotebookSession.objects.transition(session.pk, S.STARTING))

    assert won.count(True) == 1
    assert SessionEvent.objects.count() == 1


def run_ids(sessions: list[NotebookSession]) -> list[UUID]:
    return [key_of(session).run_id for session in sessions]


@pytest.mark.django_db
@pytest.mark.parametrize("target", list(S))
def test_of_many_those_move_that_the_table_allows(
    target: S, django_capture_on_commit_callbacks
) -> None:
    sessions = {source: SessionFactory.create(status=source) for source in S}
    allowed = {source for source in S if (source, target) in ALLOWED}
    other = SessionFactory.create(status=S.STARTING)

    with django_capture_on_commit_callbacks() as hints:
        moved = NotebookSession.objects.transition_runs(run_ids(list(sessions.values())), target)

    assert moved == {sessions[source].pk for source in allowed}
    assert len(hints) == bool(allowed)
    for source, session in sessions.items():
        assert state_of(session) == (target if source in allowed else source)
        assert moves(session) == ([(source, target, "")] if source in allowed else [])
    assert (state_of(other), moves(other)) == (S.STARTING, [])


@pytest.mark.django_db
def test_a_move_of_many_sets_what_it_is_told_to_and_is_an_event_of_the_run() -> None:
    sessions = SessionFactory.create_batch(
        2, status=S.STARTING, reason_code="node_lost", reason="It was lost."
    )
    at = sessions[0].created_at

    NotebookSession.objects.transition_runs(run_ids(sessions), S.RUNNING, last_activity_at=at)

    for session in sessions:
        before = session.status_changed_at
        session.refresh_from_db()
        assert (session.last_activity_at, session.reason_code, session.reason) == (at, "", "")
        event = session.events.get()
        assert (event.run, event.actor, event.message) == (run_of(session), None, "")
        assert event.created_at == session.status_changed_at > before


@pytest.mark.django_db
@pytest.mark.parametrize("known", [True, False])
def test_a_move_of_no_session_changes_nothing(*, known: bool) -> None:
    ids = [UUID(int=1)] if known else []
    assert NotebookSession.objects.transition_runs(ids, S.RUNNING) == set()
    assert not SessionEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_move_the_same_many_each_is_moved_by_one() -> None:
    ids = run_ids(SessionFactory.create_batch(12))

    def claim(number: int) -> set[UUID]:
        turned = ids[number:] + ids[:number]
        return NotebookSession.objects.transition_runs(turned, S.STARTING)

    won = at_once(8, claim)

    assert sum(len(moved) for moved in won) == len(ids)
    assert len(set().union(*won)) == len(ids)
    for session in NotebookSession.objects.all():
        assert moves(session) == [(S.REQUESTED, S.STARTING, "")]


@pytest.mark.django_db(transaction=True)
def test_moves_that_race_each_begin_where_the_one_before_ended() -> None:
    sessions = SessionFactory.create_batch(12)
    ids = run_ids(sessions)
    targets = [S.STARTING, S.RUNNING, S.STOPPING, S.STOPPED, S.REQUESTED, S.FAILED] * 2

    def move(number: int) -> int:
        return len(NotebookSession.objects.transition_runs(ids, targets[number]))

    moved = at_once(len(targets), move)

    assert SessionEvent.objects.count() == sum(moved)
    for session in sessions:
        path = [(source, target) for source, target, _ in moves(session)]
        assert set(path) <= ALLOWED
        assert [source for source, _ in path] == [S.REQUESTED, *(to for _, to in path)][:-1]
        assert state_of(session) == [S.REQUESTED, *(to for _, to in path)][-1]
