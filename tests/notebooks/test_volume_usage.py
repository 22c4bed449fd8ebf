"""How full volumes are, as sessions say: of their owner's own, and of nobody else's."""

from uuid import uuid4

from accounts.models import User
from notebooks.volume_usage import record_usage
from tests.factories import SessionFactory, VolumeFactory
from tests.sessions import run_of
from volumes.contract import VolumeSeen
from volumes.models import Volume

HALF = VolumeSeen(used_mib=512, capacity_mib=1000)


def used(volume: Volume) -> int | None:
    volume.refresh_from_db()
    return volume.used_mib


def test_what_sessions_say_is_kept(ada: User, mallory: User) -> None:
    runs = [run_of(SessionFactory.create(owner=owner)).pk for owner in (ada, mallory)]
    volumes = [VolumeFactory.create(owner=owner) for owner in (ada, mallory)]
    record_usage({run: {volume.pk: HALF} for run, volume in zip(runs, volumes, strict=True)})
    assert [used(volume) for volume in volumes] == [512, 512]


def test_nobody_speaks_of_volumes_of_others(ada: User, mallory: User) -> None:
    run = run_of(SessionFactory.create(owner=mallory)).pk
    hers, his = VolumeFactory.create(owner=ada), VolumeFactory.create(owner=mallory)
    record_usage({run: {hers.pk: HALF, his.pk: HALF, uuid4(): HALF}, uuid4(): {hers.pk: HALF}})
    assert (used(hers), used(his)) == (None, 512)


def test_of_many_sessions_it_is_written_by_few_queries(
    ada: User, django_assert_num_queries
) -> None:
    runs = [run_of(SessionFactory.create(owner=ada)).pk for _ in range(5)]
    volume = VolumeFactory.create(owner=ada)
    with django_assert_num_queries(3):
        record_usage({run: {volume.pk: HALF} for run in runs})
