"""What workers do to volumes, with a keeper in memory."""

from datetime import timedelta
from uuid import uuid4

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connections
from django.utils import timezone

from accounts.models import User
from notebooks.backends.fake import FakeBackend, UnreachableBackend
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.outside import BackendRefused, BackendUnavailable
from tests.factories import VolumeFactory
from tests.threads import at_once
from tests.volumes.conftest import FakeHost
from volumes import lifecycle, services, tasks
from volumes.contract import VolumeSeen, VolumeSpec
from volumes.models import Volume, VolumeClass

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("told", "broker")]

GIB = 1024


@pytest.fixture
def hers(ada: User, standard: VolumeClass) -> Volume:
    """Ada's volume of 10 GiB, which was asked for."""
    return services.create_volume(
        owner=ada, name="data", volume_class="standard", size_mib=10 * GIB
    )


@pytest.fixture
def ready(hers: Volume) -> Volume:
    lifecycle.settle()
    return now(hers)


def now(volume: Volume) -> Volume:
    volume.refresh_from_db()
    return volume


def long_ago(volume: Volume) -> None:
    Volume.objects.filter(pk=volume.pk).update(trashed_at=timezone.now() - timedelta(days=8))


class Keeper(FakeBackend):
    """It notes what it is asked to make, and refuses what is named here, with these words."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[VolumeSpec] = []
        self.refused: dict[str, str] = {}

    def ensure_volume(self, spec: VolumeSpec) -> None:
        self.made.append(spec)
        if why := self.refused.get(spec.display_name):
            raise BackendRefused(why, code="volume_refused")
        super().ensure_volume(spec)


@pytest.fixture
def keeper(told: FakeHost) -> Keeper:
    told.keeper = Keeper()
    return told.keeper


# Making.


def test_what_was_asked_for_is_made(hers: Volume, keeper: Keeper) -> None:
    lifecycle.settle()
    lifecycle.settle()
    assert now(hers).state == "ready"
    assert keeper.made == [
        VolumeSpec(
            id=hers.pk,
            size_mib=10 * GIB,
            storage_class="standard",
            display_name="data",
            owner="ada",
        )
    ]


def test_a_refusal_fails_it_with_the_reason(hers: Volume, keeper: Keeper) -> None:
    keeper.refused = {"data": "There is no class “standard”.\0" + "x" * 600}
    lifecycle.settle()
    assert (now(hers).state, hers.reason_code) == ("failed", "volume_refused")
    assert hers.reason.startswith("There is no class “standard”.x")
    assert len(hers.reason) == 500


def test_one_that_is_tried_again_is_made(hers: Volume, keeper: Keeper) -> None:
    keeper.refused = {"data": "No"}
    lifecycle.settle()
    keeper.refused = {}
    lifecycle.settle()
    assert now(hers).state == "failed"
    services.retry_volume(volume=hers)
    lifecycle.settle()
    assert (now(hers).state, hers.reason) == ("ready", "")


def test_a_refusal_of_one_keeps_no_other_from_being_made(ada: User, keeper: Keeper) -> None:
    VolumeFactory.create(owner=ada, name="data", state="requested")
    other = VolumeFactory.create(owner=ada, name="other", state="requested")
    keeper.refused = {"data": "No"}
    lifecycle.settle()
    assert now(other).state == "ready"


def test_a_fault_over_one_keeps_no_other_from_being_made(ada: User, told: FakeHost) -> None:
    class Faulty(FakeBackend):
        def ensure_volume(self, spec: VolumeSpec) -> None:
            if spec.display_name == "data":
                raise ZeroDivisionError
            super().ensure_volume(spec)

    told.keeper = Faulty()
    first = VolumeFactory.create(owner=ada, name="data", state="requested")
    other = VolumeFactory.create(owner=ada, name="other", state="requested")
    lifecycle.settle()
    assert (now(first).state, now(other).state) == ("requested", "ready")


def test_while_the_keeper_is_away_what_was_asked_for_waits(hers: Volume, told: FakeHost) -> None:
    told.keeper = away = UnreachableBackend()
    lifecycle.settle()
    assert now(hers).state == "requested"
    away.reachable = True
    lifecycle.settle()
    assert now(hers).state == "ready"


@pytest.mark.django_db(transaction=True)
def test_one_process_at_a_time_is_at_it(hers: Volume) -> None:
    def look(_: int) -> None:
        lifecycle.settle()

    with try_lock(AdvisoryLock.VOLUMES):
        at_once(1, look)
    assert now(hers).state == "requested"
    at_once(1, look)
    assert now(hers).state == "ready"
    connections.close_all()


def test_what_was_adopted_is_looked_for(ada: User, operator: User, backend: FakeBackend) -> None:
    volume = services.adopt_volume(
        actor=operator, owner=ada, name="archive", claim="archive", as_home=False
    )
    lifecycle.settle()
    assert (now(volume).state, volume.reason_code) == ("failed", "volume_missing")
    backend.claims.add("archive")
    services.retry_volume(volume=volume)
    lifecycle.settle()
    assert now(volume).state == "ready"


# Growing.


def test_it_grows_to_what_was_asked_for(ready: Volume, backend: FakeBackend) -> None:
    services.grow_volume(volume=ready, size_mib=20 * GIB)
    lifecycle.settle()
    assert (now(ready).size_mib, ready.wanted_mib) == (20 * GIB, None)
    assert backend.observe_volumes()[ready.pk].capacity_mib == 20 * GIB


def test_one_that_may_not_grow_stays_as_it_was_and_says_why(
    ready: Volume, backend: FakeBackend
) -> None:
    backend.refuses_to_grow = "The class cannot grow."
    services.grow_volume(volume=ready, size_mib=20 * GIB)
    lifecycle.settle()
    assert (now(ready).size_mib, ready.wanted_mib, ready.state) == (10 * GIB, None, "ready")
    assert (ready.reason_code, ready.reason) == ("volume_not_growable", "The class cannot grow.")


def test_one_that_is_asked_for_larger_at_once_is_made_and_grows(hers: Volume) -> None:
    services.grow_volume(volume=hers, size_mib=20 * GIB)
    lifecycle.settle()
    lifecycle.settle()
    assert (now(hers).state, hers.size_mib, hers.wanted_mib) == ("ready", 20 * GIB, None)


def test_what_is_asked_for_while_it_grows_is_not_lost(ready: Volume, told: FakeHost) -> None:
    class Slow(FakeBackend):
        def grow_volume(self, spec: VolumeSpec) -> None:
            if spec.size_mib == 20 * GIB:
                services.grow_volume(volume=ready, size_mib=30 * GIB)

    told.keeper = Slow()
    services.grow_volume(volume=ready, size_mib=20 * GIB)
    lifecycle.settle()
    assert now(ready).wanted_mib == 30 * GIB
    lifecycle.settle()
    assert (now(ready).size_mib, ready.wanted_mib) == (30 * GIB, None)


# Removing.


def test_what_is_in_the_trash_is_kept_for_its_time(ready: Volume, backend: FakeBackend) -> None:
    services.trash_volume(volume=ready)
    lifecycle.settle()
    assert now(ready).state == "trashed"
    assert ready.pk in backend.volumes


def test_then_it_is_removed(ready: Volume, backend: FakeBackend) -> None:
    services.trash_volume(volume=ready)
    long_ago(ready)
    lifecycle.settle()
    assert not Volume.objects.exists()
    assert ready.pk not in backend.volumes


def test_it_is_removed_at_once_where_asked(ready: Volume, backend: FakeBackend) -> None:
    services.remove_volume(volume=services.trash_volume(volume=ready))
    lifecycle.settle()
    assert not Volume.objects.exists()
    assert ready.pk not in backend.volumes


def test_others_do_not_wait_for_what_takes_long_to_remove(
    ready: Volume, told: FakeHost, ada: User
) -> None:
    class Slow(FakeBackend):
        def delete_volume(self, spec: VolumeSpec) -> None:
            raise SoftTimeLimitExceeded

    told.keeper = Slow()
    services.remove_volume(volume=services.trash_volume(volume=ready))
    other = VolumeFactory.create(owner=ada, name="other", state="requested")
    with pytest.raises(SoftTimeLimitExceeded):
        lifecycle.settle()
    assert (now(ready).state, now(other).state) == ("removing", "ready")


def test_what_came_back_is_not_removed(ready: Volume, backend: FakeBackend) -> None:
    services.trash_volume(volume=ready)
    long_ago(ready)
    services.restore_volume(volume=ready)
    lifecycle.settle()
    assert now(ready).state == "ready"
    assert ready.pk in backend.volumes


def test_what_is_still_in_use_waits(ready: Volume, told: FakeHost) -> None:
    class Busy(FakeBackend):
        def delete_volume(self, spec: VolumeSpec) -> None:
            raise BackendRefused("A session uses it.", code="volume_in_use")

    told.keeper = Busy()
    services.remove_volume(volume=services.trash_volume(volume=ready))
    lifecycle.settle()
    assert (now(ready).state, ready.reason_code) == ("removing", "volume_in_use")
    told.keeper = FakeBackend()
    lifecycle.settle()
    assert not Volume.objects.exists()


# Measuring.


def test_it_is_recorded_how_large_and_how_full_it_is(ready: Volume, backend: FakeBackend) -> None:
    backend.fill(ready.pk, used_mib=300)
    lifecycle.measure()
    assert (now(ready).capacity_mib, ready.used_mib) == (10 * GIB, 300)
    assert ready.seen_at is not None


def test_what_cannot_be_known_is_left_as_it_was_known(ready: Volume) -> None:
    lifecycle.record_usage({ready.pk: VolumeSeen(used_mib=300)})
    seen_at = now(ready).seen_at
    lifecycle.record_usage({ready.pk: VolumeSeen(capacity_mib=11 * GIB)})
    assert (now(ready).capacity_mib, ready.used_mib) == (11 * GIB, 300)
    assert ready.seen_at == seen_at


@pytest.mark.parametrize("total", [10 * GIB, 12 * GIB])
def test_a_file_system_of_about_its_size_is_its_own(ready: Volume, total: int) -> None:
    lifecycle.record_usage({ready.pk: VolumeSeen(capacity_mib=total, used_mib=300)})
    assert (now(ready).capacity_mib, ready.used_mib) == (total, 300)


@pytest.mark.parametrize("total", [13 * GIB, 500 * GIB])
def test_what_a_larger_file_system_uses_is_not_its_own(ready: Volume, total: int) -> None:
    lifecycle.record_usage({ready.pk: VolumeSeen(capacity_mib=total, used_mib=300)})
    assert (now(ready).capacity_mib, ready.used_mib) == (None, None)


def test_a_provisioner_may_give_much_more_than_was_asked_for(ready: Volume) -> None:
    lifecycle.record_usage({ready.pk: VolumeSeen(capacity_mib=100 * GIB)})
    lifecycle.record_usage({ready.pk: VolumeSeen(capacity_mib=99 * GIB, used_mib=300)})
    assert now(ready).used_mib == 300


def test_of_one_without_a_size_a_file_system_says_nothing(ada: User) -> None:
    volume = VolumeFactory.create(owner=ada, size_mib=None)
    lifecycle.record_usage({volume.pk: VolumeSeen(capacity_mib=500 * GIB, used_mib=300)})
    assert now(volume).used_mib is None
    lifecycle.record_usage({volume.pk: VolumeSeen(used_mib=300)})
    assert now(volume).used_mib == 300


def test_of_an_adopted_one_its_file_system_says_all_that_is_known(ada: User) -> None:
    volume = VolumeFactory.create(owner=ada, size_mib=None, claim="datasets")
    lifecycle.record_usage({volume.pk: VolumeSeen(capacity_mib=500 * GIB, used_mib=300)})
    assert (now(volume).capacity_mib, volume.used_mib) == (500 * GIB, 300)


def test_ids_that_are_no_volume_s_are_ignored(ready: Volume) -> None:
    lifecycle.record_usage({uuid4(): VolumeSeen(used_mib=1), ready.pk: VolumeSeen(used_mib=2)})
    assert now(ready).used_mib == 2


@pytest.mark.parametrize("mib", [-1, 2**31, 2**63, 10**30])
def test_what_no_volume_can_have_is_ignored(ready: Volume, mib: int) -> None:
    other = VolumeFactory.create()
    lifecycle.record_usage({ready.pk: VolumeSeen(used_mib=mib), other.pk: VolumeSeen(used_mib=2)})
    assert (now(ready).used_mib, now(other).used_mib) == (None, 2)


def test_all_are_recorded_by_one_query(ada: User, django_assert_num_queries) -> None:
    volumes = VolumeFactory.create_batch(20, owner=ada)
    with django_assert_num_queries(1):
        lifecycle.record_usage({volume.pk: VolumeSeen(used_mib=1) for volume in volumes})
    with django_assert_num_queries(0):
        lifecycle.record_usage({})


def test_one_that_is_gone_is_said_to_be_lost(ready: Volume, backend: FakeBackend) -> None:
    backend.delete_volume(ready.spec)
    lifecycle.measure()
    assert (now(ready).state, ready.reason_code) == ("failed", "volume_lost")
    lifecycle.settle()
    assert ready.pk not in backend.volumes


def test_one_that_is_there_again_is_ready_again(ready: Volume, backend: FakeBackend) -> None:
    backend.delete_volume(ready.spec)
    lifecycle.measure()
    backend.ensure_volume(ready.spec)
    lifecycle.measure()
    lifecycle.settle()
    assert (now(ready).state, ready.reason) == ("ready", "")


def test_its_owner_can_have_an_empty_one_in_its_place(ready: Volume, backend: FakeBackend) -> None:
    backend.delete_volume(ready.spec)
    lifecycle.measure()
    services.retry_volume(volume=ready)
    lifecycle.settle()
    assert now(ready).state == "ready"
    assert ready.pk in backend.volumes


def test_what_was_lost_comes_back_from_the_trash_as_lost(
    ready: Volume, backend: FakeBackend
) -> None:
    backend.delete_volume(ready.spec)
    lifecycle.measure()
    said = now(ready).reason
    services.trash_volume(volume=ready)
    services.restore_volume(volume=ready)
    lifecycle.settle()
    assert (now(ready).state, ready.reason_code, ready.reason) == ("failed", "volume_lost", said)
    assert ready.pk not in backend.volumes


def test_what_is_lost_in_the_trash_comes_back_as_lost(ready: Volume, backend: FakeBackend) -> None:
    lifecycle.measure()
    services.trash_volume(volume=ready)
    backend.delete_volume(ready.spec)
    lifecycle.measure()
    assert (now(ready).state, ready.reason_code) == ("trashed", "volume_lost")
    services.restore_volume(volume=ready)
    lifecycle.settle()
    assert (now(ready).state, ready.reason_code) == ("failed", "volume_lost")
    assert ready.pk not in backend.volumes


def test_what_is_there_again_in_the_trash_comes_back_as_it_was(
    ready: Volume, backend: FakeBackend
) -> None:
    lifecycle.measure()
    services.trash_volume(volume=ready)
    backend.delete_volume(ready.spec)
    lifecycle.measure()
    backend.ensure_volume(ready.spec)
    lifecycle.measure()
    services.restore_volume(volume=now(ready))
    lifecycle.settle()
    assert (now(ready).state, ready.reason) == ("ready", "")


def test_what_was_never_made_is_not_lost_in_the_trash(hers: Volume, backend: FakeBackend) -> None:
    services.trash_volume(volume=hers)
    lifecycle.measure()
    services.restore_volume(volume=now(hers))
    lifecycle.settle()
    assert (now(hers).state, hers.reason) == ("ready", "")
    assert hers.pk in backend.volumes


def test_what_is_made_during_the_look_is_not_lost(hers: Volume, told: FakeHost) -> None:
    class Old(FakeBackend):
        def observe_volumes(self) -> dict:
            Volume.objects.update(state="ready")
            return {}

    told.keeper = Old()
    lifecycle.measure()
    assert now(hers).state == "ready"


def test_what_was_adopted_is_not_looked_for(ada: User) -> None:
    volume = VolumeFactory.create(owner=ada, claim="archive")
    lifecycle.measure()
    assert now(volume).state == "ready"


def test_while_the_keeper_is_away_nothing_is_lost(ready: Volume, told: FakeHost) -> None:
    class Away(FakeBackend):
        def observe_volumes(self) -> dict:
            raise BackendUnavailable("It did not answer.")

    told.keeper = Away()
    tasks.measure()
    assert now(ready).state == "ready"
