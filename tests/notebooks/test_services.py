"""What a user may ask of sessions: who wins, what is refused, and what is enqueued."""

from collections.abc import Callable
from itertools import chain, product, repeat
from time import monotonic
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from redis import Redis

from accounts.models import User
from environments.models import Environment
from notebooks import services, tasks
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession, Run
from notebooks.states import SessionStatus as S
from quotas.models import ResourceProfile
from submarine_site.celery import app
from submarine_site.core.errors import DomainError, InvalidInput
from tests.broker import Broker
from tests.factories import SessionFactory
from tests.sessions import actors, moves, run_of, state_of, tick
from tests.threads import at_once

pytestmark = pytest.mark.django_db

Create = Callable[..., NotebookSession]


@pytest.fixture
def create(ada: User, small: ResourceProfile, plain: Environment) -> Create:
    def call(**more: str) -> NotebookSession:
        chosen: dict[str, Any] = {"profile": small.name, "environment": plain.name, **more}
        return services.create_session(owner=ada, **chosen).session

    return call


def test_creating_makes_a_session_with_its_first_run(
    create: Create, ada: User, broker: Broker, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        session = create(name="analysis")
    run = run_of(session)
    assert (session.name, session.status, session.owner) == ("analysis", S.REQUESTED, ada)
    assert (run.number, run.cpu_milli, run.memory_mib, run.gpus) == (1, 1000, 2048, 0)
    assert (run.profile_name, run.environment_name) == ("Small", "Notebook-Env")
    assert [step.phase for step in run.steps] == ["queued"]
    assert moves(session) == [("", S.REQUESTED, "")]
    assert actors(session) == [ada]
    assert broker.take() == [("launch", [])]


def test_nothing_is_enqueued_before_the_commit(
    create: Create, broker: Broker, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        create()
    assert broker.take() == []
    assert callbacks


def test_a_start_enqueues_a_launch(
    stopped: NotebookSession, broker: Broker, ada: User, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        services.start_session(session=stopped, actor=ada)
        services.start_session(session=stopped, actor=ada)
    assert broker.take() == [("launch", [])]


@pytest.mark.parametrize("verb", [services.stop_session, services.delete_session])
def test_a_stop_and_a_deletion_enqueue_a_halt(
    verb: Callable[..., object], ada: User, broker: Broker, django_capture_on_commit_callbacks
) -> None:
    session = SessionFactory.create(owner=ada, status=S.RUNNING)
    with django_capture_on_commit_callbacks(execute=True):
        verb(session=session, actor=ada)
        verb(session=session, actor=ada)
    assert broker.take() == [("halt", [str(session.pk), str(run_of(session).pk)])]


def test_a_queue_that_is_away_does_not_hinder_a_request(
    create: Create, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    def send(*_: object, **__: object) -> None:
        with app.connection_for_write("redis://127.0.0.1:1") as connection:
            app.send_task("notebooks.tasks.launch", connection=connection, retry=False)

    monkeypatch.setattr(tasks.launch, "delay", send)
    began = monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        session = create()
    assert state_of(session) == S.REQUESTED
    assert monotonic() - began < 2


def test_a_redis_that_is_away_does_not_hinder_a_request(
    create: Create, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    monkeypatch.setattr(tasks, "client", lambda: Redis.from_url("redis://127.0.0.1:1"))
    with django_capture_on_commit_callbacks(execute=True):
        session = create()
    assert state_of(session) == S.REQUESTED


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  two   words ", "two words"),
        ("<b>bold</b> & 'co'", "<b>bold</b> & 'co'"),
        ("דוח חודשי", "דוח חודשי"),
        ("تحليل", "تحليل"),
        ("👩‍🔬 lab", "👩‍🔬 lab"),
        ("❤️ 🏳️‍🌈", "❤️ 🏳️‍🌈"),
        ("cafe\u0301", "café"),
        ("x" * 80, "x" * 80),
        ("..", ".."),
        ("'; DROP TABLE notebooks_notebooksession; --",) * 2,
    ],
)
def test_names_may_be_anything_that_can_be_shown(create: Create, raw: str, kept: str) -> None:
    assert create(name=raw).name == kept


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (" ", "A name is needed."),
        ("\u3000 \u2003", "A name is needed."),
        ("\u200d", "A name is needed."),
        ("\u200d \u200c", "A name is needed."),
        ("x" * 300, "The name has 300 characters; 80 is the most."),
        ("a\nb", "The name holds a character that cannot be shown (U+000A)."),
        ("a\0b", "The name holds a character that cannot be shown (U+0000)."),
        ("a\x7fb", "The name holds a character that cannot be shown (U+007F)."),
        ("a\u202egpj.exe", "The name holds a character that cannot be shown (U+202E)."),
        ("a\u2066b", "The name holds a character that cannot be shown (U+2066)."),
        ("a\u200bb", "The name holds a character that cannot be shown (U+200B)."),
        ("\ufeffa", "The name holds a character that cannot be shown (U+FEFF)."),
        ("a\u2028b", "The name holds a character that cannot be shown (U+2028)."),
        ("a\ud800b", "The name holds a character that cannot be shown (U+D800)."),
    ],
)
def test_a_name_that_cannot_be_shown_is_refused(create: Create, raw: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        create(name=raw)
    assert refusal.value.fields == {"name": message}
    assert not NotebookSession.objects.exists()


def test_without_a_name_the_session_is_given_one(create: Create) -> None:
    names = [create().name for _ in range(5)]
    assert all(names)
    assert len(set(names)) == 5


def test_a_name_is_given_also_when_all_the_easy_ones_are_taken(
    ada: User, small: ResourceProfile, plain: Environment, django_assert_num_queries
) -> None:
    easy = [f"{first}-{second}" for first, second in product(services._ADJECTIVES, services._NOUNS)]
    NotebookSession.objects.bulk_create(
        NotebookSession(owner=ada, name=name, profile=small, environment_version=plain.newest)
        for name in easy
    )
    with django_assert_num_queries(1):
        name = services.suggest_name(ada)
    easy_part, _, number = name.rpartition("-")
    assert easy_part in easy
    assert 1000 <= int(number) <= 9999


def test_names_are_drawn_until_one_is_free(ada: User, monkeypatch) -> None:
    class Chance:
        """Draws the least, four times; from then on something else."""

        def __init__(self) -> None:
            self.draws = chain([0] * 4, repeat(7))

        def choice(self, among: tuple[str, ...]) -> str:
            return among[0]

        def randbelow(self, _: int) -> int:
            return next(self.draws)

    monkeypatch.setattr(services, "secrets", Chance())
    short = f"{services._ADJECTIVES[0]}-{services._NOUNS[0]}"
    for taken in (short, f"{short}-1000"):
        SessionFactory.create(owner=ada, name=taken)
    assert services.suggest_name(ada) == f"{short}-1007"


def test_the_names_of_others_and_of_the_deleted_are_free(
    ada: User, mallory: User, monkeypatch
) -> None:
    monkeypatch.setattr(services, "_ADJECTIVES", ("deep",))
    monkeypatch.setattr(services, "_NOUNS", ("reef",))
    SessionFactory.create(owner=mallory, name="deep-reef")
    SessionFactory.create(owner=ada, name="deep-reef", deleted_at=timezone.now())
    assert services.suggest_name(ada) == "deep-reef"


def test_a_name_is_taken_once_per_owner(create: Create, mallory: User) -> None:
    SessionFactory.create(owner=mallory, name="analysis")
    create(name="analysis")
    with pytest.raises(DomainError) as refusal:
        create(name=" analysis ")
    assert (refusal.value.code, refusal.value.status) == ("name_taken", 409)
    assert refusal.value.fields == {"name": "You have a session named “analysis” already."}
    assert NotebookSession.objects.count() == 2


def test_two_ways_to_write_one_name_are_the_same_name(create: Create) -> None:
    create(name="café")
    with pytest.raises(DomainError, match="already"):
        create(name="cafe\u0301")


def test_a_name_is_free_at_once_after_the_deletion(
    create: Create, running: NotebookSession, ada: User
) -> None:
    services.delete_session(session=running, actor=ada)
    assert state_of(running) == S.STOPPING
    assert create(name="analysis").name == "analysis"


@pytest.mark.parametrize("name", ["none", "", "SMALL", "small ", "sm\0all", "%", "x" * 1000])
@pytest.mark.parametrize("field", ["profile", "environment"])
def test_what_is_not_in_the_catalogue_is_refused(create: Create, field: str, name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        create(**{field: name})
    assert list(refusal.value.fields) == [field]
    assert not NotebookSession.objects.exists()


@pytest.mark.parametrize("field", ["profile", "environment"])
def test_what_is_switched_off_is_refused(
    create: Create, small: ResourceProfile, plain: Environment, field: str
) -> None:
    entry = {"profile": small, "environment": plain}[field]
    entry.enabled = False
    entry.save(update_fields=["enabled"])
    with pytest.raises(InvalidInput) as refusal:
        create()
    assert list(refusal.value.fields) == [field]


@pytest.mark.parametrize("field", ["profile", "environment"])
def test_what_is_for_another_group_is_refused(
    create: Create, small: ResourceProfile, plain: Environment, ada: User, field: str
) -> None:
    entry = {"profile": small, "environment": plain}[field]
    physics = Group.objects.create(name="physics")
    entry.groups.add(physics, Group.objects.create(name="chemistry"))
    with pytest.raises(InvalidInput) as refusal:
        create()
    assert list(refusal.value.fields) == [field]
    ada.groups.set(Group.objects.all())
    assert create().status == S.REQUESTED


@pytest.mark.parametrize("field", ["profile", "environment"])
def test_a_restart_takes_the_right_to_what_the_session_uses(
    stopped: NotebookSession, field: str
) -> None:
    getattr(stopped, field).groups.add(Group.objects.create(name="physics"))
    with pytest.raises(InvalidInput) as refusal:
        services.start_session(session=stopped, actor=stopped.owner)
    assert list(refusal.value.fields) == [field]
    assert (state_of(stopped), stopped.runs.count()) == (S.STOPPED, 1)


def test_starting_a_session_that_failed_clears_its_reason(failed: NotebookSession) -> None:
    assert failed.reason_code == "server_crashed"
    session = services.start_session(session=failed, actor=failed.owner)
    assert (session.status, session.reason_code, session.reason) == (S.REQUESTED, "", "")
    assert session.explanation is None


@pytest.mark.parametrize("status", [S.REQUESTED, S.STARTING, S.RUNNING])
def test_starting_what_is_launched_changes_nothing(status: S) -> None:
    session = SessionFactory.create(status=status)
    services.start_session(session=session, actor=session.owner)
    assert (state_of(session), session.runs.count(), moves(session)) == (status, 1, [])


def test_starting_what_stops_is_refused(stopping: NotebookSession) -> None:
    with pytest.raises(DomainError) as refusal:
        services.start_session(session=stopping, actor=stopping.owner)
    assert (refusal.value.code, refusal.value.status) == ("session_stopping", 409)
    assert (state_of(stopping), stopping.runs.count()) == (S.STOPPING, 1)


@pytest.mark.parametrize("status", list(S))
def test_what_was_deleted_does_not_start_again(status: S, ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=status)
    services.delete_session(session=session, actor=ada)
    NotebookSession.objects.filter(pk=session.pk).update(status=S.STOPPED)
    with pytest.raises(DomainError) as refusal:
        services.start_session(session=session, actor=ada)
    assert (refusal.value.code, refusal.value.status) == ("not_found", 404)
    assert (state_of(session), session.runs.count()) == (S.STOPPED, 1)


def test_what_was_deleted_is_not_renamed(running: NotebookSession, ada: User) -> None:
    services.delete_session(session=running, actor=ada)
    before = running.events.count()
    with pytest.raises(DomainError) as refusal:
        services.rename_session(session=running, name="other", actor=ada)
    assert refusal.value.code == "not_found"
    running.refresh_from_db()
    assert (running.name, running.events.count()) == ("analysis", before)


@pytest.mark.parametrize("status", [S.REQUESTED, S.STARTING, S.RUNNING])
def test_what_is_launched_can_be_stopped(status: S, ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=status)
    stopped = services.stop_session(session=session, actor=ada)
    assert stopped.status == S.STOPPING
    assert moves(session) == [(status, S.STOPPING, "")]
    assert actors(session) == [ada]


@pytest.mark.parametrize("status", [S.STOPPING, S.STOPPED, S.FAILED])
def test_stopping_what_is_not_launched_changes_nothing(status: S, ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=status)
    assert services.stop_session(session=session, actor=ada).status == status
    assert moves(session) == []


@pytest.mark.parametrize("status", [status for status in S if status != S.STOPPING])
def test_deleting_leads_through_stopping(status: S, ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=status)
    services.delete_session(session=session, actor=ada)
    services.delete_session(session=session, actor=ada)
    session.refresh_from_db()
    assert session.status == S.STOPPING
    assert session.deleted_at is not None
    assert moves(session) == [(status, S.STOPPING, "deleted")]
    assert not NotebookSession.objects.visible_to(ada).exists()


def test_deleting_what_stops_is_noted(ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=S.STOPPING)
    services.delete_session(session=session, actor=ada)
    assert moves(session) == [("", "", "")]
    assert session.events.get().message == "Deleted."


def test_deleting_a_stopped_session_leaves_its_home(
    stopped: NotebookSession,
    backend: FakeBackend,
    broker: Broker,
    django_capture_on_commit_callbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_session(session=stopped, actor=stopped.owner)
    assert broker.work() == ["halt"]
    assert (state_of(stopped), len(backend.volumes)) == (S.STOPPED, 1)


def test_renaming_is_noted_with_both_names(requested: NotebookSession, ada: User) -> None:
    services.rename_session(session=requested, name=" New  name ", actor=ada)
    requested.refresh_from_db()
    assert requested.name == "New name"
    assert requested.events.latest("id").message == "Renamed from “analysis” to “New name”."


def test_renaming_to_the_same_name_is_not_noted(requested: NotebookSession, ada: User) -> None:
    services.rename_session(session=requested, name="analysis", actor=ada)
    assert requested.events.count() == 1


def test_renaming_to_a_taken_name_is_refused(requested: NotebookSession, ada: User) -> None:
    SessionFactory.create(owner=ada, name="taken")
    with pytest.raises(DomainError) as refusal:
        services.rename_session(session=requested, name="taken", actor=ada)
    assert refusal.value.code == "name_taken"
    requested.refresh_from_db()
    assert (requested.name, requested.events.count()) == ("analysis", 1)


def test_the_same_key_gives_the_same_session(create: Create) -> None:
    first = create(name="a", idempotency_key="k")
    assert create(name="a", idempotency_key="k") == first
    assert (NotebookSession.objects.count(), Run.objects.count()) == (1, 1)


def test_a_key_is_ones_own(create: Create, mallory: User) -> None:
    SessionFactory.create(owner=mallory, idempotency_key="k", idempotency_digest="other")
    assert create(idempotency_key="k").owner != mallory


@pytest.mark.parametrize("key", ["x" * 201, "naïve", "a\nb"])
def test_a_key_that_is_no_key_is_refused(create: Create, key: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        create(idempotency_key=key)
    assert list(refusal.value.fields) == ["Idempotency-Key"]


# Races, on real transactions.

race = pytest.mark.django_db(transaction=True)
TWENTY = 20


def outcomes(call: Callable[[int], object]) -> list[str]:
    """What twenty at once were told: "" or the code of the refusal."""

    def told(number: int) -> str:
        try:
            call(number)
        except DomainError as refusal:
            return refusal.code
        return ""

    return sorted(at_once(TWENTY, told))


@race
def test_twenty_with_one_key_make_one_session(create: Create, broker: Broker) -> None:
    sessions = at_once(TWENTY, lambda _: create(idempotency_key="k").pk)
    assert len(set(sessions)) == 1
    assert (NotebookSession.objects.count(), Run.objects.count()) == (1, 1)
    assert [name for name, _ in broker.take()] == ["launch"]


@race
def test_of_twenty_with_one_name_one_has_it(create: Create, broker: Broker) -> None:
    assert outcomes(lambda _: create(name="a")) == ["", *["name_taken"] * (TWENTY - 1)]
    assert NotebookSession.objects.count() == 1
    assert len(broker.take()) == 1


@race
def test_twenty_without_a_name_are_all_given_one(create: Create, broker: Broker) -> None:
    assert outcomes(lambda _: create()) == [""] * TWENTY
    assert NotebookSession.objects.values("name").distinct().count() == TWENTY


@race
def test_twenty_starts_are_one_run(stopped: NotebookSession, broker: Broker, ada: User) -> None:
    # Whoever was asked for the first run has begun.
    tasks.launch()
    before = len(moves(stopped))
    assert outcomes(lambda _: services.start_session(session=stopped, actor=ada)) == [""] * TWENTY
    assert stopped.runs.count() == 2
    assert moves(stopped)[before:] == [(S.STOPPED, S.REQUESTED, "")]
    assert [name for name, _ in broker.take()] == ["launch"]


@race
def test_twenty_stops_are_one_stop(running: NotebookSession, broker: Broker, ada: User) -> None:
    broker.take()
    before = len(moves(running))
    assert outcomes(lambda _: services.stop_session(session=running, actor=ada)) == [""] * TWENTY
    assert moves(running)[before:] == [(S.RUNNING, S.STOPPING, "")]
    assert [name for name, _ in broker.take()] == ["halt"]


@race
def test_twenty_deletions_are_one(running: NotebookSession, broker: Broker, ada: User) -> None:
    broker.take()
    before = len(moves(running))
    assert outcomes(lambda _: services.delete_session(session=running, actor=ada)) == [""] * TWENTY
    assert moves(running)[before:] == [(S.RUNNING, S.STOPPING, "deleted")]
    assert [name for name, _ in broker.take()] == ["halt"]


@race
def test_starts_beside_deletions_leave_nothing_launched(
    stopped: NotebookSession, broker: Broker, ada: User, backend: FakeBackend
) -> None:
    def call(number: int) -> object:
        if number % 2:
            return services.start_session(session=stopped, actor=ada)
        services.delete_session(session=stopped, actor=ada)
        return None

    told = set(outcomes(call))
    assert told <= {"", "not_found"}
    broker.work()
    backend.settle()
    tick()
    assert state_of(stopped) == S.STOPPED
    assert backend.observe_all() == {}


@race
def test_of_twenty_sessions_renamed_to_one_name_one_has_it(ada: User) -> None:
    sessions = SessionFactory.create_batch(TWENTY, owner=ada, status=S.STOPPED)
    told = outcomes(lambda n: services.rename_session(session=sessions[n], name="same", actor=ada))
    assert told == ["", *["name_taken"] * (TWENTY - 1)]
    assert NotebookSession.objects.filter(name="same").count() == 1


@race
def test_one_session_renamed_by_twenty_is_noted_once(requested: NotebookSession, ada: User) -> None:
    told = outcomes(lambda _: services.rename_session(session=requested, name="b", actor=ada))
    assert told == [""] * TWENTY
    assert requested.events.filter(to_status="").count() == 1


@race
def test_a_rename_and_a_creation_of_one_name_leave_one(
    requested: NotebookSession, create: Create, ada: User
) -> None:
    def call(number: int) -> object:
        if number % 2:
            return services.rename_session(session=requested, name="b", actor=ada)
        return create(name="b")

    assert set(outcomes(call)) <= {"", "name_taken"}
    assert NotebookSession.objects.filter(name="b").count() == 1
