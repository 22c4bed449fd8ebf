"""What many do at once is let in as if one did it after the other."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection, transaction

from accounts.models import User
from environments.models import Environment
from notebooks import lifecycle, services
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas import ledger
from quotas.amounts import CPU, SESSIONS, STORAGE
from quotas.models import Limit, Reservation, ResourceProfile, Scope
from submarine_site.core.errors import DomainError
from tests.factories import (
    LimitFactory,
    SessionFactory,
    UserFactory,
    VolumeClassFactory,
    VolumeFactory,
)
from tests.sessions import key_of, state_of
from tests.threads import at_once
from volumes import services as volumes

pytestmark = pytest.mark.django_db(transaction=True)


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except DomainError as refusal:
        return refusal.code
    return "in"


@pytest.fixture
def create(ada: User, small: ResourceProfile, plain: Environment) -> Callable[..., str]:
    def call(*, owner: User = ada, charge_to: str = "") -> str:
        return outcome(
            lambda: services.create_session(
                owner=owner,
                profile=small.name,
                environment=plain.name,
                charge_to=charge_to,
            )
        )

    return call


def end_all() -> None:
    """Have nothing held and nothing there."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notebooks_notebooksession, quotas_reservation CASCADE")


@pytest.mark.timeout(300)
def test_of_fifty_at_once_exactly_as_many_as_there_is_room_for_are_let_in(
    create: Callable[..., str], ada: User
) -> None:
    LimitFactory.create(resource=SESSIONS, amount=3)
    for _ in range(100):
        outcomes = at_once(50, lambda _: create())
        assert Counter(outcomes) == {"in": 3, "over_quota": 47}
        assert NotebookSession.objects.count() == 3
        assert Reservation.objects.held().count() == 3
        end_all()


def test_the_same_of_starting_again(ada: User) -> None:
    LimitFactory.create(resource=SESSIONS, amount=3)
    stopped = SessionFactory.create_batch(20, owner=ada, status=S.STOPPED)

    def start(number: int) -> str:
        return outcome(lambda: services.start_session(session=stopped[number], actor=ada))

    assert Counter(at_once(20, start)) == {"in": 3, "over_quota": 17}
    assert Counter(map(state_of, stopped)) == {S.REQUESTED: 3, S.STOPPED: 17}
    assert Reservation.objects.held().count() == 3


def test_the_same_of_volumes_that_grow(ada: User) -> None:
    LimitFactory.create(resource=STORAGE, amount=20 * 1024)
    growable = VolumeClassFactory.create(growable=True)
    ten = VolumeFactory.create_batch(10, owner=ada, volume_class=growable, size_mib=1024)

    def grow(number: int) -> str:
        return outcome(lambda: volumes.grow_volume(volume=ten[number], size_mib=4 * 1024))

    assert Counter(at_once(10, grow)) == {"in": 3, "over_quota": 7}
    assert ledger.usage_beside(None, user_id=ada.pk).user[STORAGE] == 19 * 1024


def test_the_same_of_all_ways_mixed(create: Callable[..., str], ada: User) -> None:
    LimitFactory.create(resource=SESSIONS, amount=4)
    LimitFactory.create(resource=STORAGE, amount=10 * 1024)
    classes = VolumeClassFactory.create(growable=True)
    stopped = SessionFactory.create_batch(8, owner=ada, status=S.STOPPED)
    grown = VolumeFactory.create_batch(4, owner=ada, volume_class=classes, size_mib=1024)
    ways: list[Callable[[int], object]] = [
        lambda n: services.start_session(session=stopped[n], actor=ada),
        lambda _: create(),
        lambda n: volumes.grow_volume(volume=grown[n % 4], size_mib=3 * 1024),
        lambda n: volumes.create_volume(
            owner=ada, name=f"new {n}", volume_class=classes.name, size_mib=1024
        ),
    ]
    at_once(32, lambda number: outcome(lambda: ways[number % 4](number // 4)))
    used = ledger.usage_beside(None, user_id=ada.pk).user
    assert used[SESSIONS] == 4
    assert used[STORAGE] in {9 * 1024, 10 * 1024}
    active = NotebookSession.objects.active().count()
    assert active == 4


def test_two_pools_that_are_charged_in_either_order_do_not_wait_for_each_other(
    create: Callable[..., str], small: ResourceProfile
) -> None:
    one, two = (Group.objects.create(name=name) for name in ("one", "two"))
    people = UserFactory.create_batch(4)
    for person in people:
        person.groups.add(one, two)
    for group in (one, two):
        LimitFactory.create(scope=Scope.POOL, group=group, resource=SESSIONS, amount=10)
    LimitFactory.create(scope=Scope.SITE, resource=SESSIONS, amount=15)

    def start(number: int) -> str:
        return create(owner=people[number % 4], charge_to=("one", "two")[number % 2])

    assert Counter(at_once(40, start)) == {"in": 15, "over_quota": 25}


def test_processes_count_what_others_took(
    ada: User, small: ResourceProfile, plain: Environment
) -> None:
    LimitFactory.create(resource=SESSIONS, amount=3)
    database = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    asking = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.quotas.asker", ada.username, small.name, plain.name],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": database._replace(path=f"/{name}").geturl()},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    outcomes = Counter(" ".join(each.communicate(timeout=60)[0] for each in asking).split())
    assert outcomes == {"in": 3, "over_quota": 29}


def test_a_limit_that_is_lowered_in_the_middle_holds_for_all_that_come_after(
    create: Callable[..., str], ada: User
) -> None:
    limit = LimitFactory.create(resource=SESSIONS, amount=10)

    def one(number: int) -> str:
        if number == 0:
            Limit.objects.filter(pk=limit.pk).update(amount=2)
            return "lowered"
        return create()

    outcomes = Counter(at_once(20, one))
    assert outcomes["lowered"] == 1
    assert 2 <= outcomes["in"] <= 10
    assert create() == "over_quota"
    assert Reservation.objects.held().count() == outcomes["in"]


def test_an_end_that_is_told_many_times_at_once_gives_back_once(
    create: Callable[..., str], ada: User, backend: FakeBackend
) -> None:
    LimitFactory.create(resource=SESSIONS, amount=1)
    create()
    session = NotebookSession.objects.get()
    lifecycle.launch(key_of(session))
    services.stop_session(session=session, actor=ada)
    key = key_of(session)
    backend.vanish(key)
    at_once(8, lambda _: lifecycle.finish(key))
    assert state_of(session) == S.STOPPED
    assert Reservation.objects.count() == 1
    assert ledger.usage_beside(None, user_id=ada.pk).user.get(SESSIONS, 0) == 0
    assert Counter(at_once(8, lambda _: create())) == {"in": 1, "over_quota": 7}


def test_the_worker_that_dies_between_commit_and_task_loses_no_count(
    create: Callable[..., str], ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    LimitFactory.create(resource=SESSIONS, amount=1)
    monkeypatch.setattr("submarine_site.core.queue._send", lambda _: None)
    assert create() == "in"
    session = NotebookSession.objects.get()
    assert lifecycle.requested(limit=9) == [key_of(session)]
    assert create() == "over_quota"
    # The task comes twice, by way of the poll.
    for _ in range(2):
        lifecycle.launch(key_of(session))
    assert Reservation.objects.held().count() == 1


def test_who_waits_too_long_is_told_to_come_again_and_has_nothing_done(
    create: Callable[..., str], ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "WAIT", "50ms")
    with transaction.atomic():
        ledger.hold_accounts(ada.pk)
        assert at_once(1, lambda _: create()) == ["busy"]
    assert not NotebookSession.objects.exists()
    assert create() == "in"
    assert ledger.usage_beside(None, user_id=ada.pk).user[CPU] == 1000
