"""What the reconciler decides: every state of a session, by everything that can be seen of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import product
from uuid import UUID

import pytest

from notebooks.backends.contract import Observed, Phase, PhaseTime, RunKey, RunState
from notebooks.reconciler import (
    GIVE_UP_AFTER,
    LAUNCH_GRACE,
    Action,
    AdoptAddress,
    Fail,
    Finish,
    Halt,
    Launch,
    MarkRunning,
    RecordEnding,
    RecordPhases,
    Restart,
    Row,
    StopExited,
    TryOnceMore,
    plan,
)
from notebooks.states import SessionStatus as S

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMEOUT = timedelta(seconds=120)
KEY = RunKey(UUID(int=1), UUID(int=2))
OTHER = RunKey(UUID(int=3), UUID(int=4))
ADDRESS = "unix:/run/jupyter.sock"


class Age(Enum):
    """How long a session has been in its state when the backend is looked at."""

    FRESH = LAUNCH_GRACE
    WAITED = LAUNCH_GRACE + timedelta(seconds=1)
    OVERDUE = TIMEOUT + timedelta(seconds=1)


def seen(state: RunState, **more: object) -> Observed:
    return Observed(key=KEY, state=state, **more)  # type: ignore[arg-type]


STARTING = seen(RunState.STARTING)
READY = seen(RunState.READY, address=ADDRESS)
STOPPING = seen(RunState.STOPPING)
ENDED_WELL = seen(RunState.EXITED, exit_code=0)
ENDED_BADLY = seen(RunState.EXITED, exit_code=3)
KILLED = seen(RunState.EXITED, exit_code=-9)
ENDED_UNKNOWN = seen(RunState.EXITED)
EXPLAINED = seen(
    RunState.EXITED,
    exit_code=0,
    failure_code="out_of_memory",
    failure_detail="Used all of 1 GiB.",
)

LOST_WITH_ITS_MACHINE = seen(
    RunState.EXITED, failure_code="node_lost", failure_detail="Its machine was lost."
)

FULL = seen(RunState.EXITED, exit_code=1, failure_code="home_full", failure_detail="16 of 16 MiB.")

ENDED_BY_OTHERS = seen(
    RunState.STOPPING, failure_code="server_lost", failure_detail="Its pod was deleted."
)

LOOKS: dict[str, Observed | None] = {
    "nothing": None,
    "starting": STARTING,
    "ready": READY,
    "stopping": STOPPING,
    "ended well": ENDED_WELL,
    "ended badly": ENDED_BADLY,
    "killed": KILLED,
    "ended unknown": ENDED_UNKNOWN,
    "explained": EXPLAINED,
    "hopeless": seen(
        RunState.STARTING, failure_code="image_missing", failure_detail="There is no such image."
    ),
    "held up": seen(RunState.STARTING, waits=True),
    "lost": LOST_WITH_ITS_MACHINE,
    "full": FULL,
    "ended by others": ENDED_BY_OTHERS,
    "ended, and why may come": replace(ENDED_BY_OTHERS, waits=True),
}

NEVER_STARTED = TryOnceMore(KEY, "backend_unavailable", "Nothing could be started within 900 s.")
NEVER_ANSWERED = Fail(KEY, "server_never_answered", "Jupyter did not answer within 120 s.")
LOST = Fail(KEY, "server_lost", "The notebook server is gone; it left no word why.")

# By state and look: what is to be done when the state is fresh, has lasted a while, is overdue.
Three = tuple[list[Action], list[Action], list[Action]]


def always(*actions: Action) -> Three:
    return list(actions), list(actions), list(actions)


def at_start(ending: str, exit_code: int | None) -> Three:
    return always(
        Fail(KEY, "server_exited", f"Jupyter ended before it answered: {ending}.", exit_code)
    )


def while_running(ending: str, exit_code: int | None) -> Three:
    return always(Fail(KEY, "server_crashed", f"Jupyter ended by itself: {ending}.", exit_code))


RESCUE = Restart(KEY, "home_full", "16 of 16 MiB.", as_rescue=True)

TABLE: dict[tuple[S, str], Three] = {
    **{(S.REQUESTED, look): always() for look in LOOKS},
    (S.STARTING, "nothing"): ([], [Launch(KEY)], [Launch(KEY)]),
    (S.STARTING, "hopeless"): always(Fail(KEY, "image_missing", "There is no such image.")),
    (S.STARTING, "held up"): always(),
    (S.STARTING, "lost"): always(Restart(KEY, "node_lost", "Its machine was lost.")),
    (S.STARTING, "full"): always(RESCUE),
    (S.STARTING, "starting"): ([], [], [NEVER_ANSWERED]),
    (S.STARTING, "ready"): always(MarkRunning(KEY, READY)),
    (S.STARTING, "stopping"): ([], [], [NEVER_ANSWERED]),
    (S.STARTING, "ended well"): at_start("exit code 0", 0),
    (S.STARTING, "ended badly"): at_start("exit code 3", 3),
    (S.STARTING, "killed"): at_start("signal 9", -9),
    (S.STARTING, "ended unknown"): at_start("it left no exit code", None),
    (S.STARTING, "explained"): always(Fail(KEY, "out_of_memory", "Used all of 1 GiB.", 0)),
    (S.RUNNING, "nothing"): always(LOST),
    (S.RUNNING, "hopeless"): always(),
    (S.RUNNING, "held up"): always(),
    (S.RUNNING, "lost"): always(Restart(KEY, "node_lost", "Its machine was lost.")),
    (S.RUNNING, "full"): always(RESCUE),
    (S.RUNNING, "starting"): always(),
    (S.RUNNING, "ready"): always(),
    (S.RUNNING, "stopping"): always(),
    (S.STARTING, "ended by others"): ([], [], [NEVER_ANSWERED]),
    (S.STARTING, "ended, and why may come"): always(),
    (S.RUNNING, "ended by others"): always(Fail(KEY, "server_lost", "Its pod was deleted.")),
    (S.RUNNING, "ended, and why may come"): always(
        RecordEnding(KEY, "server_lost", "Its pod was deleted.")
    ),
    (S.RUNNING, "ended well"): always(StopExited(KEY, 0)),
    (S.RUNNING, "ended badly"): while_running("exit code 3", 3),
    (S.RUNNING, "killed"): while_running("signal 9", -9),
    (S.RUNNING, "ended unknown"): while_running("it left no exit code", None),
    (S.RUNNING, "explained"): always(Fail(KEY, "out_of_memory", "Used all of 1 GiB.", 0)),
    (S.STOPPING, "nothing"): always(Finish(KEY)),
    **{(S.STOPPING, look): always(Halt(KEY)) for look in LOOKS if look != "nothing"},
    **{(S.STOPPED, look): always() for look in LOOKS},
    **{(S.FAILED, look): always() for look in LOOKS},
}


def decide(row: Row, look: Observed | None) -> list[Action]:
    return plan([row], {KEY: look} if look else {}, observed_at=NOW, start_timeout=TIMEOUT)


def a_row(status: S, since: timedelta, **more: object) -> Row:
    values = {"address": ADDRESS, "created_at": NOW - timedelta(hours=1), **more}
    return Row(key=KEY, status=status, status_changed_at=NOW - since, **values)  # type: ignore[arg-type]


def test_the_table_is_exhaustive() -> None:
    assert TABLE.keys() == set(product(S, LOOKS))


@pytest.mark.parametrize(
    ("status", "look", "age", "expected"),
    [
        (status, look, age, expected)
        for (status, look), by_age in TABLE.items()
        for age, expected in zip(Age, by_age, strict=True)
    ],
)
def test_what_is_done_follows_from_state_and_look(
    status: S, look: str, age: Age, expected: list[Action]
) -> None:
    assert decide(a_row(status, age.value), LOOKS[look]) == expected


@pytest.mark.parametrize(("status", "look"), list(TABLE))
@pytest.mark.parametrize("since", [timedelta(0), timedelta(seconds=-1)])
def test_a_row_that_changed_after_the_look_is_left_alone(
    status: S, look: str, since: timedelta
) -> None:
    assert decide(a_row(status, since), LOOKS[look]) == []


def test_each_row_is_held_against_the_look_at_its_own_run() -> None:
    mine = a_row(S.RUNNING, TIMEOUT)
    other = replace(mine, key=OTHER, address="")
    assert plan([mine, other], {KEY: READY}, observed_at=NOW, start_timeout=TIMEOUT) == [
        Fail(OTHER, "server_lost", "The notebook server is gone; it left no word why.")
    ]


PREPARING = PhaseTime(
    phase=Phase.PREPARING,
    started_at=NOW - timedelta(seconds=200),
    finished_at=NOW - timedelta(seconds=119),
)
SERVER = PhaseTime(phase=Phase.STARTING_SERVER, started_at=NOW - timedelta(seconds=119))
PHASES = (PREPARING, SERVER)


def test_phases_that_are_new_are_recorded() -> None:
    row = a_row(S.STARTING, timedelta(seconds=10), phases=frozenset({PREPARING}))
    assert decide(row, seen(RunState.STARTING, phases=PHASES)) == [RecordPhases(KEY, PHASES)]


def test_phases_that_are_known_are_not_recorded_again() -> None:
    row = a_row(S.STARTING, timedelta(seconds=10), phases=frozenset(PHASES))
    assert decide(row, seen(RunState.STARTING, phases=PHASES)) == []


def test_phases_are_recorded_before_the_session_is_marked_running() -> None:
    ready = seen(RunState.READY, address=ADDRESS, phases=PHASES)
    assert decide(a_row(S.STARTING, TIMEOUT), ready) == [
        RecordPhases(KEY, PHASES),
        MarkRunning(KEY, ready),
    ]


def test_a_run_of_which_nothing_comes_to_be_is_given_up_in_the_end() -> None:
    row = a_row(S.STARTING, GIVE_UP_AFTER + timedelta(seconds=1))
    assert decide(row, None) == [NEVER_STARTED]


@pytest.mark.parametrize("status", [S.STARTING, S.RUNNING])
def test_a_run_is_begun_anew_once_only(status: S) -> None:
    row = replace(a_row(status, timedelta(seconds=10)), is_restart=True)
    assert decide(row, LOST_WITH_ITS_MACHINE) == [Fail(KEY, "node_lost", "Its machine was lost.")]


@pytest.mark.parametrize("is_restart", [False, True])
def test_a_full_home_is_rescued_once_only_also_after_a_restart(*, is_restart: bool) -> None:
    row = replace(a_row(S.STARTING, timedelta(seconds=10)), is_restart=is_restart)
    assert decide(row, FULL) == [RESCUE]
    assert decide(replace(row, is_rescue=True), FULL) == [
        Fail(KEY, "home_full", "16 of 16 MiB.", 1)
    ]


def test_a_rescue_that_is_lost_is_begun_anew() -> None:
    row = replace(a_row(S.RUNNING, timedelta(seconds=10)), is_rescue=True)
    assert decide(row, LOST_WITH_ITS_MACHINE) == [
        Restart(KEY, "node_lost", "Its machine was lost.")
    ]


def test_no_phase_begins_before_its_run_was_asked_for() -> None:
    row = replace(a_row(S.STARTING, timedelta(seconds=10)), created_at=NOW)
    assert decide(row, seen(RunState.STARTING, phases=PHASES)) == [
        RecordPhases(
            KEY,
            (
                replace(PREPARING, started_at=NOW, finished_at=NOW),
                replace(SERVER, started_at=NOW),
            ),
        )
    ]


def test_the_deadline_starts_anew_with_each_phase() -> None:
    row = a_row(S.STARTING, timedelta(seconds=300), phases=frozenset(PHASES))
    assert decide(row, seen(RunState.STARTING, phases=PHASES)) == []


def test_a_phase_that_takes_too_long_is_a_failure() -> None:
    late = PhaseTime(phase=Phase.STARTING_SERVER, started_at=NOW - timedelta(seconds=121))
    row = a_row(S.STARTING, timedelta(seconds=300), phases=frozenset({late}))
    assert decide(row, seen(RunState.STARTING, phases=(late,))) == [NEVER_ANSWERED]


def test_a_running_server_that_moved_is_adopted() -> None:
    row = a_row(S.RUNNING, TIMEOUT, address="unix:/elsewhere")
    assert decide(row, READY) == [AdoptAddress(KEY, ADDRESS)]


def test_what_was_seen_of_an_end_is_told_when_nothing_is_left() -> None:
    row = a_row(S.RUNNING, TIMEOUT, ending=("server_lost", "Its pod was deleted."))
    assert decide(row, None) == [Fail(KEY, "server_lost", "Its pod was deleted.")]


def test_what_was_evicted_is_begun_anew_when_nothing_is_left_to_tell() -> None:
    row = a_row(S.RUNNING, TIMEOUT, ending=("evicted", "Its machine is cordoned."))
    assert decide(row, None) == [Restart(KEY, "evicted", "Its machine is cordoned.")]
    again = replace(row, is_restart=True)
    assert decide(again, None) == [Fail(KEY, "evicted", "Its machine is cordoned.")]


def test_an_end_that_was_called_off_is_forgotten() -> None:
    row = a_row(S.RUNNING, TIMEOUT, ending=("node_lost", "Its machine was lost."))
    assert decide(row, READY) == [RecordEnding(KEY, "", "")]
