"""Sees runs: judges pods by the cluster's clock, and tells it in ours."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from notebooks.backends.contract import Observed, PhaseTime
from notebooks.backends.kubernetes.api import Api, ApiError, Json
from notebooks.backends.kubernetes.nodes import NodeCapacity, node_capacity
from notebooks.backends.kubernetes.status import is_unschedulable, observed
from submarine_site.core.outside import BackendUnavailable

logger = logging.getLogger(__name__)

NODES_SECONDS = 30.0


class Observer:
    """Shared by threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._nodes: Sequence[NodeCapacity] | None = None
        self._nodes_until = 0.0

    def look(self, pod: Json, events: Sequence[Json] | None) -> Observed:
        """Say what a pod of ours is now; without its events, no more than that."""
        nodes = self.nodes() if is_unschedulable(pod) else None
        seen = observed(pod, events, nodes=nodes, now=self._api.now())
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

    def _localised(self, phase: PhaseTime) -> PhaseTime:
        finished_at = phase.finished_at
        return replace(
            phase,
            started_at=phase.started_at - self._api.offset,
            finished_at=None if finished_at is None else finished_at - self._api.offset,
        )
