"""Of what is looked at time and again until it changes: how often, and for how long in vain."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from submarine_client.errors import SubmarineError, TooMany, Unavailable, Unreachable
from submarine_client.transport import Pause

if TYPE_CHECKING:
    from typing_extensions import Self

    from submarine_client.requests import Site

AWAY_SECONDS = 120.0
"""How long a service may be away, in a row, before whoever waits for it gives up."""
LOOKS_A_SECOND = 60
"""Of all that a client looks at together: services answer so many to one user, and then no more."""
TROUBLES = (Unreachable, TooMany, Unavailable)
"""What passes."""


class Watch:
    """One such look-out, of those that a client has at the same time."""

    def __init__(self, site: Site, *, away_seconds: float = AWAY_SECONDS) -> None:
        self._all = site.watches
        self._away_seconds = away_seconds
        self._away_since: float | None = None

    def __enter__(self) -> Self:
        self._all.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._all.discard(self)

    def next(self, seconds: float) -> Pause:
        """The pause after a look that went well: longer than asked for where many look."""
        self._away_since = None
        return self._pause(seconds)

    def bear(self, error: SubmarineError, seconds: float) -> Pause:
        """The pause after a look that did not. Raises the error if there is no end to it."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        seconds = max(seconds, error.retry_after or 0.0)
        if now + seconds - self._away_since > self._away_seconds:
            raise error
        return self._pause(seconds)

    def _pause(self, seconds: float) -> Pause:
        shared = len(self._all) / LOOKS_A_SECOND
        # Not all at the same moment.
        return Pause(max(seconds, shared * random.uniform(0.75, 1.25)))  # noqa: S311
