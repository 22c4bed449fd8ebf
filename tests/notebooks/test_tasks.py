"""The tasks: what they do when the backend is away."""

from datetime import timedelta
from uuid import uuid4

import pytest

from notebooks import lifecycle, reconciler, tasks
from notebooks.backends.contract import BackendUnavailable
from notebooks.backends.fake import FakeBackend, UnreachableBackend
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from tests.broker import Broker
from tests.factories import SessionFactory
from tests.sessions import key_of, let_pass, state_of

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


@pytest.mark.parametrize("task", [tasks.launch, tasks.halt, tasks.reconcile_session])
def test_a_task_of_what_is_not_there_changes_nothing(task, backend: FakeBackend) -> None:
    task(*KEY)
    assert (backend.started, backend.volumes) == ([], set())


def test_what_may_take_long_is_left_to_a_task_of_its_own(
    requested: NotebookSession, backend: FakeBackend, broker: Broker
) -> None:
    stopping = SessionFactory.create(status=S.STOPPING)
    for session in (requested, stopping):
        let_pass(session, timedelta(minutes=1))
    broker.take()

    tasks.reconcile_all()

    assert (state_of(requested), state_of(stopping)) == (S.REQUESTED, S.STOPPING)
    assert backend.started == []
    assert broker.work() == ["reconcile_session"] * 2
    assert (state_of(requested), state_of(stopping)) == (S.STARTING, S.STOPPED)
