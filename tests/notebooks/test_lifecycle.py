"""What a worker does: late, twice, beside a stop, with a backend that refuses or is away."""

from collections import Counter
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from environments.models import Environment
from notebooks import lifecycle, reconciler, services, tasks
from notebooks.backends.contract import Observed, Phase, PhaseTime, RunKey, RunState, SessionSpec
from notebooks.backends.fake import FakeBackend, RefusingBackend, UnreachableBackend
from notebooks.credentials import jupyter_token
from notebooks.models import NotebookSession, Run, SessionEvent
from notebooks.states import SessionStatus as S
from submarine_site.core.locks import AdvisoryLock, try_locks
from submarine_site.core.outside import BackendRefused, BackendUnavailable
from submarine_site.core.resources import Resources
from tests.factories import SessionFactory
from tests.sessions import key_of, moves, run_of, state_of, tick
from tests.threads import SECONDS, at_once
from volumes.services import homes_of

pytestmark = pytest.mark.django_db


def use(monkeypatch: pytest.MonkeyPatch, backend: FakeBackend) -> None:
    monkeypatch.setattr(lifecycle, "backend", lambda: backend)


def test_a_run_begins_as_it_was_asked_for(requested: NotebookSession, backend: FakeBackend) -> None:
    key = key_of(requested)
    lifecycle.launch(key)
    [home] = homes_of([requested.owner]).values()
    assert backend.started == [
        SessionSpec(
            key=key,
            display_name="analysis",
            owner="ada",
            image="example/notebook:1",
            resources=Resources(cpu_milli=1000, memory_mib=2048),
            base_url=f"/session/{requested.pk}/",
            token=jupyter_token(key.run_id),
            home=home.spec,
        )
    ]


def test_each_run_has_a_jupyter_token_of_its_own(stopped: NotebookSession) -> None:
    earlier = jupyter_token(run_of(stopped).pk)
    services.start_session(session=stopped, actor=stopped.owner)
    assert jupyter_token(run_of(stopped).pk) != earlier


def test_what_a_run_uses_is_frozen_at_its_start(
    requested: NotebookSession, backend: FakeBackend
) -> None:
    type(requested.profile).objects.update(cpu_milli=64_000)
    type(requested.environment_version).objects.update(image="example/other:2")
    lifecycle.launch(key_of(requested))
    assert backend.started[0].resources == Resources(cpu_milli=1000, memory_mib=2048)
    assert backend.started[0].image == "example/notebook:1"


def test_launching_twice_begins_one_run(requested: NotebookSession, backend: FakeBackend) -> None:
    tasks.launch()
    tasks.launch()
    assert len(backend.started) == 1
    assert moves(requested) == [("", S.REQUESTED, ""), (S.REQUESTED, S.STARTING, "")]


def test_a_launch_that_comes_late_does_nothing(
    running: NotebookSession, backend: FakeBackend
) -> None:
    lifecycle.launch(key_of(running))
    assert (state_of(running), len(backend.started)) == (S.RUNNING, 1)


def test_a_launch_of_an_earlier_run_does_nothing(
    stopped: NotebookSession, backend: FakeBackend
) -> None:
    earlier = key_of(stopped)
    services.start_session(session=stopped, actor=stopped.owner)
    lifecycle.launch(earlier)
    assert (state_of(stopped), len(backend.started)) == (S.REQUESTED, 1)


def test_a_refused_start_is_a_failure_that_says_why(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, RefusingBackend())
    lifecycle.launch(key_of(requested))
    requested.refresh_from_db()
    assert (requested.status, requested.reason_code) == (S.FAILED, "start_refused")
    assert requested.reason == "The backend refused the run."
    assert run_of(requested).ended_at is not None


def test_a_run_that_could_not_be_begun_stays_starting_and_is_begun_when_asked_again(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = UnreachableBackend()
    use(monkeypatch, backend)
    assert lifecycle.launch(key_of(requested)) == 1
    assert (state_of(requested), backend.started) == (S.STARTING, [])
    backend.reachable = True
    assert lifecycle.launch(key_of(requested)) == 0
    assert (state_of(requested), len(backend.started)) == (S.STARTING, 1)


def test_many_runs_are_begun_at_the_same_time(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [key_of(session) for session in SessionFactory.create_batch(lifecycle.AT_ONCE)]
    all_are_at_it = Barrier(len(keys))
    begin = backend.start

    def start(spec: SessionSpec) -> None:
        all_are_at_it.wait(SECONDS)
        begin(spec)

    monkeypatch.setattr(backend, "start", start)
    assert lifecycle.launch(*keys) == len(keys)
    assert {spec.key for spec in backend.started} == set(keys)


@pytest.mark.parametrize("count", [1, 8])
def test_many_runs_take_no_more_queries_than_one(
    count: int, backend: FakeBackend, django_assert_num_queries
) -> None:
    sessions = SessionFactory.create_batch(count)
    homes_of([session.owner for session in sessions])
    keys = [key_of(session) for session in sessions]
    # The locks, the move, what they are to run, their homes, what is still wanted, the locks again.
    with django_assert_num_queries(6):
        lifecycle.launch(*keys)
    assert len(backend.started) == count


def test_a_launch_of_none_does_nothing(backend: FakeBackend) -> None:
    assert lifecycle.launch() == 0
    assert backend.volumes == set()


class Partial(FakeBackend):
    """It refuses the runs of one session, and does not answer for those of another."""

    def __init__(self, *, refused: UUID, unanswered: UUID) -> None:
        super().__init__()
        self.refused = refused
        self.unanswered = unanswered

    def start(self, spec: SessionSpec) -> None:
        if spec.key.session_id == self.refused:
            raise BackendRefused("The backend refused the run.", code="start_refused")
        if spec.key.session_id == self.unanswered:
            raise BackendUnavailable("The backend did not answer in time.")
        super().start(spec)


@pytest.mark.django_db(transaction=True)
def test_many_runs_launched_by_several_workers_are_begun_once_each(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, *others = SessionFactory.create_batch(20)
    backend = Partial(refused=refused.pk, unanswered=requested.pk)
    use(monkeypatch, backend)
    monkeypatch.setattr(tasks, "_BATCH", 5)

    at_once(4, lambda _: tasks.launch())

    assert Counter(spec.key for spec in backend.started) == Counter(map(key_of, others))
    for session in others:
        assert moves(session) == [(S.REQUESTED, S.STARTING, "")]
    assert moves(refused) == [
        (S.REQUESTED, S.STARTING, ""),
        (S.STARTING, S.FAILED, "start_refused"),
    ]
    assert moves(requested) == [("", S.REQUESTED, ""), (S.REQUESTED, S.STARTING, "")]
    assert run_of(requested).held_up.endswith("It is tried again.")


class Observant(FakeBackend):
    """Its servers answer, and that is recorded, before `start` has returned."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped: list[RunKey] = []

    def start(self, spec: SessionSpec) -> None:
        super().start(spec)
        self.make_ready(spec.key)
        # Elsewhere, as the watcher does.
        at_once(1, lambda _: self.record(spec.key))

    def record(self, key: RunKey) -> None:
        reconciler.reconcile({key: self.observe(key)}, observed_at=timezone.now())

    def stop(self, key: RunKey) -> None:
        self.stopped.append(key)
        super().stop(key)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [1, 3])
def test_a_server_that_answers_before_its_launch_is_over_runs_on(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Observant()
    use(monkeypatch, backend)
    sessions = SessionFactory.create_batch(count)
    lifecycle.launch(*map(key_of, sessions))
    assert backend.stopped == []
    assert {seen.state for seen in backend.observe_all().values()} == {"ready"}
    for session in sessions:
        assert moves(session) == [(S.REQUESTED, S.STARTING, ""), (S.STARTING, S.RUNNING, "")]


class Interrupted(FakeBackend):
    """Something happens to the session while `start` is under way."""

    def __init__(self, session: NotebookSession, *, delete: bool) -> None:
        super().__init__()
        self.session = session
        self.delete = delete
        self.calls: list[str] = []

    def ensure_volume(self, volume_id) -> None:
        super().ensure_volume(volume_id)
        if self.delete:
            services.delete_session(session=self.session, actor=self.session.owner)
        else:
            services.stop_session(session=self.session, actor=self.session.owner)
        self.calls += at_once(1, self.halt)

    def halt(self, _: int) -> str:
        """What another worker does meanwhile."""
        try:
            lifecycle.halt(key_of(self.session))
        except BackendUnavailable:
            return "a halt put off"
        return "a halt"

    def start(self, spec: SessionSpec) -> None:
        self.calls.append("start")
        super().start(spec)

    def stop(self, key) -> None:
        self.calls.append("stop")
        super().stop(key)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("delete", [False, True])
def test_a_session_ended_during_its_launch_leaves_nothing(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch, *, delete: bool
) -> None:
    backend = Interrupted(requested, delete=delete)
    use(monkeypatch, backend)
    lifecycle.launch(key_of(requested))
    assert backend.calls == ["a halt put off", "start", "stop"]
    assert [seen.state for seen in backend.observe_all().values()] == ["stopping"]
    backend.settle()
    lifecycle.halt(key_of(requested))
    assert (backend.observe_all(), state_of(requested)) == ({}, S.STOPPED)
    assert len(backend.volumes) == 1
    assert [move[1] for move in moves(requested)] == [
        S.REQUESTED,
        S.STARTING,
        S.STOPPING,
        S.STOPPED,
    ]


@pytest.mark.django_db(transaction=True)
def test_one_worker_at_a_time_is_at_a_session(
    requested: NotebookSession, backend: FakeBackend
) -> None:
    other = SessionFactory.create()
    keys = [key_of(requested), key_of(other)]

    def launch(_: int) -> int:
        return lifecycle.launch(*keys)

    with try_locks(AdvisoryLock.SESSION, [requested.pk]) as held:
        assert held == {requested.pk}
        assert at_once(1, launch) == [1]
        assert (state_of(requested), state_of(other)) == (S.REQUESTED, S.STARTING)
    assert at_once(1, launch) == [1]
    assert state_of(requested) == S.STARTING
    assert [spec.key for spec in backend.started] == [key_of(other), key_of(requested)]


@pytest.mark.django_db(transaction=True)
def test_a_session_ended_during_its_launch_is_left_to_the_next_look_when_the_backend_goes_away(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ailing(UnreachableBackend):
        reachable = True

        def start(self, spec: SessionSpec) -> None:
            super().start(spec)
            services.stop_session(session=requested, actor=requested.owner)
            self.reachable = False

    backend = Ailing()
    use(monkeypatch, backend)
    lifecycle.launch(key_of(requested))
    assert state_of(requested) == S.STOPPING
    backend.reachable = True
    lifecycle.halt(key_of(requested))
    backend.settle()
    lifecycle.halt(key_of(requested))
    assert (backend.observe_all(), state_of(requested)) == ({}, S.STOPPED)


def test_a_refused_run_is_ended_once(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(RefusingBackend):
        stops = 0

        def stop(self, key: RunKey) -> None:
            self.stops += 1

    backend = Refusing()
    use(monkeypatch, backend)
    lifecycle.launch(key_of(requested))
    assert (state_of(requested), backend.stops) == (S.FAILED, 1)


def test_a_lost_run_is_begun_anew_when_nothing_is_left_of_it(
    running: NotebookSession, backend: FakeBackend
) -> None:
    lost = key_of(running)
    lifecycle.restart(lost, code="node_lost", message="Its machine was lost.")
    running.refresh_from_db()
    again = run_of(running)
    assert (running.status, again.number, again.is_restart) == (S.STARTING, 2, True)
    assert [spec.key for spec in backend.started] == [lost]
    assert run_of(running).held_up == "Waiting until what was lost is gone."

    backend.settle()
    lifecycle.launch(again.key)
    assert [spec.key for spec in backend.started] == [lost, again.key]
    assert [move[1:] for move in moves(running)][-3:] == [
        (S.FAILED, "node_lost"),
        (S.REQUESTED, "node_lost"),
        (S.STARTING, ""),
    ]


def test_a_run_waits_for_what_was_lost_also_when_that_cannot_be_looked_at(
    running: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = UnreachableBackend()
    use(monkeypatch, backend)
    lifecycle.restart(key_of(running), code="node_lost", message="Its machine was lost.")
    assert (state_of(running), run_of(running).number) == (S.STARTING, 2)
    assert run_of(running).held_up == "Waiting until what was lost is gone."
    assert backend.volumes == set()


def test_a_run_that_was_stopped_meanwhile_is_not_begun_anew(
    running: NotebookSession, backend: FakeBackend
) -> None:
    services.stop_session(session=running, actor=running.owner)
    lifecycle.restart(key_of(running), code="node_lost", message="Its machine was lost.")
    assert (state_of(running), len(backend.started)) == (S.STOPPING, 1)


def test_a_run_that_is_held_up_says_why_until_it_is_not(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, UnreachableBackend())
    tasks.launch()
    [queued] = run_of(requested).steps
    assert (queued.phase, queued.finished_at) == ("queued", None)
    assert queued.detail == "What runs the sessions does not answer. It is tried again."


def test_a_stop_before_the_launch_leaves_nothing(
    requested: NotebookSession, backend: FakeBackend
) -> None:
    key = key_of(requested)
    services.stop_session(session=requested, actor=requested.owner)
    lifecycle.halt(key)
    lifecycle.launch(key)
    assert (state_of(requested), backend.started) == (S.STOPPED, [])


def test_halting_twice_is_the_same_as_once(running: NotebookSession, backend: FakeBackend) -> None:
    key = key_of(running)
    services.stop_session(session=running, actor=running.owner)
    lifecycle.halt(key)
    lifecycle.halt(key)
    backend.settle()
    lifecycle.halt(key)
    lifecycle.halt(key)
    assert state_of(running) == S.STOPPED
    assert [move[1] for move in moves(running)][-2:] == [S.STOPPING, S.STOPPED]


def test_a_task_that_nobody_asked_for_stops_nothing(
    running: NotebookSession, backend: FakeBackend
) -> None:
    key = key_of(running)
    for session_id in (key.session_id, uuid4()):
        tasks.halt(str(session_id), str(key.run_id))
    assert state_of(running) == S.RUNNING
    assert backend.observe_all()[key].state == "ready"
    assert run_of(running).log_tail == ""


def test_halting_keeps_the_end_of_the_log(running: NotebookSession, backend: FakeBackend) -> None:
    backend.write_log(key_of(running), "good bye\n")
    services.stop_session(session=running, actor=running.owner)
    lifecycle.halt(key_of(running))
    assert run_of(running).log_tail == "good bye\n"


def test_a_halt_of_an_earlier_run_leaves_the_present_one_alone(
    stopped: NotebookSession, backend: FakeBackend
) -> None:
    earlier = key_of(stopped)
    services.start_session(session=stopped, actor=stopped.owner)
    lifecycle.launch(key_of(stopped))
    services.delete_session(session=stopped, actor=stopped.owner)
    lifecycle.halt(earlier)
    assert state_of(stopped) == S.STOPPING
    assert backend.observe_all()[key_of(stopped)].state == "starting"


def test_a_deletion_while_a_stop_is_recorded_still_removes_the_logs(
    requested: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FakeBackend()
    use(monkeypatch, backend)
    backend.write_log(key_of(requested), "good bye")
    services.stop_session(session=requested, actor=requested.owner)
    _delete_before_transition(monkeypatch, requested)
    lifecycle.finish(key_of(requested))
    assert state_of(requested) == S.STOPPING
    assert backend.logs(key_of(requested), lines=1) == "good bye"
    lifecycle.finish(key_of(requested))
    assert state_of(requested) == S.STOPPED
    assert backend.logs(key_of(requested), lines=1) == ""


def _delete_before_transition(monkeypatch: pytest.MonkeyPatch, session: NotebookSession) -> None:
    """Have a rival delete the session after `finish` has read it, once."""
    atomic = transaction.atomic

    def rival_first():
        monkeypatch.setattr(transaction, "atomic", atomic)
        services.delete_session(session=session, actor=session.owner)
        return atomic()

    monkeypatch.setattr(transaction, "atomic", rival_first)


def test_the_news_of_an_earlier_run_changes_nothing(
    stopped: NotebookSession, backend: FakeBackend
) -> None:
    earlier = key_of(stopped)
    services.start_session(session=stopped, actor=stopped.owner)
    lifecycle.launch(key_of(stopped))
    backend.settle()
    tick()
    before = SessionEvent.objects.count()
    run = Run.objects.values().get(pk=earlier.run_id)

    lifecycle.fail(earlier, code="server_lost", message="Gone.")
    lifecycle.finish(earlier)
    lifecycle.stop_exited(earlier, code="shut_down_inside", message="Ended.", exit_code=0)
    lifecycle.adopt_address(earlier, "unix:/late")
    lifecycle.record_progress(
        {earlier: (PhaseTime(phase=Phase.READY, started_at=run["created_at"]),)}, {}
    )

    assert (state_of(stopped), SessionEvent.objects.count()) == (S.RUNNING, before)
    assert Run.objects.values().get(pk=earlier.run_id) == run


def test_the_answer_of_an_earlier_run_is_not_taken_for_the_present_ones(
    stopped: NotebookSession,
) -> None:
    earlier = key_of(stopped)
    services.start_session(session=stopped, actor=stopped.owner)
    lifecycle.launch(key_of(stopped))
    before = Run.objects.values().get(pk=earlier.run_id)
    late = Observed(key=earlier, state=RunState.READY, address="unix:/late")
    lifecycle.record_progress({}, {earlier: late})
    assert (state_of(stopped), run_of(stopped).address) == (S.STARTING, "")
    assert Run.objects.values().get(pk=earlier.run_id) == before


def test_of_many_that_answer_those_run_that_are_still_wanted() -> None:
    wanted, unwanted = SessionFactory.create(), SessionFactory.create()
    keys = [key_of(wanted), key_of(unwanted)]
    lifecycle.launch(*keys)
    services.stop_session(session=unwanted, actor=unwanted.owner)
    lifecycle.record_progress(
        {}, {key: Observed(key=key, state=RunState.READY, address="unix:/here") for key in keys}
    )
    assert (state_of(wanted), run_of(wanted).address) == (S.RUNNING, "unix:/here")
    assert (state_of(unwanted), run_of(unwanted).address) == (S.STOPPING, "")
    assert run_of(unwanted).ready_at is None


def test_idleness_counts_from_the_start_of_the_run(
    stopped: NotebookSession, backend: FakeBackend
) -> None:
    NotebookSession.objects.filter(pk=stopped.pk).update(last_activity_at=stopped.created_at)
    services.start_session(session=stopped, actor=stopped.owner)
    lifecycle.launch(key_of(stopped))
    backend.settle()
    tick()
    stopped.refresh_from_db()
    assert stopped.last_activity_at == run_of(stopped).ready_at


def test_long_words_of_a_backend_are_cut_to_what_is_kept(starting: NotebookSession) -> None:
    phase = PhaseTime(phase=Phase.PREPARING, started_at=starting.created_at, detail="x" * 1000)
    lifecycle.record_progress({key_of(starting): (phase,)}, {})
    assert run_of(starting).steps[-1].detail == "x" * 200
    lifecycle.fail(key_of(starting), code="server_exited", message="y" * 1000)
    starting.refresh_from_db()
    assert starting.reason == "y" * 500


def test_a_log_that_cannot_be_read_does_not_hinder_the_failure(
    starting: NotebookSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, UnreachableBackend())
    lifecycle.fail(key_of(starting), code="server_exited", message="Ended.")
    assert (state_of(starting), run_of(starting).log_tail) == (S.FAILED, "")


def test_every_start_is_a_run_of_its_own(stopped: NotebookSession) -> None:
    first = run_of(stopped)
    services.start_session(session=stopped, actor=stopped.owner)
    assert run_of(stopped).number == first.number + 1
    assert stopped.runs.count() == 2


def test_of_a_log_no_more_is_kept_than_a_row_should_hold(
    running: NotebookSession, backend: FakeBackend
) -> None:
    key = key_of(running)
    backend.write_log(key, "x" * 100_000 + "end")
    lifecycle.fail(key, code="server_lost", message="It is gone.")
    kept = run_of(running).log_tail
    assert (len(kept), kept[-4:]) == (64 * 1024, "xend")


def fail_at_start(session: NotebookSession, code: str = "server_exited") -> NotebookSession:
    lifecycle.fail(key_of(session), code=code, message="Jupyter ended before it answered.")
    return NotebookSession.objects.get(pk=session.pk)


@pytest.mark.parametrize("code", ["server_exited", "server_never_answered"])
def test_an_image_that_never_started_a_session_is_not_the_users_to_mend(
    code: str, starting: NotebookSession
) -> None:
    explanation = fail_at_start(starting, code).explanation
    assert explanation is not None
    assert (explanation.code, explanation.mender) == (code, "operator")
    assert explanation.message == "Jupyter ended before it answered."
    assert explanation.advice.startswith("No session has started with this environment's image yet")


def test_an_image_of_ones_own_that_never_started_a_session_is(
    starting: NotebookSession, ada: User
) -> None:
    Environment.objects.update(owner=ada)
    explanation = fail_at_start(starting).explanation
    assert explanation is not None
    assert explanation.mender == "user"
    assert "Choose another image in a new version of the environment." in explanation.advice


def test_with_an_image_that_started_a_session_before_the_home_is_at_fault(
    stopped: NotebookSession, backend: FakeBackend
) -> None:
    services.start_session(session=stopped, actor=stopped.owner)
    lifecycle.launch(key_of(stopped))
    explanation = fail_at_start(stopped).explanation
    assert explanation is not None
    assert (explanation.mender, "rescue" in explanation.advice) == ("user", True)


def test_another_image_that_started_a_session_proves_nothing(
    stopped: NotebookSession, backend: FakeBackend
) -> None:
    services.start_session(session=stopped, actor=stopped.owner)
    Run.objects.filter(pk=run_of(stopped).pk).update(image="example/other:1")
    lifecycle.launch(key_of(stopped))
    explanation = fail_at_start(stopped).explanation
    assert explanation is not None
    assert explanation.mender == "operator"


@pytest.mark.parametrize("code", ["image_invalid", "image_missing", "image_unfit"])
def test_whose_environment_it_is_can_mend_its_image(
    code: str, starting: NotebookSession, ada: User
) -> None:
    failed = fail_at_start(starting, code)
    assert failed.explanation is not None
    assert failed.explanation.mender == "operator"
    Environment.objects.update(owner=ada)
    own = NotebookSession.objects.get(pk=starting.pk).explanation
    assert own is not None
    assert own.mender == "user"
    assert own.advice.startswith("It is your own environment")
