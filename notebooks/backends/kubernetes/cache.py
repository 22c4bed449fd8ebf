"""What is known of our pods and their events, and about which of them something is new.

Filled by the threads that follow the API, emptied by the one that judges. As much is kept as there
are pods, however long nobody asks.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Condition

from notebooks.backends.contract import Observed, RunKey
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.names import pod_key, run_name

EVENTS_KEPT = 24
"""Of one pod, the latest."""

EARLY_KEPT = 1000
"""Pods of which there may be events before there is the pod. Others' pods count among them."""


@dataclass(slots=True, eq=False)
class KnownRun:
    """A run's pod. `told` and `is_settled` (the clock alone changes nothing about it) belong to
    the one who judges.
    """

    pod: Json
    events: dict[str, Json] = field(default_factory=dict)
    met_at: float = field(default_factory=time.monotonic)
    told: Observed | None = None
    is_settled: bool = False

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something to judge: the run as it is known now; None when its pod is gone."""

    key: RunKey
    run: KnownRun | None
    pod: Json = field(default_factory=dict)
    events: tuple[Json, ...] = ()


class Cache:
    def __init__(self) -> None:
        self._changed = Condition()
        self._runs: dict[RunKey, KnownRun] = {}
        self._names: dict[str, RunKey] = {}
        self._early: OrderedDict[str, dict[str, Json]] = OrderedDict()
        self._new: set[RunKey] = set()

    def replace_pods(self, pods: Iterator[Json]) -> None:
        found = {key: pod for pod in pods if (key := pod_key(pod["metadata"]))}
        with self._changed:
            for key in self._runs.keys() - found.keys():
                self._forget(key)
            for key, pod in found.items():
                self._put(key, pod)
            self._changed.notify()

    def change_pod(self, kind: str, pod: Json) -> None:
        key = pod_key(pod["metadata"])
        if key is None:
            return
        with self._changed:
            if kind != "DELETED":
                self._put(key, pod)
            elif key in self._runs and self._runs[key].uid == pod["metadata"]["uid"]:
                self._forget(key)
            self._changed.notify()

    def replace_events(self, events: Iterator[Json]) -> None:
        found = list(events)
        with self._changed:
            for event in found:
                self._add(_pod_of(event), event)
            self._changed.notify()

    def change_event(self, kind: str, event: Json) -> None:
        # They are deleted when they are old, which makes them no less true.
        if kind == "DELETED":
            return
        with self._changed:
            self._add(_pod_of(event), event)
            self._changed.notify()

    def doubt(self) -> None:
        """Have everything judged anew that the clock alone may change."""
        with self._changed:
            self._new |= {key for key, run in self._runs.items() if not run.is_settled}

    def renew(self, keys: Iterable[RunKey]) -> None:
        """Have these judged anew."""
        with self._changed:
            self._new |= self._runs.keys() & set(keys)

    def take(self, *, within: float) -> list[News]:
        """Take all that is new, or that comes first within so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._new, within)
            taken = [self._news(key) for key in self._new]
            self._new = set()
            return taken

    def _news(self, key: RunKey) -> News:
        run = self._runs.get(key)
        if run is None:
            return News(key=key, run=None)
        return News(key=key, run=run, pod=run.pod, events=tuple(run.events.values()))

    def _put(self, key: RunKey, pod: Json) -> None:
        known, uid = self._runs.get(key), pod["metadata"]["uid"]
        if known is not None and known.uid == uid:
            if known.pod["metadata"]["resourceVersion"] == pod["metadata"]["resourceVersion"]:
                return
            known.pod = pod
        else:
            if known is not None:
                self._forget(key)
            name = run_name(key)
            self._runs[key] = KnownRun(pod, self._early.pop(name, {}))
            self._names[name] = key
        self._new.add(key)

    def _forget(self, key: RunKey) -> None:
        del self._runs[key], self._names[run_name(key)]
        self._new.add(key)

    def _add(self, name_of_pod: str, event: Json) -> None:
        key = self._names.get(name_of_pod)
        if key is not None:
            events = self._runs[key].events
            self._new.add(key)
        else:
            events = self._early.setdefault(name_of_pod, {})
            if len(self._early) > EARLY_KEPT:
                self._early.popitem(last=False)
        name = event["metadata"]["name"]
        # Told again, it is the latest.
        events.pop(name, None)
        events[name] = event
        if len(events) > EVENTS_KEPT:
            del events[next(iter(events))]


def _pod_of(event: Json) -> str:
    """By its name: not every controller says the uid, which is compared where it is there."""
    return str(event["involvedObject"].get("name", ""))
