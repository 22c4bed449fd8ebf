"""Stopping everything, as before maintenance."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from notebooks.backends.fake import FakeBackend
from notebooks.management.commands import stop_sessions
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from tests.broker import Broker
from tests.factories import SessionFactory
from tests.sessions import key_of, moves, state_of, tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list:
    """What is done between two looks of the command, one after the other."""
    due: list = []

    class Pause:
        def wait(self, _seconds: float) -> None:
            due.pop(0)()

    monkeypatch.setattr(stop_sessions, "Event", Pause)
    return due


def test_what_runs_is_stopped_and_waited_for(
    running: NotebookSession, backend: FakeBackend, looks: list
) -> None:
    key = key_of(running)
    looks += [lambda: backend.stop(key), backend.settle, tick]
    call_command("stop_sessions")
    assert (state_of(running), looks) == (S.STOPPED, [])
    assert moves(running)[-2] == (S.RUNNING, S.STOPPING, "service_stopped")


def test_what_is_started_meanwhile_is_stopped_too(
    running: NotebookSession, backend: FakeBackend, looks: list
) -> None:
    late = []
    looks += [lambda: late.append(SessionFactory.create(status=S.STARTING)), lambda: None]
    with pytest.raises(IndexError):  # Nobody ends them here: the command goes on looking.
        call_command("stop_sessions")
    assert state_of(late[0]) == S.STOPPING


def test_what_does_not_end_in_time_is_told(running: NotebookSession, broker: Broker) -> None:
    with pytest.raises(CommandError, match="1 sessions have not ended within 0 s"):
        call_command("stop_sessions", timeout=0)
    assert state_of(running) == S.STOPPING
