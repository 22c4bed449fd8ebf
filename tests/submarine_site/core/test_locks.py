"""Advisory locks, between two connections to the real database."""

from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.db import connections

from submarine_site.core.locks import AdvisoryLock, try_lock, try_locks
from tests.threads import SECONDS, at_once

pytestmark = pytest.mark.django_db(transaction=True)


def is_free(lock: AdvisoryLock = AdvisoryLock.RECONCILE) -> bool:
    """Whether another connection gets the lock."""

    def attempt(_: int) -> bool:
        with try_lock(lock) as held:
            return held

    return at_once(1, attempt) == [True]


def free(*records: UUID) -> set[UUID]:
    """Of which of these records another connection gets the lock."""

    def attempt(_: int) -> set[UUID]:
        with try_locks(AdvisoryLock.SESSION, records) as held:
            return held

    [held] = at_once(1, attempt)
    return held


def test_a_lock_is_held_by_one_at_a_time() -> None:
    with try_lock(AdvisoryLock.RECONCILE) as held:
        assert held
        assert not is_free()
        assert is_free(AdvisoryLock.WATCHER)
    assert is_free()


def test_each_record_has_a_lock_of_its_own() -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    with try_locks(AdvisoryLock.SESSION, [first, second]) as held:
        assert held == {first, second}
        assert free(first, second, third) == {third}
        assert is_free(AdvisoryLock.SESSION)
    assert free(first, second, third) == {first, second, third}


def test_of_no_records_no_lock_is_held() -> None:
    with try_locks(AdvisoryLock.SESSION, []) as held:
        assert held == set()


def test_records_that_share_a_lock_free_it_together() -> None:
    one, other = UUID(int=1), UUID(int=1 + 2**32)
    with try_locks(AdvisoryLock.SESSION, [one, other]) as held:
        assert held == {one, other}
        assert free(one, other) == set()
    assert free(one, other) == {one, other}


@pytest.mark.parametrize("number", [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**128 - 1])
def test_every_record_has_a_lock(number: int) -> None:
    assert free(UUID(int=number)) == {UUID(int=number)}


def test_the_locks_of_records_are_free_again_after_an_error() -> None:
    record = uuid4()
    with pytest.raises(RuntimeError), try_locks(AdvisoryLock.SESSION, [record]):
        raise RuntimeError
    assert free(record) == {record}


def test_of_many_at_once_each_record_goes_to_one() -> None:
    records = [uuid4() for _ in range(100)]
    all_have_theirs = Barrier(4)

    def attempt(number: int) -> set[UUID]:
        turned = records[number:] + records[:number]
        with try_locks(AdvisoryLock.SESSION, turned) as held:
            all_have_theirs.wait(SECONDS)
            return held

    got = at_once(4, attempt)
    assert sum(len(held) for held in got) == len(records)
    assert set().union(*got) == set(records)
    assert free(*records) == set(records)


def test_a_lock_is_free_again_after_an_error() -> None:
    with pytest.raises(RuntimeError), try_lock(AdvisoryLock.RECONCILE):
        raise RuntimeError
    assert is_free()


def test_one_that_did_not_get_the_lock_does_not_free_it() -> None:
    with try_lock(AdvisoryLock.RECONCILE):
        assert not is_free()
        assert not is_free()


def test_a_lock_dies_with_the_connection() -> None:
    def die(_: int) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [AdvisoryLock.RECONCILE])
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
            pids.append(pid)

    pids: list[int] = []
    at_once(1, die)
    with connections["default"].cursor() as cursor:
        # Waits for the end, as the server frees the lock then.
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", pids)
        assert cursor.fetchone() == (True,)
    connections.close_all()
    assert is_free()


def test_the_keys_are_never_renumbered() -> None:
    assert {lock.name: lock.value for lock in AdvisoryLock} == {
        "RECONCILE": 4_801_001,
        "WATCHER": 4_801_002,
        "TIDY": 4_801_003,
        "SESSION": 4_801_004,
        "BUILDS": 4_801_005,
        "VOLUMES": 4_801_006,
        "ADOPTION": 4_801_007,
    }
