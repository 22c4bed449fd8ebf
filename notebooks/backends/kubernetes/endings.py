"""Why a run ended by itself: a code of the catalogue with its sentence, and the exit code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from notebooks.backends.kubernetes import mount_points, room
from notebooks.backends.kubernetes.amounts import amount, size
from notebooks.backends.kubernetes.causes import NO_COMMAND, no_command
from notebooks.backends.kubernetes.nodes import NodeCapacity
from notebooks.backends.kubernetes.reading import Container, Pod
from submarine_site.core.pod_shapes import MOUNT_POINTS_CONTAINER

NODE_GRACE = timedelta(seconds=60)
"""How long a node may be silent before what runs on it is given up."""

CAUSE_GRACE = timedelta(seconds=3)
"""How long after a pod's deletion was requested its cause may still become known."""

DELETED = "Its pod was deleted by somebody or something else than this service."

_LAST_SIGNAL = 64
_NOTHING_TO_RUN = {126, 127}
"""What an entrypoint of the image ends with that cannot run the command it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """`code` is empty where the exit code says all there is to say."""

    code: str = ""
    message: str = ""
    exit_code: int | None = None
    at: datetime | None = None


def taken_away(
    pod: Pod, now: datetime, nodes: Sequence[NodeCapacity] | None = None
) -> Ending | None:
    """Why the cluster takes the pod away, or has lost it; None if it does not. Of a pod that is
    being deleted `nodes` are its node alone; empty: the node is gone; None: not known.
    """
    disruption = pod.conditions.get("DisruptionTarget")
    if pod.is_deleted and disruption and disruption.is_true:
        return _DISRUPTIONS.get(disruption.reason, _MAINTENANCE)
    # Before 1.26 there are only events to tell. The second is also sent when it is called off,
    # but then the pod is not being deleted.
    if pod.is_deleted and pod.latest("Preempted"):
        return _PREEMPTED
    if pod.is_deleted and pod.latest("TaintManagerEviction"):
        return _LOST
    if pod.is_deleted and nodes is not None and (cleared := _cleared(pod, nodes)):
        return cleared
    silent_since = _silent_since(pod)
    if silent_since and now - silent_since >= NODE_GRACE:
        return _LOST
    return None


def _cleared(pod: Pod, nodes: Sequence[NodeCapacity]) -> Ending | None:
    """Judge by its node why a pod is deleted. Before 1.26 there is no event of an eviction either,
    but a node that is drained is cordoned before.
    """
    if pod.node and not nodes:
        return _LOST
    cordoned = any(node.name == pod.node and node.is_cordoned for node in nodes)
    return _CORDONED if cordoned else None


def _silent_since(pod: Pod) -> datetime | None:
    """When its node stopped answering: the cluster then says that the pod is not ready, and leaves
    all that the node itself last said of it.
    """
    ready = pod.conditions.get("Ready")
    if ready is None or ready.is_true or not pod.is_condition("ContainersReady"):
        return None
    return ready.since


def ending(pod: Pod) -> Ending | None:
    """How it ended; None while it has not."""
    ended = next((each for each in pod.containers if _has_failed(each)), pod.notebook)
    if pod.phase not in {"Succeeded", "Failed"} and ended.exit_code is None:
        return None
    cause = _cause(pod, ended)
    return replace(cause, exit_code=_exit_code(ended), at=ended.finished_at)


def _has_failed(container: Container) -> bool:
    return container.exit_code not in {None, 0}


def _cause(pod: Pod, ended: Container) -> Ending:
    if pod.reason == "Evicted":
        return _evicted(pod.message)
    disruption = pod.conditions.get("DisruptionTarget")
    for reason in (pod.reason, disruption.reason if disruption else ""):
        if reason in _DISRUPTIONS:
            return _DISRUPTIONS[reason]
    if ended.exit_code is None and pod.reason:
        return Ending(
            code="machine_failed", message="The machine that was chosen for it did not take it."
        )
    return _exited(pod, ended)


def _exited(pod: Pod, ended: Container) -> Ending:
    if ended.reason == "OOMKilled":
        return Ending(code="out_of_memory", message=_out_of_memory(pod, ended))
    if storage := _of_storage(pod, ended):
        return storage
    image = pod.spec_of(ended.name)["image"]
    if NO_COMMAND.search(ended.message) or (
        ended is pod.notebook and ended.exit_code in _NOTHING_TO_RUN
    ):
        return Ending(code="image_unfit", message=no_command(image))
    if ended.reason in {"StartError", "ContainerCannotRun"}:
        return Ending(
            code="image_unfit", message=f"The image {image} cannot be run as images are run here."
        )
    if ended is not pod.notebook:
        return Ending(
            code="preparation_failed",
            message=f"The step “{ended.name}” ended with exit code {ended.exit_code}.",
        )
    return Ending()


def _of_storage(pod: Pod, ended: Container) -> Ending | None:
    if ended is pod.notebook:
        full = room.full_home(ended.exit_code, ended.message)
        if not full and _NO_MOUNT_POINT.search(ended.message):
            full = "The home is full."
        return Ending(code="home_full", message=full) if full else None
    if ended.name == MOUNT_POINTS_CONTAINER:
        taken = mount_points.taken(ended.exit_code, ended.message)
        return Ending(code="mount_path_taken", message=taken) if taken else None
    return None


# Of the runtime, which makes the folder at which something is to be mounted.
_NO_MOUNT_POINT = re.compile(r"to rootfs at .*no space left on device")


def _exit_code(ended: Container) -> int | None:
    """As in `subprocess`. That of a container is 128 and the signal that ended it."""
    if ended.exit_code is None:
        return None
    signal = ended.exit_code - 128
    return -signal if 1 <= signal <= _LAST_SIGNAL else ended.exit_code


def _out_of_memory(pod: Pod, ended: Container) -> str:
    limit = pod.spec_of(ended.name).get("resources", {}).get("limits", {}).get("memory")
    used = f"all of its {size(amount(limit))} of memory" if limit else "all the memory there was"
    return f"It used {used}, and the system ended it."


_OWN_USE = re.compile(r'exceed(?:s|ed) .*limit(?: of containers)? "?(\d+[A-Za-z]*)"?')


def _evicted(message: str) -> Ending:
    """By the machine itself: for what it used, or because others on the machine used much too."""
    if own := _OWN_USE.search(message):
        return Ending(
            code="out_of_disk",
            message=f"It filled its {size(amount(own[1]))} of scratch space.",
        )
    what = next((word for sign, word in _PRESSURES.items() if sign in message.lower()), "room")
    return Ending(code="evicted", message=f"The machine that it ran on was short of {what}.")


_PRESSURES = {"memory": "memory", "storage": "disk space", "disk": "disk space", "pid": "processes"}

_LOST = Ending(
    code="node_lost",
    message="The machine that it ran on stopped answering or was taken out of service.",
)
_PREEMPTED = Ending(code="preempted", message="Work of higher priority needed its place.")
_MAINTENANCE = Ending(
    code="evicted", message="The machine that it ran on was cleared by an operator or the cluster."
)
_CORDONED = Ending(
    code="evicted",
    message="The machine that it ran on is cordoned: an operator or the cluster clears it.",
)
_SHUT_DOWN = Ending(code="node_lost", message="The machine that it ran on was shut down.")


# What the conditions of a pod give as the reason, then what the pod itself gives.
_DISRUPTIONS = {
    "PreemptionByScheduler": _PREEMPTED,
    "PreemptionByKubeScheduler": _PREEMPTED,
    "DeletionByTaintManager": _LOST,
    "DeletionByPodGC": _LOST,
    "EvictionByEvictionAPI": _MAINTENANCE,
    "Preempting": _PREEMPTED,
    "NodeLost": _LOST,
    "Shutdown": _SHUT_DOWN,
    "NodeShutdown": _SHUT_DOWN,
    "Terminated": _SHUT_DOWN,
}
