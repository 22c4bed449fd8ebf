"""How a launch is shown."""

from datetime import timedelta

import pytest
from django.utils import timezone

from notebooks import launch_view
from notebooks.backends.contract import Phase, PhaseTime
from notebooks.models import NotebookSession
from notebooks.phases import as_json
from notebooks.states import SessionStatus
from notebooks.templatetags.sessions import last_lines
from tests import factories

pytestmark = pytest.mark.django_db


START = timezone.now()
LOCAL = ["Queued", "Preparing", "Starting Jupyter", "Ready"]


def _launching(status: SessionStatus, *phases: Phase, detail: str = "") -> NotebookSession:
    """A session that was queued, went through these phases, a second each, and is in the last."""
    session = factories.SessionFactory.create(status=status)
    run = session.current_run
    assert run is not None
    run.created_at, run.ready_at = START, None
    run.phases = as_json(
        PhaseTime(
            phase=phase,
            started_at=START + timedelta(seconds=number),
            finished_at=None if phase == phases[-1] else START + timedelta(seconds=number + 1),
            detail=detail if phase == phases[-1] else "",
        )
        for number, phase in enumerate(phases, start=1)
    )
    return session


def _shown(session: NotebookSession) -> list[tuple[str, str]]:
    return [(step.label, step.progress.value) for step in launch_view.steps(session)]


def test_a_requested_session_is_queued() -> None:
    session = _launching(SessionStatus.REQUESTED)
    assert _shown(session) == list(
        zip(LOCAL, ["now", "to come", "to come", "to come"], strict=True)
    )


def test_a_starting_session_is_at_the_step_that_began_last() -> None:
    step = launch_view.current_step(
        _launching(SessionStatus.STARTING, Phase.PREPARING, detail="Half way.")
    )
    assert step is not None
    assert (step.label, step.seconds, step.detail) == ("Preparing", None, "Half way.")


def test_between_two_steps_the_one_that_ended_is_still_what_goes_on() -> None:
    session = _launching(SessionStatus.STARTING, Phase.PREPARING)
    assert session.current_run is not None
    session.current_run.phases["preparing"]["finished_at"] = str(START + timedelta(seconds=3))
    step = launch_view.current_step(session)
    assert step is not None
    assert (step.label, step.seconds) == ("Preparing", 2.0)


def test_a_failed_session_is_at_no_step_and_shows_where_it_ended() -> None:
    session = _launching(SessionStatus.FAILED, Phase.PREPARING)
    assert launch_view.current_step(session) is None
    assert _shown(session) == list(
        zip(LOCAL, ["done", "failed", "to come", "to come"], strict=True)
    )


def test_a_cluster_has_more_steps_to_come(settings) -> None:
    settings.BACKEND = "kubernetes"
    assert _shown(_launching(SessionStatus.STARTING, Phase.SCHEDULING)) == [
        ("Queued", "done"),
        ("Finding a place", "now"),
        ("Attaching storage", "to come"),
        ("Pulling the image", "to come"),
        ("Preparing", "to come"),
        ("Starting Jupyter", "to come"),
        ("Ready", "to come"),
    ]


def test_a_step_that_was_left_out_is_not_shown(settings) -> None:
    settings.BACKEND = "kubernetes"
    session = _launching(SessionStatus.STARTING, Phase.SCHEDULING, Phase.STARTING_SERVER)
    assert _shown(session) == [
        ("Queued", "done"),
        ("Finding a place", "done"),
        ("Starting Jupyter", "now"),
        ("Ready", "to come"),
    ]


def test_a_session_that_is_up_has_gone_through_every_step() -> None:
    session = _launching(SessionStatus.RUNNING, Phase.PREPARING, Phase.STARTING_SERVER, Phase.READY)
    assert session.current_run is not None
    session.current_run.ready_at = START + timedelta(seconds=3)
    assert _shown(session) == [(label, "done") for label in LOCAL]


def test_the_last_lines_of_a_text_are_its_end() -> None:
    assert last_lines("1\n2\n3\n", 2) == "2\n3"
