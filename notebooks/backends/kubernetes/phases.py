"""The steps of a launch with their times, from a pod's conditions, containers and events.

Times have whole seconds and come from several clocks, so each phase ends where the next begins.
Where nothing tells how the time between two was spent, it is left out, so that a look with fewer
events may show fewer phases but none that another look contradicts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from notebooks.backends.contract import Phase, PhaseTime
from notebooks.backends.kubernetes.mounts import MOUNTED
from notebooks.backends.kubernetes.reading import Pod

_PULLING = ("Pulling", "InspectFailed", "ErrImageNeverPull")
_PULLED = ("Pulled", "Created", "Started")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """A phase began, or (None) the one before it ended and nothing tells what came then."""

    phase: Phase | None
    at: datetime


def phases(
    pod: Pod, *, ready_at: datetime | None, ended_at: datetime | None, detail: str
) -> tuple[PhaseTime, ...]:
    """`detail` goes with the last phase, which is open unless the run has ended. None where events
    are not at hand: without them a launch is known in part only, and that is not to be kept.
    """
    if not pod.has_events:
        return ()
    shown: list[PhaseTime] = []
    for mark, following in _paired(_in_order(_marks(pod, ready_at))):
        if mark.phase is not None:
            shown.append(
                PhaseTime(
                    phase=mark.phase,
                    started_at=mark.at,
                    finished_at=following.at if following else None,
                )
            )
    last = shown[-1]
    if ended_at and last.finished_at is None:
        last = replace(last, finished_at=max(last.started_at, ended_at))
    return (*shown[:-1], replace(last, detail=detail))


def _marks(pod: Pod, ready_at: datetime | None) -> Iterator[_Mark]:
    yield _Mark(phase=Phase.SCHEDULING, at=pod.created_at)
    placed_at, started_at = _placed_at(pod), _started_at(pod)
    if placed_at:
        yield _Mark(phase=Phase.VOLUME if pod.events else None, at=placed_at)
        yield from _image_marks(pod)
    if started_at:
        yield _Mark(phase=Phase.STARTING_SERVER, at=started_at)
    if ready_at:
        yield _Mark(phase=Phase.READY, at=ready_at)


def _placed_at(pod: Pod) -> datetime | None:
    condition = pod.conditions.get("PodScheduled")
    if condition and condition.is_true:
        return condition.since
    # An eviction wipes out what the pod itself told.
    placed = pod.latest("Scheduled")
    return placed.last_at if placed else None


def _started_at(pod: Pod) -> datetime | None:
    if pod.notebook.started_at:
        return pod.notebook.started_at
    started = pod.latest("Started", container=pod.notebook.name)
    return started.last_at if started else None


def _image_marks(pod: Pod) -> Iterator[_Mark]:
    """Of the container that runs first. The images of others are pulled while it prepares."""
    first = pod.containers[0]
    began: dict[str, datetime] = {}
    for event in pod.events:
        if event.reason in MOUNTED and event.container == first.name:
            began[event.reason] = min(event.first_at, began.get(event.reason, event.first_at))
    if not began:
        return
    pulling = [began[reason] for reason in _PULLING if reason in began]
    pulled = [began[reason] for reason in _PULLED if reason in began]
    prepared_at = min(pulled, default=first.started_at)
    if pulling or not prepared_at:
        # Of what failed alone it is not known at which step it did.
        phase = Phase.PULLING_IMAGE if pulling else None
        yield _Mark(phase=phase, at=min(began.values()))
    if prepared_at:
        yield _Mark(phase=Phase.PREPARING, at=prepared_at)


def _in_order(marks: Iterable[_Mark]) -> Iterator[_Mark]:
    latest: datetime | None = None
    for mark in marks:
        latest = max(latest, mark.at) if latest else mark.at
        yield replace(mark, at=latest)


def _paired(marks: Iterable[_Mark]) -> Iterator[tuple[_Mark, _Mark | None]]:
    listed = list(marks)
    return zip(listed, [*listed[1:], None], strict=True)
