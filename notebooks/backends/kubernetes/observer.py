"""Sees runs: judges pods by the cluster's clock, and tells it in ours."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from notebooks.backends.contract import Observed, PhaseTime
from notebooks.backends.kubernetes.api import Api, ApiError, Json
from notebooks.backends.kubernetes.nodes import NodeCapacity, node_capacity
from notebooks.backends.kubernetes.reading import deletion_requested_at
from notebooks.backends.kubernetes.status import is_unschedulable, observed
from submarine_site.core.outside import BackendUnavailable

logger = logging.getLogger(__name__)

NODES_SECONDS = 30.0


WHOLE_SECOND = timedelta(seconds=1)
"""The API tells in whole seconds when a deletion was requested."""

NODE_PAUSE = timedelta(seconds=0.2)
"""How far apart one node is read while many of its pods end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What a node was at a time by the cluster's clock."""

    at: datetime
    nodes: Sequence[NodeCapacity]


class Observer:
    """Shared by threads."""

    def __init__(self, api: Api, *, place_patience: timedelta | None = None) -> None:
        """`place_patience` is how long a place is waited for where nodes may not be read."""
        self._api = api
        self._place_patience = place_patience
        self._nodes: Sequence[NodeCapacity] | None = None
        self._nodes_until = 0.0
        self._closing: dict[str, _Reading] = {}

    def look(self, pod: Json, events: Sequence[Json] | None) -> Observed:
        """Say what a pod of ours is now; without its events, no more than that."""
        if requested_at := deletion_requested_at(pod):
            nodes = self._node_of(pod, requested_at)
        else:
            nodes = self.nodes() if is_unschedulable(pod) else None
        seen = observed(
            pod, events, nodes=nodes, now=self._api.now(), place_patience=self._place_patience
        )
        if not self._api.offset:
            return seen
        return replace(seen, phases=tuple(self._localised(phase) for phase in seen.phases))

    def nodes(self) -> Sequence[NodeCapacity] | None:
        """What nodes could hold, half a minute ago at most; None where we have no right to know."""
        if time.monotonic() >= self._nodes_until:
            # Before the question: while there is no answer nobody else need wait for it.
            self._nodes_until = time.monotonic() + NODES_SECONDS
            try:
                items = self._api.get("nodes", resourceVersion="0")["items"]
                self._nodes = [node_capacity(node) for node in items]
            except ApiError as error:
                logger.info("nodes are not to be seen: %s", error)
                self._nodes = None
            except BackendUnavailable as error:
                logger.info("nodes are not to be seen now: %s", error)
        return self._nodes

    def _node_of(self, pod: Json, requested_at: datetime) -> Sequence[NodeCapacity] | None:
        """Return the node of a pod as it was when the pod's deletion was requested, or later:
        a node is cordoned right before it is drained. Empty: there is no such node any more; None:
        not known.
        """
        name = pod["spec"].get("nodeName")
        if not name or self.nodes() is None:
            return None
        known, now = self._closing.get(name), self._api.now()
        if known is None or (
            known.at < requested_at + WHOLE_SECOND and now - known.at >= NODE_PAUSE
        ):
            try:
                items = self._api.get("nodes", fieldSelector=f"metadata.name={name}")["items"]
            except (ApiError, BackendUnavailable) as error:
                logger.info("the node of a pod is not to be seen: %s", error)
                return None
            known = _Reading(at=now, nodes=[node_capacity(node) for node in items])
            self._closing[name] = known
        return known.nodes

    def _localised(self, phase: PhaseTime) -> PhaseTime:
        finished_at = phase.finished_at
        return replace(
            phase,
            started_at=phase.started_at - self._api.offset,
            finished_at=None if finished_at is None else finished_at - self._api.offset,
        )
