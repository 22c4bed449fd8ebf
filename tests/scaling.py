"""Measures how the work of a parser grows with its input."""

import time
from collections.abc import Callable

SMALL = 2_000
LARGE = 16 * SMALL
_BOUND = 64
_NOISE_SECONDS = 0.0005


def assert_linear(parse: Callable[[str], object], shape: Callable[[int], str]) -> None:
    """Fail if `parse` takes more than linear time for texts of this shape.

    CPU time of this thread, the least of three runs: sixteen times the size may take 64 times as
    long, where quadratic work takes 256 times as long. What takes next to nothing is not compared.
    """
    large = shape(LARGE)
    if _seconds(parse, large, runs=1) < _BOUND * _NOISE_SECONDS:
        return
    bound = _BOUND * max(_seconds(parse, shape(SMALL)), _NOISE_SECONDS)
    assert _seconds(parse, large) < bound


def _seconds(parse: Callable[[str], object], text: str, *, runs: int = 3) -> float:
    least = float("inf")
    for _ in range(runs):
        begun = time.thread_time()
        parse(text)
        least = min(least, time.thread_time() - begun)
    return least
