"""Doing the same thing many times at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection, connections

Outcome = TypeVar("Outcome")

SECONDS = 20


def at_once(times: int, call: Callable[[int], Outcome]) -> list[Outcome]:
    """Call from as many threads as `times`, none before all are there; what each returned."""
    gate = Barrier(times)

    def run(number: int) -> Outcome:
        gate.wait(SECONDS)
        try:
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times), timeout=SECONDS))


def is_somebody_waiting() -> bool:
    """Whether a session of this database waits for a lock that another holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])
