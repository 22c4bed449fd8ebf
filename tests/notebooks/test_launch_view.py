"""How a launch is shown."""

from datetime import timedelta

import pytest
from django.utils import timezone

from notebooks import launch_view
from notebooks.backends.contract import Phase
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus
from notebooks.templatetags.sessions import last_lines
from tests import factories

pytestmark = pytest.mark.django_db


def _launching(status: SessionStatus, *, preparing: bool) -> NotebookSession:
    session = factories.SessionFactory.create(status=status)
    run = session.current_run
    assert run is not None
    run.phases.all().delete()
    now = timezone.now()
    run.phases.create(phase=Phase.ACCEPTED, started_at=now, finished_at=now)
    if preparing:
        run.phases.create(phase=Phase.PREPARING, started_at=now + timedelta(seconds=1))
    return session


def test_a_requested_session_is_at_no_step_yet() -> None:
    assert launch_view.current_step(_launching(SessionStatus.REQUESTED, preparing=False)) is None


def test_a_starting_session_is_at_the_step_that_began_last() -> None:
    step = launch_view.current_step(_launching(SessionStatus.STARTING, preparing=True))
    assert step is not None
    assert (step.label, step.seconds) == ("Preparing", None)


def test_a_failed_session_is_at_no_step_and_shows_where_it_ended() -> None:
    session = _launching(SessionStatus.FAILED, preparing=True)
    assert session.current_run is not None
    session.current_run.ready_at = None
    assert launch_view.current_step(session) is None
    assert [step.progress.value for step in launch_view.steps(session)] == [
        "done",
        "failed",
        "to come",
        "to come",
    ]


def test_the_last_lines_of_a_text_are_its_end() -> None:
    assert last_lines("1\n2\n3\n", 2) == "2\n3"
