"""Logs of which the service tells the last lines."""

from __future__ import annotations

from collections.abc import Sequence


def overlap(before: Sequence[str], now: Sequence[str]) -> int:
    """How many of the first lines of `now` are the last ones of `before`."""
    for count in range(min(len(before), len(now)), 0, -1):
        if list(before[-count:]) == list(now[:count]):
            return count
    return 0
