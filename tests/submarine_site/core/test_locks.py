"""Advisory locks, between two connections to the real database."""

from uuid import uuid4

import pytest
from django.db import connections

from submarine_site.core.locks import AdvisoryLock, try_lock
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def is_free(lock: AdvisoryLock = AdvisoryLock.RECONCILE) -> bool:
    """Whether another connection gets the lock."""

    def attempt(_: int) -> bool:
        with try_lock(lock) as held:
            return held

    return at_once(1, attempt) == [True]


def test_a_lock_is_held_by_one_at_a_time() -> None:
    with try_lock(AdvisoryLock.RECONCILE) as held:
        assert held
        assert not is_free()
        assert is_free(AdvisoryLock.WATCHER)
    assert is_free()


def test_each_record_has_a_lock_of_its_own() -> None:
    ada, grace = uuid4(), uuid4()

    def attempt(_: int) -> tuple[bool, bool]:
        with (
            try_lock(AdvisoryLock.SESSION, ada) as first,
            try_lock(AdvisoryLock.SESSION, grace) as second,
        ):
            return first, second

    with try_lock(AdvisoryLock.SESSION, ada):
        assert at_once(1, attempt) == [(False, True)]
        assert is_free(AdvisoryLock.SESSION)
    assert at_once(1, attempt) == [(True, True)]


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
    }
