"""The steps of a launch, with their times."""

from datetime import datetime
from itertools import pairwise

import pytest

from notebooks.backends.contract import Phase
from tests.notebooks.backends.kubernetes.recordings import RECORDED, Recording, recording

PODS = sorted(
    path.stem for path in RECORDED.glob("*.json") if path.stem not in {"nodes", "refusals"}
)


def _spans(
    seen: Recording, *, after: float | None = None
) -> list[tuple[Phase, float, float | None]]:
    """Phases with their begin and end in seconds since the pod was made."""

    def since(time: datetime) -> float:
        return (time - seen.created_at).total_seconds()

    return [
        (
            phase.phase,
            since(phase.started_at),
            None if phase.finished_at is None else since(phase.finished_at),
        )
        for phase in seen.seen(after=after).phases
    ]


def test_a_launch_where_the_image_was_there() -> None:
    assert _spans(recording("ready")) == [
        (Phase.SCHEDULING, 0, 0),
        (Phase.VOLUME, 0, 1),
        (Phase.PREPARING, 1, 2),
        (Phase.STARTING_SERVER, 2, 6),
        (Phase.READY, 6, None),
    ]


def test_a_launch_that_waits_for_its_storage_to_be_made() -> None:
    assert _spans(recording("volume_bound"))[0] == (Phase.SCHEDULING, 0, 3)


def test_a_step_before_the_server_is_part_of_preparing() -> None:
    assert _spans(recording("init_slow"))[-3:] == [
        (Phase.PREPARING, 3, 9),
        (Phase.STARTING_SERVER, 9, 19),
        (Phase.READY, 19, None),
    ]


def test_an_image_that_comes_in() -> None:
    pulling = (
        recording("ready")
        .without("Pulled", "Created", "Started")
        .with_pod(
            containerStatuses=[], conditions=recording("ready").pod["status"]["conditions"][3:]
        )
    )
    pulling = pulling.with_event("Pulling", "Pulling image", first=1, container="notebook")
    assert _spans(pulling, after=300)[-1] == (Phase.PULLING_IMAGE, 1, None)
    assert pulling.seen(after=3000).waits
    pulled = pulling.with_event(
        "Pulled", "Successfully pulled image in 400s", first=401, container="notebook"
    )
    assert _spans(pulled, after=402)[-2:] == [
        (Phase.PULLING_IMAGE, 1, 401),
        (Phase.PREPARING, 401, None),
    ]
    assert not pulled.seen(after=402).waits


def test_a_server_is_ready_since_the_look_where_the_pod_does_not_say_since_when() -> None:
    seen = recording("ready").with_condition("ContainersReady", "False", at=0)
    assert _spans(seen, after=4)[-2:] == [(Phase.STARTING_SERVER, 2, 4), (Phase.READY, 4, None)]


def test_a_silent_node_does_not_change_since_when_it_was_ready() -> None:
    assert _spans(recording("node_silent"))[-1] == (Phase.READY, 0, None)


def test_what_began_before_an_eviction_is_known_from_events() -> None:
    assert [phase for phase, _, _ in _spans(recording("disk_limit_evicted"))] == [
        Phase.SCHEDULING,
        Phase.VOLUME,
        Phase.PREPARING,
        Phase.STARTING_SERVER,
    ]


def test_a_container_that_never_ran_did_not_start_in_1970() -> None:
    assert _spans(recording("bad_command"))[-1] == (Phase.PREPARING, 2, 2)


def test_without_events_the_time_before_the_server_is_left_out() -> None:
    assert _spans(recording("ready").without()) == [
        (Phase.SCHEDULING, 0, 0),
        (Phase.STARTING_SERVER, 2, 6),
        (Phase.READY, 6, None),
    ]


def test_a_look_without_events_does_not_say_what_goes_on_on_the_machine() -> None:
    assert _spans(recording("image_back_off").without()) == [(Phase.SCHEDULING, 0, 0)]


@pytest.mark.parametrize("name", PODS)
def test_phases_are_in_order_and_do_not_overlap(name: str) -> None:
    phases = recording(name).seen().phases
    order = [list(Phase).index(phase.phase) for phase in phases]
    assert order == sorted(set(order))
    for phase, following in pairwise(phases):
        assert phase.finished_at is not None
        assert phase.started_at <= phase.finished_at <= following.started_at


@pytest.mark.parametrize("name", PODS)
def test_an_end_closes_the_last_phase(name: str) -> None:
    seen = recording(name).seen()
    ended = seen.state.value == "exited"
    assert (seen.phases[-1].finished_at is not None) == ended


@pytest.mark.parametrize("name", PODS)
@pytest.mark.parametrize("missed", ["Pulling", "Pulled", "Scheduled", "Created", "Started"])
def test_with_fewer_events_there_are_no_other_phases(name: str, missed: str) -> None:
    whole = recording(name)
    every = {phase.phase for phase in whole.seen().phases}
    assert {phase.phase for phase in whole.without(missed).seen().phases} <= every


@pytest.mark.parametrize("name", PODS)
def test_a_second_look_sees_the_same(name: str) -> None:
    assert recording(name).seen() == recording(name).seen()
