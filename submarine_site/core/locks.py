"""PostgreSQL advisory locks: one of many processes does a thing at a time."""

from collections.abc import Iterator
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


@contextmanager
def try_lock(lock: AdvisoryLock, of: UUID | None = None) -> Iterator[bool]:
    """Hold `lock`, or the one `of` a record, for the block if it is free; yields whether it was.

    Never waits. It belongs to the database session, so PostgreSQL frees it when this process dies.
    """
    # Of one key or of two; of two keys each has 32 bits. That two records share a lock, once in
    # four thousand million, costs one of them a wait.
    keys = (lock,) if of is None else (lock, (of.int & 0xFFFFFFFF) - 2**31)
    arguments = ", ".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({arguments})", keys)
        held = cursor.fetchone() == (True,)
        try:
            yield held
        finally:
            if held:
                cursor.execute(f"SELECT pg_advisory_unlock({arguments})", keys)
