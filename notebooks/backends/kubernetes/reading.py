"""A pod and its events, read: what the other modules judge by, in Python's types.

Nothing that may be absent is taken for granted: older and newer clusters leave out different parts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from notebooks.backends.contract import RunKey
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.names import run_key
from submarine_site.core.pod_shapes import NOTEBOOK_CONTAINER

_EPOCH_YEAR = 1970
"""What a container that never began to run has for the time at which it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`since` is when its status last changed."""

    is_true: bool
    reason: str
    message: str
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container. `reason` and `message` go with the state it is in. `is_past_startup`: it has
    answered its startup probe.
    """

    name: str
    is_waiting: bool = True
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    is_past_startup: bool = False

    @property
    def is_running(self) -> bool:
        return self.started_at is not None and self.finished_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What was said of a pod, once or repeatedly. `container` is empty if it is of the whole."""

    reason: str
    message: str
    first_at: datetime
    last_at: datetime
    container: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod of ours. `events` are its own alone, the latest last, if `has_events`: else nobody has
    asked for them. `init_containers` run one after the other before `notebook` does.
    """

    key: RunKey
    spec: Json
    created_at: datetime
    deletion_requested_at: datetime | None
    node: str
    phase: str
    reason: str
    message: str
    ip: str
    conditions: Mapping[str, Condition]
    init_containers: tuple[Container, ...]
    notebook: Container
    events: tuple[Event, ...]
    has_events: bool

    @classmethod
    def read(cls, pod: Json, events: Iterable[Json] | None) -> Self:
        metadata, status = pod["metadata"], pod.get("status", {})
        key = run_key(metadata["labels"])
        assert key is not None, "a pod that is not ours"
        inits = {each["name"]: each for each in status.get("initContainerStatuses", [])}
        mains = {each["name"]: each for each in status.get("containerStatuses", [])}
        return cls(
            key=key,
            spec=pod["spec"],
            created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
            deletion_requested_at=deletion_requested_at(pod),
            node=pod["spec"].get("nodeName", ""),
            phase=status.get("phase", ""),
            reason=status.get("reason", ""),
            message=status.get("message", ""),
            ip=status.get("podIP", ""),
            conditions={
                each["type"]: Condition(
                    is_true=each["status"] == "True",
                    reason=each.get("reason", ""),
                    message=each.get("message", ""),
                    since=_time(each.get("lastTransitionTime")),
                )
                for each in status.get("conditions", [])
            },
            init_containers=tuple(
                _container(each["name"], inits.get(each["name"]))
                for each in pod["spec"].get("initContainers", [])
            ),
            notebook=_container(NOTEBOOK_CONTAINER, mains.get(NOTEBOOK_CONTAINER)),
            events=_events(events or (), uid=metadata["uid"]),
            has_events=events is not None,
        )

    @property
    def is_deleted(self) -> bool:
        return self.deletion_requested_at is not None

    @property
    def containers(self) -> tuple[Container, ...]:
        """Those that a launch waits for, in the order in which they run."""
        return (*self.init_containers, self.notebook)

    def is_condition(self, kind: str) -> bool:
        condition = self.conditions.get(kind)
        return condition is not None and condition.is_true

    def latest(self, *reasons: str, container: str | None = None) -> Event | None:
        """The last event for one of these reasons, of any or one container."""
        found = (
            event
            for event in reversed(self.events)
            if event.reason in reasons and container in {None, event.container}
        )
        return next(found, None)

    def spec_of(self, container: str) -> Json:
        """What was asked for of one container."""
        asked = (*self.spec.get("initContainers", []), *self.spec["containers"])
        found: Json = next(each for each in asked if each["name"] == container)
        return found


def deletion_requested_at(pod: Json) -> datetime | None:
    """Return when the deletion of a pod was requested; None if it was not."""
    metadata = pod["metadata"]
    # It is when the pod is to be gone.
    gone_by = _time(metadata.get("deletionTimestamp"))
    grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    return gone_by and gone_by - grace


def has_condition(of: Json, kind: str, status: str) -> bool:
    """Whether the JSON of a pod or node says so of this condition, without the reading of all of
    it.
    """
    wanted = {"type": kind, "status": status}
    conditions = of.get("status", {}).get("conditions", [])
    return any(wanted.items() <= condition.items() for condition in conditions)


def _container(name: str, status: Json | None) -> Container:
    if status is None:
        return Container(name=name)
    state = status.get("state", {})
    now = state.get("running") or state.get("terminated") or state.get("waiting") or {}
    return Container(
        name=name,
        is_waiting="running" not in state and "terminated" not in state,
        reason=now.get("reason", ""),
        message=now.get("message", ""),
        started_at=_time(now.get("startedAt")),
        finished_at=_time(now.get("finishedAt")),
        exit_code=now.get("exitCode"),
        is_past_startup=bool(status.get("started")),
    )


def _events(events: Iterable[Json], *, uid: str) -> tuple[Event, ...]:
    read = (
        _event(event)
        for event in events
        # One of the node controllers names no uid; names of pods are never used again.
        if event["involvedObject"].get("uid") in {None, "", uid}
    )
    return tuple(sorted((event for event in read if event), key=lambda event: event.last_at))


def _event(event: Json) -> Event | None:
    """None if it does not say when it was."""
    series = event.get("series") or {}
    times = [
        time
        for time in (
            _time(event.get("eventTime")),
            _time(event.get("firstTimestamp")),
            _time(event.get("lastTimestamp")),
            _time(series.get("lastObservedTime")),
        )
        if time
    ]
    if not times:
        return None
    # spec.containers{notebook}
    path = event["involvedObject"].get("fieldPath", "")
    return Event(
        reason=event.get("reason", ""),
        message=event.get("message", ""),
        first_at=min(times),
        last_at=max(times),
        container=path.partition("{")[2].removesuffix("}"),
    )


def _time(written: str | None) -> datetime | None:
    time = datetime.fromisoformat(written) if written else None
    return time if time and time.year > _EPOCH_YEAR else None
