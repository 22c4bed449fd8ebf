"""Runs without a row: a database that is older than its sessions ends none of them unasked."""

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry
from environments.models import Environment
from notebooks import adoption, builds, holdings, lifecycle, orphans, services
from notebooks.adoption import CannotAdopt
from notebooks.backends.contract import RunKey
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession, OrphanedRun, Run, RunBaseline, SessionEvent
from notebooks.reconciler import reconcile_all
from notebooks.setup import Setup
from notebooks.states import SessionStatus as S
from notebooks.variables import MAX_VARIABLES_BYTES
from quotas.models import Reservation
from tests.conftest import browser_of
from tests.factories import EnvironmentFactory, SessionFactory, UserFactory
from tests.sessions import key_of, moves, run_of, state_of, tick

pytestmark = pytest.mark.django_db

LIST = "/admin/notebooks/orphanedrun/"
HOUR = timedelta(hours=1)


def start(owner: User, backend: FakeBackend, **values: object) -> NotebookSession:
    """A session of this owner that runs."""
    session = SessionFactory.create(owner=owner, **values)
    lifecycle.launch(key_of(session))
    backend.settle()
    tick()
    assert state_of(session) == S.RUNNING
    return session


def lose(*sessions: NotebookSession) -> list[RunKey]:
    """Have the database be one that never knew these sessions."""
    keys = [key_of(session) for session in sessions]
    ids = [session.pk for session in sessions]
    Reservation.objects.filter(holder__in=ids).delete()
    SessionEvent.objects.filter(session__in=ids).delete()
    NotebookSession.objects.filter(pk__in=ids).update(current_run=None)
    Run.objects.filter(session__in=ids).delete()
    NotebookSession.objects.filter(pk__in=ids).delete()
    return keys


def let_grace_pass() -> None:
    """Have all orphaned runs been here for longer than the grace."""
    OrphanedRun.objects.update(first_seen_at=timezone.now() - orphans.GRACE - timedelta(seconds=1))


def look() -> None:
    """See everything, after the grace of what was seen before."""
    reconcile_all()
    let_grace_pass()
    reconcile_all()


def begin_later(owner: User) -> None:
    """Have the database know a session that began an hour later, before anything is looked at."""
    run = Run.objects.filter(session=SessionFactory.create(owner=owner))
    run.update(created_at=timezone.now() + HOUR, ready_at=timezone.now() + HOUR)


def states(backend: FakeBackend, *keys: RunKey) -> list[str]:
    seen = backend.observe_all()
    return [str(seen[key].state) if key in seen else "gone" for key in keys]


def test_sessions_younger_than_a_restored_database_run_on(ada: User, backend: FakeBackend) -> None:
    old = start(ada, backend)
    younger = [start(ada, backend) for _ in range(2)]
    keys = lose(*younger)
    orphans.note_baseline()

    look()
    look()

    assert states(backend, *keys, key_of(old)) == ["ready"] * 3
    assert state_of(old) == S.RUNNING
    assert {row.hold for row in OrphanedRun.objects.all()} == {"newer"}
    assert orphans.held() == 2


def test_what_was_begun_since_the_start_up_is_held_when_its_row_goes(
    ada: User, backend: FakeBackend
) -> None:
    start(ada, backend)
    orphans.note_baseline()
    sessions = [start(ada, backend) for _ in range(3)]
    keys = lose(*sessions[:2])
    look()
    assert states(backend, *keys) == ["ready", "ready"]


def test_a_run_is_held_where_the_database_knows_none(ada: User, backend: FakeBackend) -> None:
    [key] = lose(start(ada, backend))
    backend.make_older(key, 1000 * HOUR)
    orphans.note_baseline()
    look()
    assert states(backend, key) == ["ready"]


def test_a_run_is_held_where_no_worker_has_noted_anything(ada: User, backend: FakeBackend) -> None:
    start(ada, backend)
    [key] = lose(start(ada, backend))
    backend.make_older(key, HOUR)
    assert not RunBaseline.objects.exists()
    look()
    assert states(backend, key) == ["ready"]


def test_a_leftover_that_is_older_goes_after_the_grace(ada: User, backend: FakeBackend) -> None:
    known = start(ada, backend)
    [key] = lose(start(ada, backend))
    backend.make_older(key, HOUR)
    orphans.note_baseline()

    reconcile_all()
    OrphanedRun.objects.update(first_seen_at=timezone.now() - orphans.GRACE + timedelta(seconds=30))
    reconcile_all()
    assert states(backend, key) == ["ready"]
    assert orphans.held() == 0

    let_grace_pass()
    reconcile_all()
    assert states(backend, key, key_of(known)) == ["stopping", "ready"]
    backend.vanish(key)
    reconcile_all()
    assert not OrphanedRun.objects.exists()


def test_of_more_than_three_at_once_none_is_removed(ada: User, backend: FakeBackend) -> None:
    known = start(ada, backend)
    keys = lose(*(start(ada, backend) for _ in range(4)))
    for key in keys:
        backend.make_older(key, HOUR)
    orphans.note_baseline()
    look()
    assert states(backend, *keys, key_of(known)) == ["ready"] * 5
    assert {row.hold for row in OrphanedRun.objects.all()} == {"many"}


def test_three_at_once_are_removed(ada: User, backend: FakeBackend) -> None:
    start(ada, backend)
    keys = lose(*(start(ada, backend) for _ in range(3)))
    for key in keys:
        backend.make_older(key, HOUR)
    orphans.note_baseline()
    look()
    assert states(backend, *keys) == ["stopping"] * 3


def test_what_was_held_as_one_of_many_stays_so_when_others_are_removed(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    start(ada, backend)
    keys = lose(*(start(ada, backend) for _ in range(4)))
    for key in keys:
        backend.make_older(key, HOUR)
    orphans.note_baseline()
    look()
    orphans.request_removal([key.run_id for key in keys[:2]], actor=operator)
    reconcile_all()
    for key in keys[:2]:
        backend.vanish(key)
    look()
    assert states(backend, *keys) == ["gone", "gone", "ready", "ready"]


def test_a_later_start_of_workers_lets_go_of_nothing(ada: User, backend: FakeBackend) -> None:
    start(ada, backend)
    [key] = lose(start(ada, backend))
    orphans.note_baseline()
    reconcile_all()
    start(ada, backend)
    orphans.note_baseline()
    look()
    assert states(backend, key) == ["ready"]


def test_a_held_run_stays_held_while_it_is_out_of_sight(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    [key] = lose(start(ada, backend, name="analysis"))
    orphans.note_baseline()
    reconcile_all()
    row = OrphanedRun.objects.get()

    assert orphans.review([], now=timezone.now()) == []
    assert orphans.held() == 0
    assert "analysis" not in browser_of(operator).get(LIST).text
    with pytest.raises(CannotAdopt, match="is gone"):
        adoption.adopt(row, actor=operator)
    assert orphans.request_removal([row.pk], actor=operator) == 0
    begin_later(ada)
    orphans.note_baseline()

    look()
    look()
    assert (states(backend, key), orphans.held()) == (["ready"], 1)
    assert "analysis" in browser_of(operator).get(LIST).text


def test_a_held_run_is_forgotten_a_day_after_it_is_gone(ada: User, backend: FakeBackend) -> None:
    [key] = lose(start(ada, backend))
    reconcile_all()
    now = timezone.now()
    orphans.review([], now=now)
    orphans.review([], now=now + 24 * HOUR)
    assert OrphanedRun.objects.get(pk=key.run_id).gone_at == now
    orphans.review([], now=now + 24 * HOUR + timedelta(seconds=1))
    assert not OrphanedRun.objects.exists()


def test_workers_that_start_before_the_first_look_let_go_of_nothing(
    ada: User, backend: FakeBackend
) -> None:
    """The first worker starts a session before it takes a look, and then there is another."""
    start(ada, backend)
    [key] = lose(start(ada, backend))
    orphans.note_baseline()
    begin_later(ada)
    orphans.note_baseline()
    look()
    assert (states(backend, key), orphans.held()) == (["ready"], 1)


def test_the_baseline_rises_after_a_look_that_holds_nothing(
    ada: User, backend: FakeBackend
) -> None:
    orphans.note_baseline()
    reconcile_all()
    newest = run_of(start(ada, backend)).created_at
    orphans.note_baseline()
    assert RunBaseline.objects.get().newest_run_at == newest


def test_the_baseline_falls_with_the_database(ada: User, backend: FakeBackend) -> None:
    old = run_of(start(ada, backend)).created_at
    new = start(ada, backend)
    orphans.note_baseline()
    [key] = lose(new)
    orphans.note_baseline()
    assert RunBaseline.objects.get().newest_run_at == old
    look()
    assert (states(backend, key), orphans.held()) == (["ready"], 1)


def test_sessions_that_wait_for_a_worker_do_not_make_the_database_newer(
    ada: User, backend: FakeBackend
) -> None:
    """After a restore people may ask for sessions before there is a worker to start them."""
    start(ada, backend)
    [key] = lose(start(ada, backend))
    SessionFactory.create(owner=ada, status=S.REQUESTED)
    orphans.note_baseline()
    look()
    assert states(backend, key) == ["ready"]


def test_each_held_run_is_logged_once(
    ada: User, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    [key] = lose(start(ada, backend))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            reconcile_all()
    [record] = caplog.records
    assert record.getMessage() == (
        f"run {key.run_id} of session {key.session_id} has no row and is left alone "
        "(newer than the database): an operator decides"
    )


def test_a_removal_is_logged_once_while_the_run_ends(
    ada: User, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    start(ada, backend)
    [key] = lose(start(ada, backend))
    backend.make_older(key, HOUR)
    orphans.note_baseline()
    with caplog.at_level(logging.WARNING):
        look()
        look()
    assert [record.getMessage() for record in caplog.records] == [
        f"run {key.run_id} belongs to no session: ending it"
    ]


def test_a_session_that_failed_is_no_warning_while_its_run_ends(
    running: NotebookSession, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    key = key_of(running)
    lifecycle.fail(key, code="server_crashed", message="Jupyter ended by itself.")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            reconcile_all()
    assert states(backend, key) == ["stopping"]
    assert caplog.records == []
    assert not OrphanedRun.objects.exists()


def test_health_metrics_and_admin_tell_of_held_runs(
    ada: User, operator: User, backend: FakeBackend, client: Client
) -> None:
    [key] = lose(start(ada, backend, name="analysis"))
    reconcile_all()

    told = client.get("/health")
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    assert told.json()["orphaned_runs"] == {"status": "held", "held": 1}
    browser = browser_of(operator)
    assert "submarine_orphaned_runs_held 1.0" in browser.get("/metrics").text
    start_page = " ".join(browser.get("/admin/").text.split())
    assert "1 run without a row in the database is left alone." in start_page
    page = browser.get(LIST).text
    assert "analysis" in page
    assert "ada" in page
    assert str(key.session_id) in page


def act(browser: Client, action: str, *ids: UUID, **values: str) -> str:
    chosen = [str(each) for each in ids]
    response = browser.post(
        LIST, {"action": action, "_selected_action": chosen, **values}, follow=True
    )
    assert response.status_code == 200
    return " ".join(response.text.split())


def test_an_operator_removes_held_runs(ada: User, operator: User, backend: FakeBackend) -> None:
    key, other = lose(start(ada, backend), start(ada, backend))
    look()
    browser = browser_of(operator)

    assert "cannot be undone" in act(browser, "remove", key.run_id)
    reconcile_all()
    assert states(backend, key) == ["ready"]

    assert "Removing 1 run." in act(browser, "remove", key.run_id, confirmed="yes")
    assert orphans.held() == 1
    reconcile_all()
    assert states(backend, key, other) == ["stopping", "ready"]
    entry = AuditEntry.objects.get(action="orphan.removed")
    assert (entry.actor_name, entry.object_id) == (operator.username, str(key.run_id))
    assert entry.before == {"session": str(key.session_id), "owner": "ada"}


@pytest.mark.parametrize("action", ["remove", "adopt"])
def test_staff_without_the_right_to_end_sessions_cannot_decide(
    action: str, ada: User, backend: FakeBackend
) -> None:
    [key] = lose(start(ada, backend))
    look()
    staff = UserFactory.create(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_notebooksession"))
    act(browser_of(staff), action, key.run_id, confirmed="yes")
    reconcile_all()
    assert states(backend, key) == ["ready"]
    assert not NotebookSession.objects.exists()


def test_a_session_that_is_adopted_is_as_it_was(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    setup = Setup(opens="notes.ipynb", variables={"A": "1"}).as_json()
    session = start(ada, backend, name="analysis", setup=setup)
    before = Run.objects.values(*adoption._FROZEN).get(pk=run_of(session).pk)
    address = run_of(session).address
    profile, version = session.profile, session.environment_version
    [key] = lose(session)
    look()

    assert "Adopted 1 session." in act(browser_of(operator), "adopt", key.run_id)
    tick()

    adopted = NotebookSession.objects.visible_to(ada).get()
    assert (adopted.pk, adopted.name, adopted.setup) == (key.session_id, "analysis", setup)
    assert (adopted.profile, adopted.environment_version) == (profile, version)
    assert state_of(adopted) == S.RUNNING
    run = run_of(adopted)
    assert (run.key, run.number, run.address) == (key, 1, address)
    assert Run.objects.values(*adoption._FROZEN).get(pk=run.pk) == before
    held = Reservation.objects.held().get(part=run.pk)
    assert (held.holder, held.user_id) == (adopted.pk, ada.pk)
    assert moves(adopted)[0] == (S.REQUESTED, S.STARTING, "")
    assert AuditEntry.objects.get(action="session.adopted").actor_name == operator.username
    look()
    assert (states(backend, key), orphans.held()) == (["ready"], 0)
    services.stop_session(session=adopted, actor=ada)
    tick()
    backend.settle()
    tick()
    assert state_of(adopted) == S.STOPPED


def test_a_run_of_a_session_that_the_database_has_is_adopted_by_it(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    session = start(ada, backend)
    first = key_of(session)
    NotebookSession.objects.filter(pk=session.pk).update(status=S.STOPPED)
    later = RunKey(session.pk, uuid4())
    backend._runs[later] = backend._runs.pop(first)
    backend._runs[later].observed = replace(backend._runs[later].observed, key=later)
    look()
    adoption.adopt(OrphanedRun.objects.get(pk=later.run_id), actor=operator)
    tick()
    assert (state_of(session), key_of(session)) == (S.RUNNING, later)
    assert run_of(session).number == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"owner": "mallory"}, "is damaged."),
        ({"profile": "gone"}, "There is no size “gone”. Create the size first."),
        ({"version": 99}, "There is no version 99 of environment"),
        ({"version": "x"}, "is damaged."),
        ({"run": {}}, "is damaged."),
        ({"run": None}, "is damaged."),
        ({"name": ""}, "is damaged."),
        (None, "was started by an older version of the service, which kept no record"),
    ],
)
def test_what_cannot_be_adopted_says_why_and_changes_nothing(
    change: dict[str, object] | None,
    says: str,
    ada: User,
    operator: User,
    backend: FakeBackend,
) -> None:
    [key] = lose(start(ada, backend))
    look()
    row = OrphanedRun.objects.get()
    row.record = {} if change is None else {**row.record, **change}
    row.save()
    with pytest.raises(CannotAdopt, match=says):
        adoption.adopt(row, actor=operator)
    assert not NotebookSession.objects.exists()
    assert not Run.objects.exists()
    assert not Reservation.objects.exists()
    assert (states(backend, key), orphans.held()) == (["ready"], 1)


def namesakes(ada: User) -> tuple[Environment, Environment]:
    """Ada's own environment, and one of another user's that is like it."""
    mine, other = (
        EnvironmentFactory.create(name="science", owner=owner)
        for owner in (ada, UserFactory.create())
    )
    return mine, other


def test_an_adopted_session_has_the_environment_that_it_had(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    mine, other = namesakes(ada)
    site = EnvironmentFactory.create(name="science")
    [key, of_site] = lose(
        start(ada, backend, environment=mine), start(ada, backend, environment=site)
    )
    look()
    for each, environment in ((key, mine), (of_site, site)):
        adopted = adoption.adopt(OrphanedRun.objects.get(pk=each.run_id), actor=operator)
        assert adopted.environment_version == environment.newest
    assert not NotebookSession.objects.filter(environment_version__environment=other).exists()


@pytest.mark.parametrize("keeps_id", [True, False])
@pytest.mark.parametrize("is_in_database", [True, False])
def test_nobody_is_given_the_environment_of_another_of_its_name(
    *,
    is_in_database: bool,
    keeps_id: bool,
    ada: User,
    operator: User,
    backend: FakeBackend,
) -> None:
    mine, _ = namesakes(ada)
    [key] = lose(start(ada, backend, environment=mine))
    look()
    row = OrphanedRun.objects.get(pk=key.run_id)
    if not keeps_id:
        # As an older version of the service wrote it.
        del row.record["environment_id"], row.record["environment_owner"]
        row.save()
    if is_in_database:
        Environment.objects.filter(pk=mine.pk).update(deleted_at=timezone.now())
    else:
        Environment.objects.filter(pk=mine.pk).update(newest=None)
        mine.versions.all().delete()
        Environment.objects.filter(pk=mine.pk).delete()
    says = "was deleted" if keeps_id and is_in_database else "There is no version 1 of environment"
    with pytest.raises(CannotAdopt, match=says):
        adoption.adopt(row, actor=operator)
    assert not NotebookSession.objects.exists()
    assert (states(backend, key), orphans.held()) == (["ready"], 1)


@pytest.mark.parametrize("made_again", [True, False])
def test_of_a_record_without_an_id_the_users_own_environment_is_meant(
    *, made_again: bool, ada: User, operator: User, backend: FakeBackend
) -> None:
    mine, _ = namesakes(ada)
    [key] = lose(start(ada, backend, environment=mine))
    look()
    row = OrphanedRun.objects.get(pk=key.run_id)
    if made_again:
        row.record["environment_id"] = str(uuid4())
    else:
        del row.record["environment_id"], row.record["environment_owner"]
    row.save()
    assert adoption.adopt(row, actor=operator).environment_version == mine.newest


def test_an_environment_that_the_user_may_not_start_is_not_adopted(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    _, other = namesakes(ada)
    group = Group.objects.create(name="lab")
    other.groups.add(group)
    ada.groups.add(group)
    [key] = lose(start(ada, backend, environment=other))
    look()
    row = OrphanedRun.objects.get(pk=key.run_id)
    ada.groups.remove(group)
    with pytest.raises(CannotAdopt, match="“ada” may not start environment “science”"):
        adoption.adopt(row, actor=operator)
    assert not NotebookSession.objects.exists()
    ada.groups.add(group)
    assert adoption.adopt(row, actor=operator).environment_version == other.newest


@pytest.mark.parametrize("character", ["\x1b", "é", "\U0001f600"])
def test_a_run_with_too_much_for_its_record_starts_and_cannot_be_adopted(
    character: str, ada: User, operator: User, backend: FakeBackend
) -> None:
    value = character * ((MAX_VARIABLES_BYTES - 1) // len(character.encode()))
    setup = Setup(variables={"A": value}).as_json()
    session = SessionFactory.create(owner=ada, name="analysis", setup=setup)
    kernels = [{"digest": "d" * 64, "name": "pandas"}]
    Run.objects.filter(session=session).update(kernels=kernels)
    lifecycle.launch(key_of(session))
    [key] = lose(session)
    reconcile_all()
    row = OrphanedRun.objects.get()
    assert row.record == {
        "owner": "ada",
        "name": "analysis",
        "run": {"kernels": kernels},
        "is_too_large": True,
    }
    assert builds.in_use() == {"d" * 64}
    with pytest.raises(CannotAdopt, match="was started with more than its record can hold"):
        adoption.adopt(row, actor=operator)
    assert states(backend, key) == ["starting"]


def test_a_record_with_many_variables_is_whole(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    setup = Setup(variables={"A": "é" * 30_000}).as_json()
    [key] = lose(start(ada, backend, setup=setup))
    look()
    adopted = adoption.adopt(OrphanedRun.objects.get(pk=key.run_id), actor=operator)
    assert adopted.setup == setup


def test_a_session_of_a_user_that_the_database_lacks_is_not_adopted(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    [key] = lose(start(ada, backend))
    look()
    User.objects.filter(pk=ada.pk).update(username="eve")
    with pytest.raises(CannotAdopt, match="There is no user “ada”"):
        adoption.adopt(OrphanedRun.objects.get(pk=key.run_id), actor=operator)


def test_a_session_with_another_run_adopts_none(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    session = start(ada, backend, name="analysis")
    [key] = lose(session)
    look()
    SessionFactory.create(id=session.pk, owner=ada, name="analysis", status=S.RUNNING)
    with pytest.raises(CannotAdopt, match="has another run"):
        adoption.adopt(OrphanedRun.objects.get(pk=key.run_id), actor=operator)


def test_an_adopted_session_gives_way_to_one_of_its_name(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    [key] = lose(start(ada, backend, name="analysis"))
    look()
    SessionFactory.create(owner=ada, name="analysis", status=S.STOPPED)
    adoption.adopt(OrphanedRun.objects.get(pk=key.run_id), actor=operator)
    assert NotebookSession.objects.get(pk=key.session_id).name == "analysis (adopted 1)"


def test_what_is_being_removed_cannot_be_adopted(
    ada: User, operator: User, backend: FakeBackend
) -> None:
    [key] = lose(start(ada, backend))
    look()
    row = OrphanedRun.objects.get(pk=key.run_id)
    orphans.request_removal([row.pk], actor=operator)
    with pytest.raises(CannotAdopt, match="is gone or is being removed"):
        adoption.adopt(row, actor=operator)


def test_what_is_adopted_between_the_look_and_the_removal_runs_on(
    ada: User, operator: User, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(ada, backend)
    [key] = lose(start(ada, backend))
    backend.make_older(key, HOUR)
    orphans.note_baseline()
    reconcile_all()
    let_grace_pass()
    begin_removal = orphans._begin_removal

    def adopt_first(row: OrphanedRun, now: object) -> bool:
        adoption.adopt(row, actor=operator)
        return begin_removal(row, timezone.now())

    monkeypatch.setattr(orphans, "_begin_removal", adopt_first)
    reconcile_all()
    assert states(backend, key) == ["ready"]


def test_what_is_adopted_while_everything_is_looked_at_runs_on(
    ada: User, operator: User, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adoption is committed when the sessions have been read, and before the runs are."""
    [key] = lose(start(ada, backend, name="analysis"))
    look()
    settle = holdings.settle

    def settle_then_adopt(observed: Collection[UUID]) -> holdings.Drift:
        drift = settle(observed)
        adoption.adopt(OrphanedRun.objects.get(pk=key.run_id), actor=operator)
        return drift

    with monkeypatch.context() as during:
        during.setattr(holdings, "settle", settle_then_adopt)
        reconcile_all()

    adopted = NotebookSession.objects.get(pk=key.session_id)
    assert (states(backend, key), state_of(adopted)) == (["ready"], S.STARTING)
    tick()
    assert (states(backend, key), state_of(adopted)) == (["ready"], S.RUNNING)
    assert not OrphanedRun.objects.exists()


def test_what_was_built_for_an_orphaned_run_is_in_use(ada: User, backend: FakeBackend) -> None:
    session = SessionFactory.create(owner=ada)
    kernels = [{"digest": "d" * 64, "name": "pandas"}]
    Run.objects.filter(session=session).update(kernels=kernels)
    lifecycle.launch(key_of(session))
    lose(session)
    assert builds.in_use() == set()
    reconcile_all()
    assert builds.in_use() == {"d" * 64}


@pytest.mark.parametrize("record", [{}, {"run": 1}, {"run": {"kernels": 1}}])
def test_a_damaged_record_has_nothing_in_use(record: dict[str, object]) -> None:
    OrphanedRun.objects.create(run_id=uuid4(), session_id=uuid4(), record=record)
    assert builds.in_use() == set()
