"""What a run keeps of its launch."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notebooks import lifecycle
from notebooks.backends.contract import Phase, PhaseTime
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession, Run
from notebooks.phases import as_json, from_json
from tests.sessions import key_of, run_of

START = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
SCHEDULING = PhaseTime(
    phase=Phase.SCHEDULING, started_at=START, finished_at=START + timedelta(seconds=2)
)
PULLING = PhaseTime(phase=Phase.PULLING_IMAGE, started_at=START, detail="2 of 3 layers")


def test_phases_come_back_as_they_were_in_their_order() -> None:
    kept = json.loads(json.dumps(as_json([PULLING, SCHEDULING])))
    assert from_json(kept) == (SCHEDULING, PULLING)


@pytest.mark.django_db
def test_what_is_seen_later_is_merged_with_what_was_seen_before(starting: NotebookSession) -> None:
    key = key_of(starting)
    lifecycle.record_progress({key: [SCHEDULING, PULLING]}, {})
    pulled = PhaseTime(phase=Phase.PULLING_IMAGE, started_at=START, finished_at=START)
    lifecycle.record_progress({key: [pulled]}, {})
    assert run_of(starting).seen_phases == (SCHEDULING, pulled)


def test_a_run_is_queued_until_its_first_phase_and_says_why() -> None:
    run = Run(created_at=START, held_up="Full.")
    assert run.steps == [PhaseTime(phase=Phase.QUEUED, started_at=START, detail="Full.")]
    run.phases = as_json([PULLING])
    assert run.steps == [
        PhaseTime(phase=Phase.QUEUED, started_at=START, finished_at=PULLING.started_at),
        PULLING,
    ]


@pytest.mark.parametrize("phases", [[], [PULLING]])
def test_no_phase_outlasts_its_run(phases: list[PhaseTime]) -> None:
    ended = START + timedelta(seconds=9)
    run = Run(created_at=START, ended_at=ended, phases=as_json(phases))
    assert run.steps[-1].finished_at == ended


STALE = PhaseTime(
    phase=Phase.PULLING_IMAGE, started_at=START, detail="The registry did not send the image."
)


def test_what_a_phase_waited_for_is_not_told_once_the_next_has_begun() -> None:
    server = PhaseTime(phase=Phase.STARTING_SERVER, started_at=START + timedelta(seconds=5))
    run = Run(created_at=START, phases=as_json([STALE, server]))
    pulled = PhaseTime(
        phase=Phase.PULLING_IMAGE, started_at=START, finished_at=START + timedelta(seconds=5)
    )
    assert run.steps[1:] == [pulled, server]


@pytest.mark.django_db
def test_what_the_last_phase_waited_for_is_not_told_once_the_server_is_ready(
    starting: NotebookSession, backend: FakeBackend
) -> None:
    """A look without events shows that a server is ready, and no phases."""
    key = key_of(starting)
    lifecycle.record_progress({key: [STALE]}, {})
    backend.make_ready(key)
    seen = backend.observe(key)
    assert seen is not None
    lifecycle.record_progress({}, {key: replace(seen, phases=())})
    run = run_of(starting)
    assert run.ready_at is not None
    assert run.seen_phases == (replace(STALE, detail=""),)


@pytest.mark.django_db
def test_a_server_that_is_ready_before_any_phase_was_seen_has_none(
    starting: NotebookSession, backend: FakeBackend
) -> None:
    key = key_of(starting)
    backend.make_ready(key)
    seen = backend.observe(key)
    assert seen is not None
    lifecycle.record_progress({}, {key: replace(seen, phases=())})
    assert run_of(starting).phases == {}


def test_what_a_start_waited_for_when_it_ended_is_told() -> None:
    run = Run(created_at=START, phases=as_json([STALE]), ended_at=START + timedelta(seconds=9))
    assert run.steps[-1].detail == STALE.detail
