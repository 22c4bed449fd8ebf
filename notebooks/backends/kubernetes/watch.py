"""Follows our pods and their events, and tells what changed about the runs, in batches.

A batch is all that is new: the first thing after a pause is told at once, and what comes while one
is dealt with, or close upon it, makes the next, so that under load batches grow and are no more.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from threading import Event

from notebooks.backends.contract import Observed, RunKey, RunState
from notebooks.backends.kubernetes.api import Api, Json
from notebooks.backends.kubernetes.cache import Cache, KnownRun, News
from notebooks.backends.kubernetes.parts import EventParts, PodParts
from notebooks.backends.kubernetes.reading import has_condition
from notebooks.backends.kubernetes.reflector import Reflector
from submarine_site.core.outside import BackendUnavailable

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
"""How often it is said, where nothing happens, that nothing happens."""

CLOCK_SECONDS = 2.0
"""How often runs are judged anew of which the clock decides: graces end without an event."""

RUSH_SECONDS = 0.2
"""How far apart batches are when one follows another: each costs as much as several runs in it."""

QUICK_SECONDS = 0.5
"""For how long the steps of a start are kept back: one that is quick is told once, at its end."""


class Watch:
    def __init__(
        self, api: Api, selector: str, look: Callable[[Json, Sequence[Json]], Observed]
    ) -> None:
        """`selector` is of the labels that our pods have; `look` judges a pod and its events."""
        self._look = look
        self._kept_back: set[RunKey] = set()
        self._rest = Event()
        self._cache = Cache()
        self._pods = Reflector(
            api,
            "pods",
            PodParts,
            replace=self._cache.replace_pods,
            change=self._cache.change_pod,
            labelSelector=selector,
        )
        self._events = Reflector(
            api,
            "events",
            EventParts,
            replace=self._cache.replace_events,
            change=self._cache.change_event,
            fieldSelector="involvedObject.kind=Pod",
        )

    def changes(self) -> Generator[Mapping[RunKey, Observed | None], None, None]:
        """As the contract has it; first everything that there is. For one consumer, once."""
        self._pods.start()
        try:
            # Of pods that are gone there are events for an hour: only ours are to be kept.
            self._pods.listed.wait()
            self._events.start()
            yield from self._batches()
        finally:
            self._pods.end()
            self._events.end()

    def _batches(self) -> Iterator[Mapping[RunKey, Observed | None]]:
        said = doubted = renewed = time.monotonic()
        while True:
            wait = QUICK_SECONDS if self._kept_back else BEAT_SECONDS
            batch = self._judge(self._cache.take(within=wait))
            now = time.monotonic()
            if now - renewed >= QUICK_SECONDS:
                self._cache.renew(self._kept_back)
                self._kept_back = set()
                renewed = now
            # What is out of date must not be judged by today's clock.
            if now - doubted >= CLOCK_SECONDS and self._pods.is_current:
                self._cache.doubt()
                doubted = now
            if batch or (now - said >= BEAT_SECONDS and self._is_current()):
                said = now
                yield batch
                if batch:
                    self._rest.wait(max(0, now + RUSH_SECONDS - time.monotonic()))

    def _is_current(self) -> bool:
        return self._pods.is_current and self._events.is_current

    def _judge(self, news: Iterable[News]) -> dict[RunKey, Observed | None]:
        batch: dict[RunKey, Observed | None] = {}
        for new in news:
            if new.run is None:
                batch[new.key] = None
                continue
            try:
                seen = self._look(new.pod, new.events)
            except BackendUnavailable as error:
                logger.warning("run %s cannot be judged: %s", new.key.run_id, error)
                continue
            except Exception:
                logger.exception("run %s cannot be judged", new.key.run_id)
                new.run.is_settled = True
                continue
            new.run.is_settled = _is_settled(new.pod, seen)
            if _is_quick(new.run, seen):
                self._kept_back.add(new.key)
            elif seen != new.run.told:
                new.run.told = batch[new.key] = seen
        return batch


def _is_quick(run: KnownRun, seen: Observed) -> bool:
    """Whether it has only just begun, and nothing has come of it yet."""
    begins = seen.state is RunState.STARTING and not seen.failure_code
    return begins and run.told is None and time.monotonic() - run.met_at < QUICK_SECONDS


def _is_settled(pod: Json, seen: Observed) -> bool:
    """Whether nothing about it changes without an event. One whose node may be lost, of which the
    pod's condition alone tells, is READY for a while yet.
    """
    if seen.state is RunState.READY:
        return not (
            has_condition(pod, "Ready", "False") and has_condition(pod, "ContainersReady", "True")
        )
    return seen.state is RunState.EXITED
