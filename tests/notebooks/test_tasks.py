"""The tasks: what they do when the backend is away."""

from uuid import uuid4

import pytest

from notebooks import lifecycle, reconciler, tasks
from notebooks.backends.contract import BackendUnavailable
from notebooks.backends.fake import FakeBackend, UnreachableBackend
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from tests.sessions import key_of, state_of

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
