"""PostgreSQL advisory locks: one of many processes does a thing at a time."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import IntEnum
from uuid import UUID

from django.db import connection


class AdvisoryLock(IntEnum):
    """The keys. Never renumber: processes of two versions may run beside each other."""

    RECONCILE = 4_801_001
    WATCHER = 4_801_002
    TIDY = 4_801_003
    SESSION = 4_801_004
    """Of one session each."""
    BUILDS = 4_801_005
    VOLUMES = 4_801_006
    ADOPTION = 4_801_007


def hold_lock(lock: AdvisoryLock) -> None:
    """Wait for `lock` and hold it to the end of the transaction. Requires a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])


@contextmanager
def try_lock(lock: AdvisoryLock) -> Iterator[bool]:
    """Hold `lock` for the block if it is free; yields whether it was. Never waits.

    It belongs to the database session, so PostgreSQL frees it when this process dies.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        held = cursor.fetchone() == (True,)
        try:
            yield held
        finally:
            if held:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


@contextmanager
def try_locks(lock: AdvisoryLock, of: Collection[UUID]) -> Iterator[set[UUID]]:
    """Hold `lock` of each of these records that is free, as `try_lock` does; yields those."""
    keys = {pk: _key(pk) for pk in of}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key FROM unnest(%s::int[]) AS key WHERE pg_try_advisory_lock(%s, key)",
            # Each once: what is locked twice has to be unlocked twice.
            [list(set(keys.values())), lock],
        )
        held = {key for (key,) in cursor.fetchall()}
        try:
            yield {pk for pk, key in keys.items() if key in held}
        finally:
            cursor.execute(
                "SELECT pg_advisory_unlock(%s, key) FROM unnest(%s::int[]) AS key",
                [lock, list(held)],
            )


def _key(pk: UUID) -> int:
    """The second of two keys, which have 32 bits each. That two records share a lock, once in four
    thousand million, costs one of them a wait.
    """
    return (pk.int & 0xFFFFFFFF) - 2**31
