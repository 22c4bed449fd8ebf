"""Wait, within bounds, for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def eventually(look: Callable[[], Seen | None], *, within: float = 20.0) -> Seen:
    """Look until there is something to see, and give it back."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)  # noqa: TID251 - another process gives no event to wait for
    return seen
