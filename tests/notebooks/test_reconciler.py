"""The reconciler on the fake backend: what was lost is healed, and nothing is done twice."""

import logging
from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from notebooks import lifecycle, reconciler, services
from notebooks.backends.contract import Observed, RunKey, RunState
from notebooks.backends.fake import FakeBackend, UnreachableBackend, VanishingBackend
from notebooks.models import NotebookSession, Run, SessionEvent
from notebooks.reconciler import (
    GIVE_UP_AFTER,
    LAUNCH_GRACE,
    reconcile,
    reconcile_all,
    reconcile_session,
)
from notebooks.states import SessionStatus as S
from submarine_site.core.outside import BackendUnavailable
from tests.factories import SessionFactory
from tests.sessions import key_of, let_pass, moves, run_of, state_of, tick

pytestmark = pytest.mark.django_db

BEYOND_GRACE = LAUNCH_GRACE + timedelta(seconds=1)
BEYOND_DEADLINE = settings.START_TIMEOUT + timedelta(seconds=1)


class Unreachable(UnreachableBackend):
    """Reachable until the outage."""

    reachable = True


def use(monkeypatch: pytest.MonkeyPatch, backend: FakeBackend) -> FakeBackend:
    """Have the service use this backend."""
    for module in (lifecycle, reconciler):
        monkeypatch.setattr(module, "backend", lambda: backend)
    return backend


def test_what_was_requested_is_left_to_whoever_launches(
    requested: NotebookSession, backend: FakeBackend
) -> None:
    let_pass(requested, BEYOND_GRACE)
    assert reconcile_all() == []
    reconcile_session(key_of(requested))
    assert (state_of(requested), backend.started) == (S.REQUESTED, [])


def test_a_worker_that_died_after_its_claim_is_replaced(
    requested: NotebookSession, backend: FakeBackend
) -> None:
    NotebookSession.objects.transition(requested.pk, S.STARTING)
    tick()
    assert backend.started == []
    let_pass(requested, BEYOND_GRACE)
    tick()
    assert [spec.key for spec in backend.started] == [key_of(requested)]
    assert state_of(requested) == S.STARTING


def test_a_server_that_answers_is_running_at_its_address(
    starting: NotebookSession, backend: FakeBackend
) -> None:
    backend.make_ready(key_of(starting), address="http://127.0.0.1:9999")
    tick()
    run = run_of(starting)
    assert (state_of(starting), run.address) == (S.RUNNING, "http://127.0.0.1:9999")
    assert run.ready_at is not None
    assert moves(starting) == [
        ("", S.REQUESTED, ""),
        (S.REQUESTED, S.STARTING, ""),
        (S.STARTING, S.RUNNING, ""),
    ]


def test_servers_that_answer_at_the_same_time_have_each_their_own_address(
    backend: FakeBackend,
) -> None:
    sessions = SessionFactory.create_batch(3)
    lifecycle.launch(*map(key_of, sessions))
    for number, session in enumerate(sessions):
        backend.make_ready(key_of(session), address=f"unix:/{number}")
    assert reconcile_all() == []
    assert [run_of(session).address for session in sessions] == ["unix:/0", "unix:/1", "unix:/2"]
    assert [moves(session)[-1] for session in sessions] == [(S.STARTING, S.RUNNING, "")] * 3


def test_the_phases_of_a_launch_are_kept(starting: NotebookSession, backend: FakeBackend) -> None:
    tick()
    steps = run_of(starting).steps
    assert [step.phase for step in steps] == ["queued", "preparing", "starting_server"]
    assert [step.finished_at is None for step in steps] == [False, False, True]
    backend.settle()
    tick()
    steps = run_of(starting).steps
    assert [step.phase for step in steps[2:]] == ["starting_server", "ready"]
    assert [step.finished_at is None for step in steps[2:]] == [False, True]


def test_a_running_server_is_adopted_where_it_is(
    running: NotebookSession, backend: FakeBackend
) -> None:
    run = run_of(running)
    backend._change(run.key, state=backend.observe_all()[run.key].state, address="unix:/moved")
    tick()
    assert run_of(running).address == "unix:/moved"
    assert state_of(running) == S.RUNNING


def test_a_server_that_is_gone_is_a_failure(running: NotebookSession, backend: FakeBackend) -> None:
    backend.vanish(key_of(running))
    tick()
    assert state_of(running) == S.FAILED
    assert moves(running)[-1] == (S.RUNNING, S.FAILED, "server_lost")
    assert run_of(running).address == ""


def test_a_server_shut_down_from_inside_has_stopped(
    running: NotebookSession, backend: FakeBackend
) -> None:
    backend.exit(key_of(running), 0)
    tick()
    run = run_of(running)
    assert (state_of(running), run.exit_code) == (S.STOPPED, 0)
    assert run.ended_at is not None
    assert moves(running)[-2:] == [
        (S.RUNNING, S.STOPPING, "shut_down_inside"),
        (S.STOPPING, S.STOPPED, "shut_down_inside"),
    ]
    assert backend.observe_all() == {}


def test_a_crash_is_a_failure_with_the_end_of_the_log(
    running: NotebookSession, backend: FakeBackend
) -> None:
    backend.write_log(key_of(running), "one\nMemoryError\0\n")
    backend.exit(key_of(running), -9)
    tick()
    running.refresh_from_db()
    run = run_of(running)
    assert (running.status, running.reason_code) == (S.FAILED, "server_crashed")
    assert running.reason == "Jupyter ended by itself: signal 9."
    assert (run.exit_code, run.log_tail) == (-9, "one\nMemoryError\n")
    assert backend.observe_all() == {}


def test_an_end_at_start_is_a_failure(starting: NotebookSession, backend: FakeBackend) -> None:
    backend.write_log(key_of(starting), "SyntaxError\n")
    backend.exit(key_of(starting), 1)
    tick()
    starting.refresh_from_db()
    assert (starting.status, starting.reason_code) == (S.FAILED, "server_exited")
    assert run_of(starting).log_tail == "SyntaxError\n"
    assert all(step.finished_at for step in run_of(starting).steps)


def test_the_first_cause_of_a_failure_stands(
    running: NotebookSession, backend: FakeBackend
) -> None:
    backend.exit(key_of(running), 1)
    tick()
    lifecycle.fail(key_of(running), code="server_lost", message="Gone.")
    running.refresh_from_db()
    assert running.reason_code == "server_crashed"
    assert len([move for move in moves(running) if move[1] == S.FAILED]) == 1


def test_a_server_that_never_answers_fails_after_the_deadline(
    starting: NotebookSession, backend: FakeBackend
) -> None:
    let_pass(starting, BEYOND_DEADLINE)
    tick()
    assert state_of(starting) == S.STARTING, "its phases have just begun"
    Run.objects.update(phases={})
    _age_phases(backend, key_of(starting))
    tick()
    starting.refresh_from_db()
    assert (starting.status, starting.reason_code) == (S.FAILED, "server_never_answered")
    seen = backend.observe(key_of(starting))
    assert seen is not None
    assert seen.state == "stopping"


def _age_phases(backend: FakeBackend, key: RunKey) -> None:
    """Have every phase of a run have begun before the deadline."""
    run = backend._runs[key]
    run.observed = Observed(key=key, state=run.observed.state)


def test_a_run_that_could_not_be_begun_is_begun_when_the_backend_is_back(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Unreachable()
    use(monkeypatch, backend)
    backend.reachable = False
    lifecycle.launch(key_of(requested))
    assert (state_of(requested), backend.started) == (S.STARTING, [])
    backend.reachable = True
    let_pass(requested, BEYOND_GRACE)
    tick()
    assert (state_of(requested), len(backend.started)) == (S.STARTING, 1)
    assert moves(requested) == [("", S.REQUESTED, ""), (S.REQUESTED, S.STARTING, "")]


def test_a_run_that_leaves_no_trace_fails_after_the_deadline(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = use(monkeypatch, VanishingBackend())
    let_pass(requested, BEYOND_GRACE)
    tick()
    assert state_of(requested) == S.STARTING
    let_pass(requested, BEYOND_GRACE)
    tick()
    assert state_of(requested) == S.STARTING
    let_pass(requested, GIVE_UP_AFTER)
    tick()
    requested.refresh_from_db()
    assert (requested.status, requested.reason_code) == (S.FAILED, "backend_unavailable")
    assert len(backend.started) == 3


def test_while_the_backend_is_away_nothing_changes_and_later_all_is_as_it_was(
    ada, small, plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Unreachable()
    use(monkeypatch, backend)
    session = services.create_session(owner=ada, profile=small.name, environment=plain.name).session
    lifecycle.launch(key_of(session))
    backend.settle()
    tick()
    before = SessionEvent.objects.count()

    backend.reachable = False
    with pytest.raises(BackendUnavailable):
        reconcile_all()
    with pytest.raises(BackendUnavailable):
        reconcile_session(key_of(session))
    assert (state_of(session), SessionEvent.objects.count()) == (S.RUNNING, before)

    backend.reachable = True
    tick()
    assert (state_of(session), SessionEvent.objects.count()) == (S.RUNNING, before)
    backend.vanish(key_of(session))
    tick()
    assert state_of(session) == S.FAILED


def test_a_failed_look_lets_the_next_one_in(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Unreachable()
    use(monkeypatch, backend)
    backend.reachable = False
    with pytest.raises(BackendUnavailable):
        reconcile_all()
    backend.reachable = True
    assert reconcile_all() == []


def test_trouble_with_one_session_does_not_keep_the_others_waiting(
    running: NotebookSession,
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = SessionFactory.create(status=S.RUNNING)
    real = lifecycle.fail

    def fail_badly(key: RunKey, **cause: object) -> None:
        if key == key_of(running):
            raise RuntimeError("a fault of ours")
        real(key, **cause)  # type: ignore[arg-type]

    monkeypatch.setattr(lifecycle, "fail", fail_badly)
    backend.vanish(key_of(running))
    with caplog.at_level(logging.ERROR):
        tick()
    assert state_of(running) == S.RUNNING
    assert state_of(other) == S.FAILED
    assert "a fault of ours" in caplog.text


def test_looking_again_changes_nothing(running: NotebookSession, backend: FakeBackend) -> None:
    before = list(SessionEvent.objects.values_list("pk", flat=True))
    tick()
    reconcile_session(key_of(running))
    assert list(SessionEvent.objects.values_list("pk", flat=True)) == before
    assert len(backend.started) == 1


def test_a_stop_is_finished_when_the_run_is_gone(
    stopping: NotebookSession, backend: FakeBackend
) -> None:
    tick()
    assert state_of(stopping) == S.STOPPING
    assert run_of(stopping).ended_at is None
    backend.settle()
    tick()
    assert state_of(stopping) == S.STOPPED
    assert run_of(stopping).ended_at is not None
    assert len(backend.volumes) == 1


def test_a_lost_stop_is_made_good(running: NotebookSession, backend: FakeBackend) -> None:
    services.stop_session(session=running, actor=running.owner)
    tick()
    assert backend.observe_all()[key_of(running)].state == "stopping"
    backend.settle()
    tick()
    assert state_of(running) == S.STOPPED


def test_deleting_removes_the_logs_only_after_the_run_is_gone_and_never_the_home(
    running: NotebookSession, backend: FakeBackend
) -> None:
    key = key_of(running)
    backend.write_log(key, "good bye")
    services.delete_session(session=running, actor=running.owner)
    tick()
    tick()
    assert (state_of(running), backend.logs(key, lines=1)) == (S.STOPPING, "good bye")
    backend.settle()
    tick()
    assert (state_of(running), backend.logs(key, lines=1)) == (S.STOPPED, "")
    assert len(backend.volumes) == 1


def test_a_run_of_no_active_session_is_ended(
    running: NotebookSession, backend: FakeBackend
) -> None:
    NotebookSession.objects.filter(pk=running.pk).update(status=S.FAILED)
    tick()
    assert backend.observe_all()[key_of(running)].state == "stopping"
    assert state_of(running) == S.FAILED


def test_a_hint_about_one_run_has_it_looked_at(
    starting: NotebookSession, backend: FakeBackend
) -> None:
    backend.settle()
    reconcile_session(key_of(starting))
    assert state_of(starting) == S.RUNNING


def test_a_hint_about_an_earlier_run_changes_nothing(
    stopped: NotebookSession, backend: FakeBackend
) -> None:
    earlier = key_of(stopped)
    services.start_session(session=stopped, actor=stopped.owner)
    reconcile_session(earlier)
    assert state_of(stopped) == S.REQUESTED


def test_a_hint_about_what_is_not_ours_changes_nothing() -> None:
    reconcile_session(RunKey(uuid4(), uuid4()))
    assert not SessionEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_ticks_at_once_one_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = Event(), Event()

    class Slow(FakeBackend):
        def observe_all(self) -> dict[RunKey, Observed]:
            looking.set()
            assert go_on.wait(10)
            return {}

    use(monkeypatch, Slow())
    outcomes: list[list[RunKey] | None] = []

    def first() -> None:
        outcomes.append(reconcile_all())
        connections.close_all()

    thread = Thread(target=first)
    thread.start()
    try:
        assert looking.wait(10)
        assert reconcile_all() is None
    finally:
        go_on.set()
        thread.join(10)
    assert outcomes == [[]]
    use(monkeypatch, FakeBackend())
    assert reconcile_all() == []


def vanish_while_starting(session: NotebookSession, backend: FakeBackend) -> None:
    """Somebody removes what has begun, the watcher sees it, and the poll comes by."""
    key = key_of(session)
    backend.vanish(key)
    reconcile({key: None}, observed_at=timezone.now())
    let_pass(session, BEYOND_GRACE)
    tick()


@pytest.mark.parametrize("was_looked_at", [True, False])
def test_a_start_that_others_remove_is_begun_again_with_an_event(
    starting: NotebookSession, backend: FakeBackend, *, was_looked_at: bool
) -> None:
    if was_looked_at:
        tick()
    vanish_while_starting(starting, backend)
    assert [spec.key for spec in backend.started] == [key_of(starting)] * 2
    assert moves(starting)[-1] == ("", "", "start_interrupted")
    event = starting.events.latest("id")
    assert event.message == (
        "It was removed while it started, and not by this service. It is begun again."
    )
    backend.settle()
    tick()
    assert state_of(starting) == S.RUNNING
    assert [step.phase for step in run_of(starting).steps] == [
        *("queued", "preparing", "starting_server", "ready")
    ]


def test_a_start_that_is_removed_again_and_again_fails(
    starting: NotebookSession, backend: FakeBackend
) -> None:
    for _ in range(4):
        vanish_while_starting(starting, backend)
    starting.refresh_from_db()
    assert (starting.status, starting.reason_code) == (S.FAILED, "server_lost")
    assert starting.reason == (
        "The session's start was removed 4 times by something other than this service."
    )
    assert len(backend.started) == 4
    assert [code for *_, code in moves(starting)].count("start_interrupted") == 3


def test_a_start_of_which_nothing_came_to_be_is_begun_without_an_event(
    requested: NotebookSession, backend: FakeBackend
) -> None:
    NotebookSession.objects.transition(requested.pk, S.STARTING)
    let_pass(requested, BEYOND_GRACE)
    tick()
    assert len(backend.started) == 1
    assert "start_interrupted" not in [code for *_, code in moves(requested)]


def test_what_was_begun_anew_by_another_worker_is_left_alone(
    starting: NotebookSession, backend: FakeBackend
) -> None:
    tick()
    lifecycle.launch(key_of(starting))
    assert len(backend.started) == 1
    assert "start_interrupted" not in [code for *_, code in moves(starting)]


def test_why_a_run_is_ended_is_told_when_it_is_gone_before_the_next_look(
    running: NotebookSession, backend: FakeBackend
) -> None:
    key = key_of(running)
    run = backend._runs[key]
    ended = replace(
        run.observed,
        state=RunState.STOPPING,
        failure_code="server_lost",
        failure_detail="Its pod was deleted.",
        waits=True,
    )
    assert reconcile({key: ended}, observed_at=timezone.now()) == []
    assert state_of(running) == S.RUNNING
    evicted = replace(ended, state=RunState.EXITED, failure_code="evicted", failure_detail="Why.")
    assert reconcile({key: evicted}, observed_at=timezone.now()) == [key]
    backend.vanish(key)
    reconcile_session(key)
    assert (state_of(running), run_of(running).number) == (S.STARTING, 2)
    assert moves(running)[-3:-1] == [
        (S.RUNNING, S.FAILED, "evicted"),
        (S.FAILED, S.REQUESTED, "evicted"),
    ]
