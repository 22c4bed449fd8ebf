"""Pods and events: as a real cluster gave them, and written after the sources of what gives them.

A file in `recorded/` says where it is from, and when it was seen.
"""

import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from notebooks.backends.contract import Observed
from notebooks.backends.kubernetes.nodes import NodeCapacity, node_capacity
from notebooks.backends.kubernetes.status import observed

Json = dict[str, Any]

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A pod with its events, and when they were seen."""

    pod: Json
    events: list[Json]
    now: datetime

    def seen(
        self,
        *,
        after: float | None = None,
        nodes: list[NodeCapacity] | None = None,
        place_patience: timedelta | None = None,
    ) -> Observed:
        """What is made of it so many seconds after its creation, or when it was recorded."""
        now = self.now if after is None else self.created_at + timedelta(seconds=after)
        return observed(self.pod, self.events, nodes=nodes, now=now, place_patience=place_patience)

    @property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.pod["metadata"]["creationTimestamp"])

    def at(self, seconds: float) -> str:
        return (self.created_at + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def without(self, *reasons: str) -> Self:
        """The same with some events missed; all of them if none is named."""
        kept = [event for event in self.events if reasons and event["reason"] not in reasons]
        return type(self)(pod=self.pod, events=kept, now=self.now)

    def with_event(
        self,
        reason: str,
        message: str,
        *,
        first: float,
        last: float | None = None,
        container: str = "",
        uid: str | None = None,
    ) -> Self:
        """The same with one more event, of so many seconds after its creation."""
        metadata = self.pod["metadata"]
        of = {"kind": "Pod", "name": metadata["name"], "uid": uid or metadata["uid"]}
        if container:
            of["fieldPath"] = f"spec.containers{{{container}}}"
        event = {
            "reason": reason,
            "message": message,
            "firstTimestamp": self.at(first),
            "lastTimestamp": self.at(first if last is None else last),
            "eventTime": None,
            "involvedObject": of,
        }
        return type(self)(pod=self.pod, events=[*self.events, event], now=self.now)

    def with_pod(self, **status: Any) -> Self:
        """The same with other values in the pod's status."""
        pod = deepcopy(self.pod)
        pod["status"] |= status
        return type(self)(pod=pod, events=self.events, now=self.now)

    def with_condition(self, kind: str, status: str, *, at: float = 0, **more: str) -> Self:
        conditions = [
            each for each in self.pod["status"].get("conditions", []) if each["type"] != kind
        ]
        added = {"type": kind, "status": status, "lastTransitionTime": self.at(at), **more}
        return self.with_pod(conditions=[*conditions, added])

    def deleted(self, *, at: float, grace: int = 0) -> Self:
        """The same when its deletion was requested so many seconds after its creation."""
        pod = deepcopy(self.pod)
        pod["metadata"]["deletionTimestamp"] = self.at(at + grace)
        pod["metadata"]["deletionGracePeriodSeconds"] = grace
        return type(self)(pod=pod, events=self.events, now=self.now)


def recording(name: str) -> Recording:
    kept = json.loads((RECORDED / f"{name}.json").read_text())
    return Recording(
        pod=kept["pod"], events=kept["events"], now=datetime.fromisoformat(kept["now"])
    )


def nodes() -> list[NodeCapacity]:
    """One of 2 CPU and 23.4 GiB, and a large one with GPUs that is tainted."""
    kept = json.loads((RECORDED / "nodes.json").read_text())
    return [node_capacity(node) for node in kept["items"]]


def refused() -> dict[str, Json]:
    """Answers of an API server that would not create a pod, by case."""
    answers: dict[str, Json] = json.loads((RECORDED / "refusals.json").read_text())["answers"]
    return answers
