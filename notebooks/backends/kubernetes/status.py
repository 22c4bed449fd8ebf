"""What a pod and its events say of a run, in our words. Pure: no calls, no clock of its own."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notebooks.backends.code import outcomes
from notebooks.backends.contract import CodeOutcome, Observed, RunState
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.causes import hindrance
from notebooks.backends.kubernetes.endings import CAUSE_GRACE, DELETED, Ending, ending, taken_away
from notebooks.backends.kubernetes.hindrances import Hindrance
from notebooks.backends.kubernetes.manifests import PORT
from notebooks.backends.kubernetes.nodes import NodeCapacity
from notebooks.backends.kubernetes.phases import phases
from notebooks.backends.kubernetes.reading import Pod, has_condition
from submarine_site.core.pod_shapes import CODE_CONTAINER


def is_unschedulable(pod: Json) -> bool:
    """Whether it waits for a place, so that it matters what nodes there are."""
    return has_condition(pod, "PodScheduled", "False")


def observed(
    pod: Json,
    events: Sequence[Json] | None,
    *,
    nodes: Sequence[NodeCapacity] | None,
    now: datetime,
    place_patience: timedelta | None = None,
) -> Observed:
    """Say what a pod of ours is now. `now` is in the cluster's clock; `events` or `nodes` None: not
    known. `place_patience` is how long a place is waited for where nodes are not known.
    """
    seen = Pod.read(pod, events)
    if lost := taken_away(seen, now, nodes):
        return _ended(seen, lost, now)
    if seen.deletion_requested_at is not None:
        return Observed(
            key=seen.key,
            state=RunState.STOPPING,
            phases=phases(seen, ready_at=_ready_at(seen, now), ended_at=None, detail=""),
            failure_code="server_lost",
            failure_detail=DELETED,
            # What deletes it may say only afterwards why.
            waits=now - seen.deletion_requested_at < CAUSE_GRACE,
        )
    if end := ending(seen):
        return _ended(seen, end, now)
    if _has_answered(seen):
        return _ready(seen, now)
    return _starting(seen, hindrance(seen, nodes, place_patience=place_patience, now=now), now)


def _starting(pod: Pod, held_up: Hindrance | None, now: datetime) -> Observed:
    failing = held_up is not None and held_up.is_failure(now)
    return Observed(
        key=pod.key,
        state=RunState.STARTING,
        phases=phases(
            pod,
            ready_at=None,
            ended_at=None,
            detail=held_up.waiting if held_up and not failing else "",
        ),
        failure_code=held_up.code if held_up and failing else "",
        failure_detail=held_up.failing if held_up and failing else "",
        waits=held_up is not None and not failing,
    )


def _ready(pod: Pod, now: datetime) -> Observed:
    host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
    return Observed(
        key=pod.key,
        state=RunState.READY,
        address=f"http://{host}:{PORT}",
        phases=phases(pod, ready_at=_ready_at(pod, now), ended_at=None, detail=""),
        code=_code(pod),
    )


def _code(pod: Pod) -> tuple[CodeOutcome, ...] | None:
    step = next((each for each in pod.init_containers if each.name == CODE_CONTAINER), None)
    return None if step is None else outcomes(step.message)


def _ended(pod: Pod, end: Ending, now: datetime) -> Observed:
    return Observed(
        key=pod.key,
        state=RunState.EXITED,
        phases=phases(pod, ready_at=_ready_at(pod, now), ended_at=end.at or now, detail=""),
        exit_code=end.exit_code,
        failure_code=end.code,
        failure_detail=end.message,
    )


def _has_answered(pod: Pod) -> bool:
    """Whether Jupyter has: from the startup probe on, and whatever becomes of a sidecar. The pod's
    own word for it comes only with the next readiness probe.
    """
    return pod.notebook.is_past_startup or pod.is_condition("Ready")


def _ready_at(pod: Pod, now: datetime) -> datetime | None:
    if not _has_answered(pod):
        return None
    # It stays as it is when the node falls silent, which the condition Ready does not.
    ready = pod.conditions.get("ContainersReady")
    return ready.since if ready and ready.is_true and ready.since else now
