"""What keeps a node from setting up a pod: its storage, and the sandbox it runs in."""

import re
from datetime import timedelta

from notebooks.backends.kubernetes.hindrances import Hindrance, span_in_words
from notebooks.backends.kubernetes.reading import Event, Pod

_STORAGE = timedelta(seconds=60)
# A cluster waits six minutes before it takes a disk from a machine that is lost
# (maxWaitForUnmountDuration of the attach-detach controller).
_BUSY = timedelta(minutes=8)
_MACHINE = timedelta(seconds=60)

MOUNTED = (
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "Failed",
    "InspectFailed",
    "ErrImageNeverPull",
)
"""Events that a machine sends for a container: by then all storage is there."""

_REFERENCE = re.compile(r'(?i)(secret|configmap) "([^"]+)" not found')


def mounting(pod: Pod) -> Hindrance | None:
    """What went wrong, if something did."""
    failed = pod.latest("FailedAttachVolume")
    attached = pod.latest("SuccessfulAttachVolume")
    if failed and not (attached and attached.last_at >= failed.last_at):
        return _attaching(failed)
    if failed := _first_cause(pod, "FailedMount", "FailedMapVolume"):
        missing = missing_reference(failed.message)
        return Hindrance(
            code="start_refused" if missing else "volume_failed",
            waiting=f"{missing or 'Its storage could not be attached.'} It is tried again.",
            failing=missing
            or f"Its storage could not be attached within {span_in_words(_STORAGE)}.",
            since=failed.first_at,
            patience=_STORAGE,
        )
    if failed := pod.latest("FailedCreatePodSandBox"):
        return Hindrance(
            code="machine_failed",
            waiting="The machine could not set up the session. It tries again.",
            failing=f"The machine could not set up the session within {span_in_words(_MACHINE)}.",
            since=failed.first_at,
            patience=_MACHINE,
        )
    return None


def _attaching(failed: Event) -> Hindrance:
    busy = re.search(r"Multi-Attach|already (exclusively )?(attached|used)", failed.message)
    if busy:
        return Hindrance(
            code="volume_busy",
            waiting="Its storage is still attached to another machine. It is tried again.",
            failing=f"Its storage stayed attached to another machine for {span_in_words(_BUSY)}.",
            since=failed.first_at,
            patience=_BUSY,
        )
    return Hindrance(
        code="volume_failed",
        waiting="Its storage could not be attached. It is tried again.",
        failing=f"Its storage could not be attached within {span_in_words(_STORAGE)}.",
        since=failed.first_at,
        patience=_STORAGE,
    )


def _first_cause(pod: Pod, *reasons: str) -> Event | None:
    """The event that began first: those that a long wait brings say less."""
    found = [event for event in pod.events if event.reason in reasons]
    return min(found, key=lambda event: event.first_at, default=None)


def missing_reference(message: str) -> str:
    """Say which Secret or ConfigMap is missing; empty if it is not that."""
    if found := _REFERENCE.search(message):
        kind = "Secret" if found[1].lower() == "secret" else "ConfigMap"
        return f"The {kind} “{found[2]}” that the session refers to does not exist."
    return ""
