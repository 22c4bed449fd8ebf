"""PostgreSQL advisory locks: one of many processes does a thing at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from django.db import connection


class AdvisoryLock(IntEnum):
    """The keys. Never renumber: processes of two versions may run beside each other."""

    RECONCILE = 4_801_001
    WATCHER = 4_801_002


@contextmanager
def try_lock(lock: AdvisoryLock) -> Iterator[bool]:
    """Hold `lock` for the block if it is free; yields whether it was. Never waits.

    The lock belongs to the database session, so PostgreSQL frees it when this process dies.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        held = cursor.fetchone() == (True,)
        try:
            yield held
        finally:
            if held:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
