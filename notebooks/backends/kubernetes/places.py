"""What keeps a pod from a place on a node, by what the scheduler and the nodes say."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from notebooks.backends.kubernetes.amounts import list_in_words
from notebooks.backends.kubernetes.hindrances import Hindrance, span_in_words
from notebooks.backends.kubernetes.nodes import NodeCapacity, needs, never_fits
from notebooks.backends.kubernetes.reading import Condition, Pod

_BRIEF = timedelta(seconds=5)
_NEVER_FITS = timedelta(seconds=30)
_STORAGE = timedelta(seconds=60)
_PROBABLY_BRIEF = timedelta(seconds=30)

_SCALE_UP = ("TriggeredScaleUp", "Nominated")
"""Of the Cluster Autoscaler, and of Karpenter."""

_LACKING = re.compile(r"Insufficient ([^\s,]+?)[.,]?(?=\s|$)")
_ROOM = re.compile(
    r"Insufficient|Too many pods|free ports|unschedulable|kubernetes\.io/un|not.ready"
)
_ELSEWHERE = re.compile(r"didn't match|taint")


def placing(
    pod: Pod,
    condition: Condition,
    nodes: Sequence[NodeCapacity] | None,
    *,
    patience: timedelta | None,
    now: datetime,
) -> Hindrance:
    """`condition` is that it has no place yet. `nodes` None: not known, so that nothing tells
    whether there can ever be one; it is waited for with `patience`, None: as long as it takes.
    """
    since = condition.since or pod.created_at
    # What it says of preempting others comes after what hinders.
    said = condition.message.partition(" preemption: ")[0]
    if storage := _unplaced_storage(said, since):
        return storage
    scaling = pod.latest(*_SCALE_UP, "NotTriggerScaleUp", "FailedScaleUp")
    if scaling and scaling.reason in _SCALE_UP:
        return Hindrance(waiting="Adding a machine, usually 3 to 6 minutes.", since=since)
    if never := _never(pod, said, nodes):
        return Hindrance(
            code="unschedulable",
            waiting=never,
            failing=never,
            since=since,
            patience=_NEVER_FITS,
        )
    needed = needs(pod.spec)
    lacking = {name: needed[name] for name in _LACKING.findall(said) if name in needed}
    what = list_in_words(lacking or needed)
    waiting = f"Waiting for {what}: no machine has it free now."
    if nodes is not None or patience is None:
        return Hindrance(waiting=waiting, since=since)
    span = span_in_words(patience)
    if now - since >= _PROBABLY_BRIEF:
        waiting += (
            " The service may not list nodes, so it does not know whether one is large enough. "
            f"The start ends after {span}."
        )
    return Hindrance(
        code="unschedulable",
        waiting=waiting,
        failing=f"No machine had {what} free for {span}. "
        "The cluster may have none that is large enough.",
        since=since,
        patience=patience,
    )


def _never(pod: Pod, said: str, nodes: Sequence[NodeCapacity] | None) -> str:
    if nodes is not None:
        return never_fits(pod.spec, nodes)
    # Without the right to see nodes, what the scheduler says has to do.
    if _ELSEWHERE.search(said) and not _ROOM.search(said):
        return "No machine is set up for this size."
    return ""


def _unplaced_storage(said: str, since: datetime) -> Hindrance | None:
    if re.search(r'persistentvolumeclaim "[^"]*" (not found|is being deleted)', said):
        return Hindrance(
            code="volume_missing",
            waiting="Waiting for its storage to be known.",
            failing="Its storage is gone: a volume that it attaches does not exist any more.",
            since=since,
            # The scheduler may hear of a pod before it hears of the claim that was made first.
            patience=_BRIEF,
        )
    if re.search(r"unbound|persistent ?volumes? to bind|non-existent persistentvolume", said):
        return Hindrance(
            code="volume_unbound",
            waiting="Waiting for storage.",
            failing=f"The cluster did not provide storage within {span_in_words(_STORAGE)}.",
            since=since,
            patience=_STORAGE,
        )
    unreachable = re.search(r"volume node affinity conflict|max volume count", said)
    if unreachable and not _ROOM.search(said):
        return Hindrance(
            code="volume_failed",
            waiting="No machine can reach all of its storage now.",
            failing=f"No machine could reach all of its storage for {span_in_words(_STORAGE)}.",
            since=since,
            patience=_STORAGE,
        )
    if "match pod affinity" in said:
        has_room = not _ROOM.search(said)
        return Hindrance(
            code="volume_busy" if has_room else "",
            waiting="Waiting for room on the machine where another session has its storage.",
            failing="Another session has its storage on a machine that this size cannot have.",
            since=since,
            patience=_STORAGE if has_room else None,
        )
    return None
