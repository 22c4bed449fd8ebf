"""Measures how the work of a parser grows with its input."""

import time
from collections.abc import Callable

SMALL = 16_000
LARGE = 16 * SMALL
_BOUND = 64
_NOISE_SECONDS = 0.002


def assert_linear(parse: Callable[[str], object], shape: Callable[[int], str]) -> None:
    """Fail if `parse` takes more than linear time for texts of this shape.

    CPU time of this thread, the least of three runs: sixteen times the size may take 64 times as
    long, where quadratic work takes 256 times as long.
    """
    small, large = shape(SMALL), shape(LARGE)
    bound = _BOUND * max(_seconds(parse, small), _NOISE_SECONDS)
    assert _seconds(parse, large, enough=bound) < bound


def _seconds(parse: Callable[[str], object], text: str, *, enough: float = 0) -> float:
    """The least time of three runs, or of the first that takes no longer than `enough`."""
    least = float("inf")
    for _ in range(3):
        begun = time.thread_time()
        parse(text)
        least = min(least, time.thread_time() - begun)
        if least < enough:
            break
    return least
