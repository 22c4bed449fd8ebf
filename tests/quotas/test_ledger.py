"""The gate: what it lets in, what it says otherwise, and when what is held is given back."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from environments.models import Environment
from notebooks import holdings, lifecycle, reconciler, services
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas import ledger
from quotas.amounts import CPU, MEMORY, SESSIONS, STORAGE, VOLUMES, gpu
from quotas.ledger import QuotaExceeded
from quotas.models import Account, Limit, Reservation, ResourceProfile, Scope
from submarine_site.core.errors import InvalidInput
from tests.factories import (
    LimitFactory,
    ProfileFactory,
    SessionFactory,
    VolumeClassFactory,
    VolumeFactory,
)
from tests.sessions import key_of, run_of, state_of, tick
from volumes import services as volumes
from volumes.lifecycle import settle as settle_volumes

pytestmark = pytest.mark.django_db


@pytest.fixture
def vision(ada: User) -> Group:
    group = Group.objects.create(name="vision")
    ada.groups.add(group)
    return group


@pytest.fixture
def create(ada: User, small: ResourceProfile, plain: Environment):
    def call(owner: User = ada, profile: str = small.name, **more: Any) -> NotebookSession:
        created = services.create_session(
            owner=owner, profile=profile, environment=plain.name, **more
        )
        return created.session

    return call


def held(user: User) -> dict[str, int]:
    return {
        name: amount
        for name, amount in ledger.usage_beside(None, user_id=user.pk).user.items()
        if amount
    }


def refusal_of(call, *given, **named) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as refusal:
        call(*given, **named)
    return refusal.value


# What is let in.


def test_a_session_holds_what_its_size_says(create, ada: User, mallory: User) -> None:
    ProfileFactory.create(name="gpus", cpu_milli=4000, memory_mib=8192, gpus=2, accelerator="a100")
    session = create(profile="gpus")
    assert held(ada) == {SESSIONS: 1, CPU: 4000, MEMORY: 8192, gpu("a100"): 2}
    assert held(mallory) == {}
    [reservation] = Reservation.objects.all()
    assert (reservation.holder, reservation.part) == (session.pk, run_of(session).pk)


def test_one_may_have_as_much_as_the_limit_and_no_more(create, ada: User) -> None:
    LimitFactory.create(resource=SESSIONS, amount=2)
    create(name="first")
    create(name="second")
    refusal = refusal_of(create, name="third")
    assert (refusal.code, refusal.status) == ("over_quota", 409)
    assert refusal.message == (
        "This needs 1 session; you may have 2 sessions, with 2 sessions in use."
    )
    assert refusal.fields == {"profile": refusal.message}
    assert not NotebookSession.objects.filter(name="third").exists()
    assert held(ada) == {SESSIONS: 2, CPU: 2000, MEMORY: 4096}


def test_none_is_none(create) -> None:
    LimitFactory.create(resource=SESSIONS, amount=0)
    message = "This needs 1 session; you may have 0 sessions."
    assert refusal_of(create).message == message


def test_all_that_is_in_the_way_is_said_at_once(
    api: APIClient, vision: Group, small: ResourceProfile, plain: Environment
) -> None:
    LimitFactory.create(resource=CPU, amount=500)
    LimitFactory.create(scope=Scope.POOL, group=vision, resource=MEMORY, amount=1024)
    LimitFactory.create(scope=Scope.SITE, resource=SESSIONS, amount=0)
    answer = api.post(
        "/api/v2/sessions/", {"profile": small.name, "environment": plain.name}, format="json"
    )
    assert answer.status_code == 409
    told = answer.json()
    assert told["code"] == "over_quota"
    assert told["details"]["shortages"] == [
        {
            "scope": "site",
            "resource": "sessions",
            "limit": 0,
            "used": 0,
            "asked": 1,
            "pool": "",
            "message": "This needs 1 session; the site has 0 sessions for everybody.",
        },
        {
            "scope": "user",
            "resource": "cpu_milli",
            "limit": 500,
            "used": 0,
            "asked": 1000,
            "pool": "",
            "message": "This needs 1 CPU; you may have 0.5 CPU.",
        },
        {
            "scope": "pool",
            "resource": "memory_mib",
            "limit": 1024,
            "used": 0,
            "asked": 2048,
            "pool": "vision",
            "message": "This needs 2 GiB; the pool of vision has 1 GiB.",
        },
    ]
    assert told["message"] == " ".join(each["message"] for each in told["details"]["shortages"])
    assert not Reservation.objects.exists()


def test_the_site_s_cap_counts_everybody(create, ada: User, mallory: User) -> None:
    LimitFactory.create(scope=Scope.SITE, resource=SESSIONS, amount=1)
    create(owner=mallory)
    assert refusal_of(create).shortages[0].used == 1


def test_classes_of_gpus_are_counted_apart(create) -> None:
    LimitFactory.create(resource=gpu("a100"), amount=1)
    for name in ("a100", "h100"):
        ProfileFactory.create(name=name, gpus=1, accelerator=name)
    create(profile="a100")
    create(profile="h100")
    assert refusal_of(create, profile="a100").message == (
        "This needs 1 GPU a100; you may have 1 GPU a100, with 1 GPU a100 in use."
    )


def test_starting_again_goes_through_the_same_gate(create, ada: User) -> None:
    LimitFactory.create(resource=SESSIONS, amount=1)
    stopped = SessionFactory.create(owner=ada, status=S.STOPPED)
    create()
    refusal_of(services.start_session, session=stopped, actor=ada)
    assert state_of(stopped) == S.STOPPED
    assert stopped.runs.count() == 1


def test_what_starts_already_takes_no_more(create, ada: User) -> None:
    LimitFactory.create(resource=SESSIONS, amount=1)
    session = create()
    services.start_session(session=session, actor=ada)
    assert held(ada)[SESSIONS] == 1


def test_a_failed_session_starts_in_its_own_place_while_its_pod_goes(
    create, ada: User, backend: FakeBackend
) -> None:
    LimitFactory.create(resource=SESSIONS, amount=1)
    session = create()
    tick()
    lifecycle.fail(key_of(session), code="server_crashed", message="gone")
    assert held(ada)[SESSIONS] == 1
    services.start_session(session=session, actor=ada)
    assert held(ada)[SESSIONS] == 2
    refusal_of(create, name="another")


def test_lowering_a_limit_stops_nobody_and_lets_nobody_more_in(create, ada: User) -> None:
    limit = LimitFactory.create(resource=SESSIONS, amount=2)
    sessions = [create(name=name) for name in ("one", "two")]
    Limit.objects.filter(pk=limit.pk).update(amount=1)
    tick()
    assert [state_of(session) for session in sessions] == [S.STARTING, S.STARTING]
    refusal_of(create)
    services.stop_session(session=sessions[0], actor=ada)
    assert state_of(sessions[1]) == S.STARTING


def test_the_same_request_twice_is_let_in_once(create, ada: User) -> None:
    LimitFactory.create(resource=SESSIONS, amount=1)
    first = create(idempotency_key="once")
    assert create(idempotency_key="once") == first
    assert held(ada)[SESSIONS] == 1


def test_what_is_lost_and_begun_anew_asks_nobody(create, ada: User, backend: FakeBackend) -> None:
    limit = LimitFactory.create(resource=SESSIONS, amount=1)
    session = create()
    tick()
    Limit.objects.filter(pk=limit.pk).update(amount=0)
    lost = key_of(session)
    lifecycle.restart(lost, code="node_lost", message="The machine was lost.")
    assert key_of(session) != lost
    backend.vanish(lost)
    tick()
    assert state_of(session) == S.STARTING
    assert held(ada)[SESSIONS] == 1


# Pools.


def test_a_session_is_charged_to_the_one_pool_there_is(create, ada: User, vision: Group) -> None:
    LimitFactory.create(scope=Scope.POOL, group=vision, resource=SESSIONS, amount=1)
    assert create().charged_to == vision
    refusal_of(create)
    Reservation.objects.update(user=None)
    # It counts the group's, whoever has it.
    assert refusal_of(create).shortages[0].used == 1


def test_of_several_pools_the_user_chooses_and_that_of_last_time_is_kept(
    create, ada: User, vision: Group
) -> None:
    speech = Group.objects.create(name="speech")
    ada.groups.add(speech)
    for group in (vision, speech):
        LimitFactory.create(scope=Scope.POOL, group=group, resource=SESSIONS, amount=5)
    assert create().charged_to == speech
    assert create(charge_to="vision").charged_to == vision
    assert create().charged_to == vision


@pytest.mark.parametrize("name", ["nobody's", "chemistry", "\0"])
def test_no_other_pool_can_be_charged(create, vision: Group, name: str) -> None:
    LimitFactory.create(scope=Scope.POOL, group=vision)
    LimitFactory.create(scope=Scope.POOL, group=Group.objects.create(name="chemistry"))
    with pytest.raises(InvalidInput) as refusal:
        create(charge_to=name)
    assert refusal.value.fields == {"charge_to": "There is no such pool that you may charge."}


def test_who_leaves_a_group_while_a_session_runs_has_it_charged_there_to_its_end(
    create, ada: User, vision: Group, backend: FakeBackend
) -> None:
    LimitFactory.create(scope=Scope.POOL, group=vision, resource=SESSIONS, amount=5)
    session = create()
    tick()
    ada.groups.clear()
    assert Reservation.objects.get().pool == vision
    services.stop_session(session=session, actor=ada)
    backend.settle()
    tick()
    backend.settle()
    tick()
    services.start_session(session=session, actor=ada)
    session.refresh_from_db()
    assert session.charged_to is None
    assert Reservation.objects.held().get().pool is None


# What is given back, and when.


def test_it_is_held_until_the_pod_is_gone(create, ada: User, backend: FakeBackend) -> None:
    session = create()
    tick()
    services.stop_session(session=session, actor=ada)
    tick()
    assert (state_of(session), held(ada)[SESSIONS]) == (S.STOPPING, 1)
    backend.settle()
    tick()
    assert (state_of(session), held(ada)) == (S.STOPPED, {})


def test_it_is_given_back_once(create, ada: User, backend: FakeBackend) -> None:
    session = create()
    tick()
    key = key_of(session)
    services.stop_session(session=session, actor=ada)
    tick()
    backend.settle()
    tick()
    released = Reservation.objects.get().released_at
    assert released is not None
    for _ in range(2):
        lifecycle.finish(key)
        lifecycle.halt(key)
        reconciler.reconcile({key: None}, observed_at=timezone.now())
        tick()
    assert Reservation.objects.get().released_at == released


def test_a_failed_run_s_is_given_back_at_once_if_it_is_gone(
    create, ada: User, backend: FakeBackend
) -> None:
    session = create()
    tick()
    backend.vanish(key_of(session))
    lifecycle.fail(key_of(session), code="server_crashed", message="gone")
    assert held(ada) == {}


def test_a_failed_run_s_is_given_back_when_the_watcher_sees_it_go(
    create, ada: User, backend: FakeBackend
) -> None:
    session = create()
    tick()
    key = key_of(session)
    lifecycle.fail(key, code="server_crashed", message="gone")
    assert held(ada)[SESSIONS] == 1
    reconciler.reconcile({key: None}, observed_at=timezone.now())
    assert held(ada) == {}


def test_what_is_to_be_begun_is_held_though_nothing_is_there(create, ada: User) -> None:
    session = create()
    reconciler.reconcile({key_of(session): None}, observed_at=timezone.now())
    assert holdings.settle(set()) == holdings.Drift(lacking=0, left=0)
    assert held(ada)[SESSIONS] == 1


# Drift.


def test_sessions_that_are_not_counted_are(ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=S.RUNNING)
    SessionFactory.create(owner=ada, status=S.STOPPED)
    Reservation.objects.all().delete()
    assert holdings.settle({run_of(session).pk}) == holdings.Drift(lacking=1, left=0)
    assert held(ada)[SESSIONS] == 1
    assert Reservation.objects.get().note == ledger.FOUND
    assert holdings.settle({run_of(session).pk}) == holdings.Drift(lacking=0, left=0)


def test_what_is_held_by_no_session_is_given_back_unless_it_is_there(ada: User) -> None:
    part = uuid4()
    Reservation.of(
        kind=Reservation.Kind.SESSION,
        holder=uuid4(),
        part=part,
        user_id=ada.pk,
        amounts={SESSIONS: 1},
    ).save()
    assert holdings.settle({part}) == holdings.Drift(lacking=0, left=0)
    assert holdings.settle(set()) == holdings.Drift(lacking=0, left=1)
    assert held(ada) == {}


def test_a_look_takes_the_same_queries_however_many_there_are(
    ada: User, django_assert_num_queries
) -> None:
    SessionFactory.create_batch(3, owner=ada, status=S.RUNNING)
    with django_assert_num_queries(2):
        holdings.settle(set())


# Volumes.


def test_volumes_hold_from_their_request_until_they_are_removed(ada: User) -> None:
    volume = volumes.create_volume(
        owner=ada, name="data", volume_class=VolumeClassFactory.create().name, size_mib=1024
    )
    assert held(ada) == {STORAGE: 1024, VOLUMES: 1}
    settle_volumes()
    volumes.trash_volume(volume=volume)
    settle_volumes()
    assert held(ada) == {STORAGE: 1024, VOLUMES: 1}
    volumes.remove_volume(volume=volume)
    settle_volumes()
    assert held(ada) == {}


def test_what_a_volume_grows_to_is_held_and_given_back_if_it_cannot(
    ada: User, backend: FakeBackend
) -> None:
    volume = volumes.create_volume(
        owner=ada,
        name="data",
        volume_class=VolumeClassFactory.create(growable=True).name,
        size_mib=1024,
    )
    settle_volumes()
    volumes.grow_volume(volume=volume, size_mib=2048)
    assert held(ada) == {STORAGE: 2048, VOLUMES: 1}
    backend.refuses_to_grow = "It cannot."
    settle_volumes()
    assert held(ada) == {STORAGE: 1024, VOLUMES: 1}


def test_a_home_that_the_site_keeps_counts_and_is_never_refused(ada: User) -> None:
    LimitFactory.create(resource=VOLUMES, amount=0)
    volumes.homes_of([ada])
    settle_volumes()
    assert held(ada) == {VOLUMES: 1}
    with pytest.raises(QuotaExceeded):
        volumes.create_volume(
            owner=ada, name="data", volume_class=VolumeClassFactory.create().name, size_mib=1024
        )


def test_what_is_held_by_no_volume_is_given_back(ada: User) -> None:
    VolumeFactory.create(owner=ada, size_mib=1024).delete()
    settle_volumes()
    assert held(ada) == {}
    assert Reservation.objects.get().note == ledger.FOUND


def test_accounts_are_there_with_what_they_are_for(ada: User, physics: Group) -> None:
    def subjects(kind: Account.Kind) -> set[int]:
        return set(Account.objects.filter(kind=kind).values_list("subject", flat=True))

    assert ada.pk in subjects(Account.Kind.USER)
    assert subjects(Account.Kind.POOL) | subjects(Account.Kind.SITE) == set()
    LimitFactory.create(scope=Scope.GROUP, group=physics)
    limit = LimitFactory.create(resource=CPU, scope=Scope.GROUP, group=physics)
    assert subjects(Account.Kind.POOL) == set()
    Limit.objects.filter(pk=limit.pk).update(scope=Scope.POOL)
    assert subjects(Account.Kind.POOL) == {physics.pk}
    for resource in (CPU, MEMORY):
        LimitFactory.create(scope=Scope.SITE, resource=resource)
    assert subjects(Account.Kind.SITE) == {0}


def test_nobody_comes_in_uncounted(create, ada: User) -> None:
    Account.objects.filter(kind=Account.Kind.USER, subject=ada.pk).delete()
    with pytest.raises(LookupError, match=f"{ada.pk}"):
        create()
    assert not NotebookSession.objects.exists()
