"""How a launch is shown: its steps in order, with how far each has come and how long it took."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings

from notebooks.backends.contract import Phase, PhaseTime
from notebooks.models import NotebookSession, Run
from notebooks.states import LAUNCHED, SessionStatus

_LABELS = {
    Phase.QUEUED: "Queued",
    Phase.SCHEDULING: "Finding a place",
    Phase.VOLUME: "Attaching storage",
    Phase.PULLING_IMAGE: "Pulling the image",
    Phase.PREPARING: "Preparing",
    Phase.STARTING_SERVER: "Starting Jupyter",
    Phase.READY: "Ready",
}

_IN_A_CLUSTER = {Phase.SCHEDULING, Phase.VOLUME, Phase.PULLING_IMAGE}
"""What only a backend of many machines goes through."""


class Progress(StrEnum):
    DONE = "done"
    NOW = "now"
    FAILED = "failed"
    TO_COME = "to come"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the launch: when it began, and how many seconds it took if it is over."""

    label: str
    progress: Progress
    started_at: datetime | None = None
    seconds: float | None = None
    detail: str = ""


def steps(session: NotebookSession) -> list[Step]:
    """Return the launch of the session's present or last run; empty if it has none.

    A step that was left out, as where the image was there already, is not shown.
    """
    run = session.current_run
    if run is None:
        return []
    begun = run.steps
    shown = [_step(session, run, phase, is_last=phase is begun[-1]) for phase in begun]
    to_come = list(Phase)
    to_come = to_come[to_come.index(begun[-1].phase) + 1 :]
    if settings.BACKEND != "kubernetes":
        to_come = [phase for phase in to_come if phase not in _IN_A_CLUSTER]
    return shown + [Step(label=_LABELS[phase], progress=Progress.TO_COME) for phase in to_come]


def _step(session: NotebookSession, run: Run, phase: PhaseTime, *, is_last: bool) -> Step:
    over = phase.finished_at is not None or run.ready_at is not None
    progress = Progress.DONE if over else Progress.NOW
    if is_last and run.ready_at is None:
        if session.status == SessionStatus.FAILED:
            progress = Progress.FAILED
        elif session.status in LAUNCHED:
            # Between two steps the last one seen is still what is going on.
            progress = Progress.NOW
    finished = phase.finished_at or (phase.started_at if over else None)
    return Step(
        label=_LABELS[phase.phase],
        progress=progress,
        started_at=phase.started_at,
        seconds=(finished - phase.started_at).total_seconds() if finished else None,
        detail=phase.detail,
    )


def current_step(session: NotebookSession) -> Step | None:
    """Return the step that the launch is at; None before the first and where there is none."""
    return next((step for step in steps(session) if step.progress == Progress.NOW), None)
