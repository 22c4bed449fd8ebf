"""Hears what a backend tells of changes, in a thread of its own."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from notebooks.backends.contract import Observed, RunKey, RunState

SECONDS = 20.0


class Listener:
    """`told` is what was yielded so far. To be closed before what it listens to."""

    def __init__(self, changes: Iterator[Mapping[RunKey, Observed | None]]) -> None:
        self.told: list[Mapping[RunKey, Observed | None]] = []
        self._changes = changes
        self._pool = ThreadPoolExecutor(1)
        self._is_closed = False

    def until(self, enough: Callable[[], bool], *, within: float = SECONDS) -> None:
        """Listen until it is so."""
        self.listening(enough).result(within)

    def listening(self, enough: Callable[[], bool]) -> Future[None]:
        """Begin to listen until it is so."""
        return self._pool.submit(self._listen, enough)

    def last(self, key: RunKey) -> Observed | None:
        """What was told last of a run, which must have been told of."""
        return next(batch[key] for batch in reversed(self.told) if key in batch)

    def state(self, key: RunKey) -> RunState | None:
        """The state of a run, as it was told last; None if it is gone or was not told of."""
        seen = self.last(key) if self.knows(key) else None
        return seen.state if seen else None

    def knows(self, key: RunKey) -> bool:
        """Whether anything was told of a run."""
        return self.times(key) > 0

    def times(self, key: RunKey) -> int:
        """How often something was told of a run."""
        return sum(key in batch for batch in self.told)

    def close(self) -> None:
        self._is_closed = True
        self._pool.shutdown()

    def _listen(self, enough: Callable[[], bool]) -> None:
        # Something is yielded each second, also to one that waited in vain.
        while not (self._is_closed or enough()):
            self.told.append(next(self._changes))
