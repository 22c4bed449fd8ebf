"""What people may ask of volumes, and what they are refused."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from quotas.amounts import STORAGE
from submarine_site.core.errors import DomainError, InvalidInput
from tests.broker import Broker
from tests.contracts.eventually import eventually
from tests.factories import LimitFactory, UserFactory, VolumeClassFactory, VolumeFactory
from tests.threads import SECONDS, at_once
from tests.volumes.conftest import FakeHost
from volumes import services
from volumes.folders import overlaps_any
from volumes.host import Attachments, HomeTerms, host
from volumes.models import Volume, VolumeClass, VolumeKind
from volumes.states import TRANSITIONS, VolumeState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("told", "broker")]

GIB = 1024


@pytest.fixture
def hers(ada: User, standard: VolumeClass) -> Volume:
    """Ada's data, of 10 GiB, ready."""
    return VolumeFactory.create(
        owner=ada, name="data", volume_class=standard, size_mib=10 * GIB, storage_class="standard"
    )


def create(owner: User, **change: Any) -> Volume:
    given = {"name": "data", "volume_class": "standard", "size_mib": 10 * GIB, **change}
    return services.create_volume(owner=owner, **given)


def refused(call: Any, *given: Any, **named: Any) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        call(*given, **named)
    return refusal.value


def now(volume: Volume) -> Volume:
    volume.refresh_from_db()
    return volume


def trashed(volume: Volume, **change: Any) -> Volume:
    Volume.objects.filter(pk=volume.pk).update(
        state=VolumeState.TRASHED, **{"trashed_at": timezone.now(), **change}
    )
    return now(volume)


@pytest.mark.parametrize("to", VolumeState)
@pytest.mark.parametrize("state", VolumeState)
def test_a_volume_moves_only_as_the_table_says(
    hers: Volume, state: VolumeState, to: VolumeState
) -> None:
    Volume.objects.update(state=state)
    moved = Volume.objects.transition(to)
    assert bool(moved) == (state in TRANSITIONS[to])
    assert now(hers).state == (to if moved else state)


# Making one.


def test_a_volume_is_as_its_class_says_and_is_asked_for(
    ada: User, standard: VolumeClass, broker: Broker
) -> None:
    standard.access_mode = "one_session"
    standard.save()
    made = create(ada, name="  my   data ")
    made = Volume.objects.get(pk=made.pk)
    assert (made.owner, made.name, made.kind, made.state) == (ada, "my data", "data", "requested")
    assert (made.size_mib, made.storage_class, made.access_mode) == (
        10 * GIB,
        "standard",
        "one_session",
    )
    assert made.volume_class == standard
    assert broker.take() == [("settle", [])]


@pytest.mark.parametrize("size", [0, -1, 100 * GIB + 1, 2**31, 2**63, 10**30])
def test_a_size_is_one_that_the_class_has(ada: User, standard: VolumeClass, size: int) -> None:
    refusal = refused(create, ada, size_mib=size)
    assert refusal.fields == {"size_mib": "A size from 1 MiB to 100 GiB is needed."}
    assert not Volume.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "x" * 300, "a\u202eb", "a\0b", "\u200d"])
def test_a_name_is_one_that_can_be_read(ada: User, standard: VolumeClass, name: str) -> None:
    assert list(refused(create, ada, name=name).fields) == ["name"]
    assert not Volume.objects.exists()


def test_a_class_is_one_that_is_offered(ada: User, standard: VolumeClass) -> None:
    VolumeClassFactory.create(name="off", enabled=False)
    VolumeClassFactory.create(name="theirs").groups.add(Group.objects.create(name="physics"))
    for name in ("off", "theirs", "none", "", "a\0b", "x" * 300):
        refusal = refused(create, ada, volume_class=name)
        assert isinstance(refusal, InvalidInput)
        assert list(refusal.fields) == ["volume_class"]
    assert not Volume.objects.exists()


def test_there_is_one_volume_of_a_name(ada: User, mallory: User, hers: Volume) -> None:
    refusal = refused(create, ada)
    assert (refusal.code, list(refusal.fields)) == ("name_taken", ["name"])
    assert refusal.message == "There is a volume named “data” already."
    assert create(mallory).name == "data"


def test_a_name_in_the_trash_is_free(ada: User, hers: Volume) -> None:
    trashed(hers)
    assert create(ada).name == "data"


def test_of_many_that_make_the_same_at_once_one_does(ada: User, standard: VolumeClass) -> None:
    def one(_: int) -> str:
        try:
            return create(ada).state
        except DomainError as refusal:
            return refusal.code

    assert sorted(at_once(8, one)) == [*["name_taken"] * 7, "requested"]
    assert Volume.objects.count() == 1


def test_the_most_there_may_be_are_not_exceeded_by_many_at_once(
    ada: User, mallory: User, standard: VolumeClass
) -> None:
    VolumeFactory.create_batch(services.MAX_VOLUMES - 2, owner=ada)
    trashed(VolumeFactory.create(owner=ada))

    def one(number: int) -> str:
        try:
            return create(ada, name=f"new {number}").state
        except DomainError as refusal:
            return refusal.code

    assert sorted(at_once(6, one)) == ["requested", *["too_many_volumes"] * 5]
    assert ada.volumes.count() == services.MAX_VOLUMES
    assert create(mallory).state == "requested"


def test_what_a_user_s_volumes_have_in_all_stays_within_the_quota_also_at_once(
    ada: User, mallory: User, standard: VolumeClass
) -> None:
    LimitFactory.create(resource=STORAGE, amount=50 * GIB)
    trashed(VolumeFactory.create(owner=ada, size_mib=20 * GIB))
    VolumeFactory.create(owner=ada, size_mib=None)

    def one(number: int) -> str:
        try:
            return create(ada, name=f"new {number}", size_mib=10 * GIB).state
        except DomainError as refusal:
            return refusal.code

    assert sorted(at_once(8, one)) == [*["over_quota"] * 5, *["requested"] * 3]
    assert create(mallory, size_mib=50 * GIB).state == "requested"
    refusal = refused(create, ada, name="more", size_mib=1)
    assert refusal.fields == {"size_mib": refusal.message}
    assert refusal.message == "This needs 1 MiB; you may have 50 GiB, with 50 GiB in use."


def test_growing_counts_against_the_quota_from_when_it_is_asked_for(
    ada: User, standard: VolumeClass
) -> None:
    LimitFactory.create(resource=STORAGE, amount=30 * GIB)
    first, second = [
        VolumeFactory.create(owner=ada, volume_class=standard, size_mib=10 * GIB) for _ in range(2)
    ]
    services.grow_volume(volume=first, size_mib=20 * GIB)
    assert refused(services.grow_volume, volume=second, size_mib=11 * GIB).code == "over_quota"
    assert now(second).wanted_mib is None


def test_no_home_more_than_there_may_be_volumes_is_left_in_the_trash(ada: User) -> None:
    VolumeFactory.create_batch(services.MAX_VOLUMES - 1, owner=ada)
    home = services.homes_of([ada])[ada.pk]
    assert refused(services.trash_volume, volume=home).code == "too_many_volumes"
    assert now(home).is_live


# Adopting.


def adopt(actor: User, owner: User, **change: Any) -> Volume:
    given = {"name": "archive", "claim": "archive-2020", "as_home": False, **change}
    return services.adopt_volume(actor=actor, owner=owner, **given)


def test_an_operator_makes_a_volume_of_what_is_there(
    operator: User, ada: User, broker: Broker
) -> None:
    made = adopt(operator, ada)
    assert (made.owner, made.kind, made.claim) == (ada, "data", "archive-2020")
    assert (made.size_mib, made.volume_class, made.state) == (None, None, "requested")
    assert broker.take() == [("settle", [])]


def test_a_home_can_be_adopted_where_there_is_none(operator: User, ada: User) -> None:
    home = adopt(operator, ada, as_home=True)
    assert services.homes_of([ada]) == {ada.pk: home}
    assert refused(adopt, operator, ada, as_home=True, name="b", claim="b").code == "home_exists"


def test_a_claim_is_adopted_once(operator: User, ada: User, mallory: User) -> None:
    adopt(operator, ada)
    refusal = refused(adopt, operator, mallory)
    assert (refusal.code, list(refusal.fields)) == ("claim_taken", ["claim"])


@pytest.mark.parametrize("claim", ["a", "my-claim.v2", "x" * 63, "/srv/data", "/srv/my data"])
def test_a_claim_is_a_name_or_a_folder(operator: User, ada: User, claim: str) -> None:
    assert adopt(operator, ada, claim=claim).claim == claim


NO_NAMES = ["", "A", "a b", "-a", "a/b", "x" * 254, "é", "~", "$(id)", "../a"]
NO_FOLDERS = ["/", "//srv", "/srv/", "/srv/../etc", "/srv/./a", "/a\0b", "/a\nb", "/" + "x" * 500]


@pytest.mark.parametrize("claim", NO_NAMES + NO_FOLDERS)
def test_what_is_neither_is_refused(operator: User, ada: User, claim: str) -> None:
    assert list(refused(adopt, operator, ada, claim=claim).fields) == ["claim"]
    assert not Volume.objects.exists()


@pytest.mark.parametrize(
    "claim",
    [
        "home-00000000-0000-0000-0000-000000000003",
        "home-x",
        "default-environments",
        "blue-environments",
        "nb-1",
        "submarine-notebooks",
    ],
)
def test_the_services_own_claims_are_not_adopted(operator: User, ada: User, claim: str) -> None:
    refusal = refused(adopt, operator, ada, claim=claim)
    assert refusal.fields == {"claim": f"The claim “{claim}” is the service's own."}
    assert not Volume.objects.exists()


@pytest.mark.parametrize("claim", ["/srv", "/srv/ada", "/srv/ada/data", "/srv/ada/data/x/y"])
def test_a_folder_of_anothers_volume_is_not_adopted(
    operator: User, ada: User, mallory: User, claim: str
) -> None:
    adopt(operator, ada, claim="/srv/ada/data")
    refusal = refused(adopt, operator, mallory, claim=claim)
    assert (refusal.code, list(refusal.fields)) == ("claim_taken", ["claim"])
    assert adopt(operator, mallory, claim="/srv/ada/data2").owner == mallory


def test_of_overlapping_adoptions_at_once_the_later_is_refused(
    operator: User, ada: User, mallory: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = Event()

    def slow(folder: str, others: Iterable[str]) -> bool:
        overlapping = overlaps_any(folder, others)
        if folder == "/srv/ada":
            # The first one has found nothing, and has not written its row.
            checked.set()
            eventually(somebody_waits)
        return overlapping

    monkeypatch.setattr(services, "overlaps_any", slow)

    def one(number: int) -> str:
        if number:
            assert checked.wait(SECONDS)
            return refused(adopt, operator, mallory, claim="/srv/ada/data").code
        return adopt(operator, ada, claim="/srv/ada").claim

    assert at_once(2, one) == ["/srv/ada", "claim_taken"]
    assert [volume.owner for volume in Volume.objects.all()] == [ada]


@pytest.mark.parametrize("folder", ["data", "data/raw", ""])
@pytest.mark.parametrize("is_link_first", [True, False])
def test_a_link_to_a_folder_of_anothers_volume_is_not_adopted(
    operator: User, ada: User, mallory: User, tmp_path: Path, folder: str, *, is_link_first: bool
) -> None:
    (tmp_path / "real/data/raw").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / folder)
    claims = [str(tmp_path / "real/data"), str(tmp_path / "link")]
    if is_link_first:
        claims.reverse()
    adopt(operator, ada, claim=claims[0])
    refusal = refused(adopt, operator, mallory, claim=claims[1])
    assert (refusal.code, list(refusal.fields)) == ("claim_taken", ["claim"])
    assert [volume.claim for volume in Volume.objects.all()] == [claims[0]]


def test_a_link_to_a_folder_of_no_volume_is_adopted(
    operator: User, ada: User, mallory: User, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    adopt(operator, ada, claim=str(tmp_path / "one"))
    assert adopt(operator, mallory, claim=str(tmp_path / "link")).owner == mallory


def test_only_operators_adopt(ada: User) -> None:
    staff = UserFactory.create(is_staff=True)
    for actor in (ada, staff):
        assert refused(adopt, actor, ada).code == "not_allowed"
    staff.user_permissions.add(Permission.objects.get(codename="add_volume"))
    assert adopt(User.objects.get(pk=staff.pk), ada).owner == ada


# Changing one.


def test_a_volume_is_renamed(hers: Volume) -> None:
    seen = hers.etag
    renamed = services.rename_volume(volume=hers, name="results")
    assert (renamed.name, now(hers).name) == ("results", "results")
    assert hers.etag != seen


def test_a_name_that_is_taken_is_not_given(ada: User, hers: Volume) -> None:
    VolumeFactory.create(owner=ada, name="results")
    assert refused(services.rename_volume, volume=hers, name="results").code == "name_taken"
    assert now(hers).name == "data"


def test_who_changes_what_has_changed_is_told(hers: Volume) -> None:
    seen = hers.etag
    services.rename_volume(volume=hers, name="results")
    refusal = refused(services.grow_volume, volume=hers, size_mib=20 * GIB, expected=seen)
    assert (refusal.code, refusal.status) == ("changed_meanwhile", 412)
    assert (now(hers).name, hers.wanted_mib) == ("results", None)


def test_what_is_in_the_trash_is_not_changed(hers: Volume) -> None:
    trashed(hers)
    assert refused(services.rename_volume, volume=hers, name="mine").code == "not_found"
    assert refused(services.grow_volume, volume=hers, size_mib=20 * GIB).code == "not_found"


def test_a_volume_is_to_grow(hers: Volume, broker: Broker) -> None:
    Volume.objects.update(reason_code="volume_not_growable", reason="No.")
    services.grow_volume(volume=hers, size_mib=20 * GIB, expected=hers.etag)
    assert (now(hers).size_mib, hers.wanted_mib, hers.reason) == (10 * GIB, 20 * GIB, "")
    assert broker.take() == [("settle", [])]


def test_to_its_own_size_it_is_left_as_it_is(hers: Volume, broker: Broker) -> None:
    services.grow_volume(volume=hers, size_mib=10 * GIB)
    assert now(hers).wanted_mib is None
    assert broker.take() == []


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "The volume has 10 GiB. A volume cannot be made smaller."),
        (-(2**40), "The volume has 10 GiB. A volume cannot be made smaller."),
        (10 * GIB - 1, "The volume has 10 GiB. A volume cannot be made smaller."),
        (100 * GIB + 1, "100 GiB is the most it may have."),
        (2**40, "100 GiB is the most it may have."),
    ],
)
def test_it_neither_shrinks_nor_outgrows_its_class(hers: Volume, size: int, said: str) -> None:
    refusal = refused(services.grow_volume, volume=hers, size_mib=size)
    assert refusal.fields == {"size_mib": said}
    assert now(hers).wanted_mib is None


def test_what_it_is_to_grow_to_is_not_taken_back(hers: Volume) -> None:
    services.grow_volume(volume=hers, size_mib=20 * GIB)
    refusal = refused(services.grow_volume, volume=hers, size_mib=15 * GIB)
    assert refusal.message == "The volume has 20 GiB. A volume cannot be made smaller."


def test_where_the_class_does_not_say_so_it_cannot_grow(hers: Volume) -> None:
    VolumeClass.objects.update(growable=False)
    assert refused(services.grow_volume, volume=hers, size_mib=20 * GIB).code == "not_growable"


def test_what_was_adopted_cannot_grow(operator: User, ada: User) -> None:
    volume = adopt(operator, ada)
    assert refused(services.grow_volume, volume=volume, size_mib=20 * GIB).code == "not_growable"


def test_a_home_grows_as_the_site_says(ada: User, told: FakeHost) -> None:
    home = services.homes_of([ada])[ada.pk]
    refusal = refused(services.grow_volume, volume=home, size_mib=5 * GIB)
    assert refusal.message == "4 GiB is the most it may have."
    assert services.grow_volume(volume=home, size_mib=4 * GIB).wanted_mib == 4 * GIB
    told.terms = HomeTerms(size_mib=GIB)
    assert refused(services.grow_volume, volume=home, size_mib=6 * GIB).code == "not_growable"


# The trash.


def test_a_deleted_volume_is_in_the_trash(hers: Volume, broker: Broker) -> None:
    before = timezone.now()
    services.trash_volume(volume=hers)
    assert (now(hers).state, hers.is_live) == ("trashed", False)
    assert hers.trashed_at is not None
    assert before <= hers.trashed_at <= timezone.now()
    assert hers.removed_after == hers.trashed_at + timedelta(days=7)


def test_deleting_it_again_changes_nothing(hers: Volume) -> None:
    first = services.trash_volume(volume=hers)
    again = services.trash_volume(volume=hers)
    assert (first.trashed_at, first.etag) == (again.trashed_at, again.etag)


def test_what_an_active_session_has_is_not_deleted(hers: Volume, told: FakeHost) -> None:
    told.attach(hers, "thesis")
    refusal = refused(services.trash_volume, volume=hers)
    assert (refusal.code, refusal.message) == (
        "volume_in_use",
        "The session “thesis” has this volume. Stop it first.",
    )
    told.attach(hers, "talk")
    refusal = refused(services.trash_volume, volume=hers)
    assert refusal.message == "The sessions “thesis”, “talk” have this volume. Stop them first."
    assert now(hers).state == "ready"


def test_what_a_stopped_session_attaches_can_be_deleted(hers: Volume, told: FakeHost) -> None:
    told.attach(hers, is_active=False)
    assert services.trash_volume(volume=hers).state == "trashed"


def test_what_is_in_the_trash_comes_back(hers: Volume, broker: Broker) -> None:
    trashed(hers)
    back = services.restore_volume(volume=hers)
    assert (back.state, back.trashed_at, back.name) == ("requested", None, "data")
    assert broker.take() == [("settle", [])]
    assert services.restore_volume(volume=hers).etag == back.etag


def test_it_comes_back_under_another_name(ada: User, hers: Volume) -> None:
    trashed(hers)
    VolumeFactory.create(owner=ada, name="data")
    refusal = refused(services.restore_volume, volume=hers)
    assert (refusal.code, list(refusal.fields)) == ("name_taken", ["name"])
    assert now(hers).state == "trashed"
    assert services.restore_volume(volume=hers, name="old data").name == "old data"


def test_a_bad_name_brings_nothing_back(hers: Volume) -> None:
    trashed(hers)
    assert list(refused(services.restore_volume, volume=hers, name="x" * 300).fields) == ["name"]
    assert now(hers).state == "trashed"


def test_a_home_comes_back_as_a_home_where_there_is_no_other(ada: User) -> None:
    home = trashed(services.homes_of([ada])[ada.pk])
    assert services.restore_volume(volume=home).kind == VolumeKind.HOME


def test_a_home_comes_back_as_data_beside_another(ada: User) -> None:
    old = trashed(services.homes_of([ada])[ada.pk])
    new = services.homes_of([ada])[ada.pk]
    assert new != old
    assert refused(services.restore_volume, volume=old).code == "name_taken"
    back = services.restore_volume(volume=old, name="old home")
    assert (back.kind, back.state) == (VolumeKind.DATA, "requested")
    assert services.homes_of([ada]) == {ada.pk: new}


def test_what_is_being_removed_does_not_come_back(hers: Volume) -> None:
    services.remove_volume(volume=trashed(hers))
    assert refused(services.restore_volume, volume=hers).code == "not_found"
    assert refused(services.trash_volume, volume=hers).code == "not_found"


def test_only_what_is_in_the_trash_is_removed(hers: Volume, broker: Broker) -> None:
    assert refused(services.remove_volume, volume=hers).code == "not_in_trash"
    trashed(hers)
    services.remove_volume(volume=hers)
    services.remove_volume(volume=hers)
    assert now(hers).state == "removing"
    assert broker.take() == [("settle", [])]


def test_a_failed_one_is_tried_again(hers: Volume, broker: Broker) -> None:
    Volume.objects.update(state="failed", reason_code="volume_refused", reason="No.")
    retried = services.retry_volume(volume=hers)
    assert (retried.state, retried.reason_code, retried.reason) == ("requested", "", "")
    assert broker.take() == [("settle", [])]


@pytest.mark.parametrize("state", ["requested", "ready", "trashed"])
def test_what_has_not_failed_is_not_tried_again(hers: Volume, state: str, broker: Broker) -> None:
    Volume.objects.update(state=state)
    assert services.retry_volume(volume=hers).state == state
    assert broker.take() == []


# Holding them.


def test_only_what_is_the_owner_s_and_live_is_held(ada: User, mallory: User, hers: Volume) -> None:
    gone = trashed(VolumeFactory.create(owner=ada))
    his = VolumeFactory.create(owner=mallory)
    with transaction.atomic():
        held = services.held(ada, [hers.pk, gone.pk, his.pk, uuid4()])
    assert held == {hers.pk: hers}


def test_of_a_start_and_a_deletion_at_once_exactly_one_wins(
    ada: User, standard: VolumeClass, told: FakeHost
) -> None:
    for _ in range(10):
        volume = VolumeFactory.create(owner=ada)

        def one(number: int, volume: Volume = volume) -> str:
            if number:
                try:
                    return services.trash_volume(volume=volume).state
                except DomainError as refusal:
                    return refusal.code
            with transaction.atomic():
                if volume.pk not in services.held(ada, [volume.pk]):
                    return "start refused"
                told.attach(volume)
                return "started"

        assert at_once(2, one) in (["start refused", "trashed"], ["started", "volume_in_use"])


# Homes.


def test_a_home_is_kept_for_each_user(ada: User, mallory: User, broker: Broker) -> None:
    homes = services.homes_of([ada, mallory])
    assert homes.keys() == {ada.pk, mallory.pk}
    home = homes[ada.pk]
    assert (home.owner, home.name, home.kind, home.state) == (ada, "home", "home", "requested")
    assert (home.size_mib, home.storage_class, home.access_mode) == (GIB, "fast", "one_machine")
    assert broker.take() == [("settle", [])]
    assert services.homes_of([ada, mallory]) == homes
    assert Volume.objects.count() == 2
    assert broker.take() == []


def test_where_no_homes_are_kept_none_is_made(ada: User, told: FakeHost) -> None:
    told.terms = None
    assert services.homes_of([ada]) == {}
    assert not Volume.objects.exists()


def test_of_many_that_need_a_home_at_once_all_have_the_same() -> None:
    people = UserFactory.create_batch(5)
    orders = [people, people[::-1], people[2:] + people[:2], people]

    def one(number: int) -> dict[int, Volume]:
        return services.homes_of(orders[number % 4])

    first, *others = at_once(8, one)
    assert first.keys() == {person.pk for person in people}
    assert all(each == first for each in others)
    assert Volume.objects.count() == 5


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def test_a_home_that_is_just_going_into_the_trash_is_waited_for(ada: User) -> None:
    home = services.homes_of([ada])[ada.pk]
    asked = Event()

    def attachments(volumes: Collection[Volume]) -> Attachments:
        # By now its row is held, and a session that starts is not seen any more.
        asked.set()
        eventually(somebody_waits)
        return {}

    host.fill(replace(host(), attachments=attachments))

    def one(number: int) -> Volume:
        if number:
            return services.trash_volume(volume=home)
        assert asked.wait(SECONDS)
        return services.homes_of([ada])[ada.pk]

    needed, trashed = at_once(2, one)
    assert (trashed.pk, trashed.state) == (home.pk, "trashed")
    assert needed.pk != home.pk


def test_the_home_has_another_name_where_its_own_is_taken(ada: User) -> None:
    VolumeFactory.create(owner=ada, name="home")
    home = services.homes_of([ada])[ada.pk]
    assert home.kind == VolumeKind.HOME
    assert home.name.startswith("home-")


@pytest.mark.django_db
def test_homes_that_are_there_cost_one_query(ada: User, django_assert_num_queries) -> None:
    people = [ada, *UserFactory.create_batch(10)]
    services.homes_of(people)
    with django_assert_num_queries(1):
        services.homes_of(people)
