"""The tasks: what they do when the backend is away, and who asks for which."""

from datetime import timedelta
from uuid import uuid4

import pytest

from notebooks import lifecycle, reconciler, tasks
from notebooks.backends.contract import RunKey, SessionSpec
from notebooks.backends.fake import FakeBackend, UnreachableBackend
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from submarine_site.core.outside import BackendUnavailable
from submarine_site.core.redis import client
from tests.broker import Broker
from tests.factories import SessionFactory
from tests.sessions import key_of, let_pass, state_of
from tests.threads import at_once

pytestmark = pytest.mark.django_db

KEY = str(uuid4()), str(uuid4())


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lifecycle, reconciler):
        monkeypatch.setattr(module, "backend", UnreachableBackend)


@pytest.mark.usefixtures("away")
def test_a_look_that_fails_is_left_to_the_next(caplog: pytest.LogCaptureFixture) -> None:
    tasks.reconcile_all()
    tasks.reconcile_session(*KEY)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


@pytest.mark.usefixtures("away")
def test_a_halt_that_fails_is_tried_again(requested: NotebookSession) -> None:
    NotebookSession.objects.transition(requested.pk, S.STOPPING)
    key = key_of(requested)
    with pytest.raises(BackendUnavailable):
        tasks.halt(str(key.session_id), str(key.run_id))
    assert state_of(requested) == S.STOPPING


def test_only_what_may_pass_is_retried() -> None:
    assert getattr(tasks.halt, "autoretry_for") == (BackendUnavailable,)  # noqa: B009
    assert tasks.halt.max_retries == 5


@pytest.mark.parametrize("task", [tasks.halt, tasks.reconcile_session])
def test_a_task_of_what_is_not_there_changes_nothing(task, backend: FakeBackend) -> None:
    task(*KEY)
    assert (backend.started, set(backend.volumes)) == ([], set())


def test_a_launch_when_nothing_waits_changes_nothing(backend: FakeBackend, broker: Broker) -> None:
    tasks.launch()
    assert (backend.started, set(backend.volumes), broker.take()) == ([], set(), [])


def test_what_may_take_long_is_left_to_a_task_of_its_own(
    requested: NotebookSession, backend: FakeBackend, broker: Broker
) -> None:
    stopping = SessionFactory.create(status=S.STOPPING)
    let_pass(stopping, timedelta(minutes=1))

    tasks.reconcile_all()

    assert (state_of(requested), state_of(stopping)) == (S.REQUESTED, S.STOPPING)
    assert backend.started == []
    assert broker.work() == ["launch", "reconcile_session"]
    assert (state_of(requested), state_of(stopping)) == (S.STARTING, S.STOPPED)


def test_one_message_has_a_launch_begun_however_many_ask(broker: Broker) -> None:
    at_once(20, lambda _: tasks.ask_to_launch())
    assert broker.take() == [("launch", [])]


def test_what_is_asked_for_while_one_is_at_it_is_begun_by_that_one(
    requested: NotebookSession, backend: FakeBackend, broker: Broker, monkeypatch
) -> None:
    begin = backend.start
    more: list[NotebookSession] = []

    def start(spec: SessionSpec) -> None:
        begin(spec)
        if len(more) < 3:
            more.append(SessionFactory.create())
            tasks.ask_to_launch()

    monkeypatch.setattr(backend, "start", start)
    tasks.ask_to_launch()
    assert broker.work() == ["launch"]
    assert [spec.key for spec in backend.started] == [key_of(one) for one in (requested, *more)]


def test_while_one_is_at_it_others_are_not_asked_again(
    requested: NotebookSession, backend: FakeBackend, broker: Broker, monkeypatch
) -> None:
    begin = backend.start

    def start(spec: SessionSpec) -> None:
        begin(spec)
        # It takes its time.
        client().expire(tasks._ASKED, 0)

    def look_again(*, limit: int) -> list[RunKey]:
        if waiting := requested_now(limit=limit):
            return waiting
        left.append(client().ttl(tasks._ASKED))
        return []

    requested_now = lifecycle.requested
    left: list[object] = []
    monkeypatch.setattr(backend, "start", start)
    monkeypatch.setattr(lifecycle, "requested", look_again)
    tasks.ask_to_launch()
    broker.work()
    assert left[0] in range(1, tasks._ASKED_SECONDS + 1)


def test_who_asks_when_a_launch_is_over_is_heard(broker: Broker) -> None:
    tasks.ask_to_launch()
    assert broker.work() == ["launch"]
    tasks.ask_to_launch()
    assert broker.work() == ["launch"]


def test_what_is_left_when_a_turn_is_over_is_left_to_another(
    requested: NotebookSession, broker: Broker, monkeypatch
) -> None:
    with monkeypatch.context() as short:
        short.setattr(tasks, "_TURN_SECONDS", 0)
        tasks.launch()
    assert state_of(requested) == S.REQUESTED
    assert broker.work() == ["launch"]
    assert state_of(requested) == S.STARTING


def test_one_launch_begins_all_that_wait(backend: FakeBackend, broker: Broker) -> None:
    waiting = SessionFactory.create_batch(tasks._BATCH + 3)
    tasks.ask_to_launch()
    assert broker.work() == ["launch"]
    assert {spec.key for spec in backend.started} == {key_of(session) for session in waiting}


def test_those_that_wait_longest_are_begun_first(backend: FakeBackend) -> None:
    late, early, latest = SessionFactory.create_batch(3)
    for minutes, session in enumerate([latest, late, early], start=1):
        let_pass(session, timedelta(minutes=minutes))
    assert lifecycle.requested(limit=2) == [key_of(early), key_of(late)]


@pytest.mark.usefixtures("away")
def test_a_backend_that_is_away_does_not_keep_a_launch_busy(
    requested: NotebookSession, broker: Broker
) -> None:
    tasks.ask_to_launch()
    assert broker.work() == ["launch"]
    assert state_of(requested) == S.STARTING


def test_the_poll_asks_to_launch_what_was_requested(
    requested: NotebookSession, broker: Broker
) -> None:
    tasks.reconcile_all()
    assert broker.work() == ["launch"]
    assert state_of(requested) == S.STARTING


@pytest.mark.parametrize("status", [status for status in S if status != S.REQUESTED])
def test_the_poll_asks_to_launch_nothing_else(status: S, broker: Broker) -> None:
    SessionFactory.create(status=status)
    tasks.reconcile_all()
    assert "launch" not in [name for name, _ in broker.take()]


def test_a_message_that_was_lost_is_sent_again_by_the_poll(
    requested: NotebookSession, broker: Broker
) -> None:
    tasks.ask_to_launch()
    assert broker.take() == [("launch", [])], "and nobody works on it"
    tasks.reconcile_all()
    assert broker.take() == [], "it may be on its way"

    left = client().ttl(tasks._ASKED)
    assert isinstance(left, int)
    assert 0 <= left <= tasks._ASKED_SECONDS
    client().expire(tasks._ASKED, 0)

    tasks.reconcile_all()
    assert broker.work() == ["launch"]
    assert state_of(requested) == S.STARTING
