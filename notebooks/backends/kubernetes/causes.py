"""Finds what holds up a launch.

Only what concerns the step that a launch is at is looked for, so that what went wrong on the way
and was overcome is never held against it. What is said is for users: sizes and the image that
they chose, never nodes, registries' answers or what belongs to others.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from notebooks.backends.code import FETCHING
from notebooks.backends.kubernetes.hindrances import (
    DEFINITE,
    Hindrance,
    failing_since,
    span_in_words,
)
from notebooks.backends.kubernetes.mounts import MOUNTED, missing_reference, mounting
from notebooks.backends.kubernetes.nodes import NodeCapacity
from notebooks.backends.kubernetes.places import placing
from notebooks.backends.kubernetes.pulls import is_pulling, pulling
from notebooks.backends.kubernetes.reading import Container, Pod
from submarine_site.core.pod_shapes import CODE_CONTAINER

_MACHINE = timedelta(seconds=60)

NO_COMMAND = re.compile(
    r"executable file .*not found|exec: .*(no such file|permission denied)|no command specified"
)


def hindrance(
    pod: Pod,
    nodes: Sequence[NodeCapacity] | None,
    *,
    place_patience: timedelta | None,
    now: datetime,
) -> Hindrance | None:
    """Say what holds up the launch now; None if nothing does. `nodes` None: not known, and a place
    is waited for with `place_patience`.
    """
    placed = pod.conditions.get("PodScheduled")
    if placed and not placed.is_true:
        return placing(pod, placed, nodes, patience=place_patience, now=now)
    if any(each.name == CODE_CONTAINER and each.is_running for each in pod.init_containers):
        # It keeps its own time, and ends in any case.
        return Hindrance(waiting=FETCHING)
    container = next((each for each in pod.containers if each.is_waiting), None)
    if container is None:
        return None
    if judge := _JUDGES.get(container.reason):
        return judge(pod, container)
    if not pod.latest(*MOUNTED):
        return mounting(pod)
    # An image that comes in takes the time it takes.
    return Hindrance(waiting="") if is_pulling(pod, container) else None


def no_command(image: str) -> str:
    """What it means that a machine found nothing to run."""
    return f"The image {image} has no command to start Jupyter with: it needs `jupyter lab`."


def _configuring(pod: Pod, container: Container) -> Hindrance:
    missing = missing_reference(container.message)
    return Hindrance(
        code="start_refused",
        waiting=f"{missing or 'The container could not be put together.'} It is tried again.",
        failing=missing
        or f"The container could not be put together within {span_in_words(_MACHINE)}.",
        since=failing_since(pod, container),
        patience=_MACHINE,
    )


def _creating(pod: Pod, container: Container) -> Hindrance:
    waiting = "The container could not be started. It is tried again."
    if NO_COMMAND.search(container.message):
        return Hindrance(
            code="image_unfit",
            waiting=waiting,
            failing=no_command(pod.spec_of(container.name)["image"]),
            patience=DEFINITE,
        )
    return Hindrance(
        code="machine_failed",
        waiting=waiting,
        failing=f"The machine could not start the container within {span_in_words(_MACHINE)}.",
        since=failing_since(pod, container),
        patience=_MACHINE,
    )


_JUDGES: dict[str, Callable[[Pod, Container], Hindrance]] = {
    "ErrImagePull": pulling,
    "ImagePullBackOff": pulling,
    "ErrImageNeverPull": pulling,
    "InvalidImageName": pulling,
    "ImageInspectError": pulling,
    "RegistryUnavailable": pulling,
    "SignatureValidationFailed": pulling,
    "CreateContainerConfigError": _configuring,
    "CreateContainerError": _creating,
    "RunContainerError": _creating,
}
"""By what a container waits for, as the kubelet names it."""
