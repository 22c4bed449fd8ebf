"""Doing the same thing many times at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

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
