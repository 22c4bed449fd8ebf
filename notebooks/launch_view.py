"""How a launch is shown: its steps in order, with how far each has come and how long it took."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from notebooks.backends.contract import Phase
from notebooks.models import NotebookSession
from notebooks.states import LAUNCHED, SessionStatus

_LABELS = {
    Phase.ACCEPTED: "Accepted",
    Phase.PREPARING: "Preparing",
    Phase.STARTING_SERVER: "Starting Jupyter",
    Phase.READY: "Ready",
}


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
    """Return the launch of the session's present or last run; empty if it has none."""
    run = session.current_run
    if run is None:
        return []
    seen = {phase.phase: phase for phase in run.phases.all()}
    begun = [phase for phase in Phase if phase in seen]
    shown: list[Step] = []
    for phase in Phase:
        times = seen.get(phase)
        if times is None:
            shown.append(Step(label=_LABELS[phase], progress=Progress.TO_COME))
            continue
        over = times.finished_at is not None or run.ready_at is not None
        progress = Progress.DONE if over else Progress.NOW
        ended_here = run.ready_at is None and phase == begun[-1]
        if session.status == SessionStatus.FAILED and ended_here:
            progress = Progress.FAILED
        elif session.status in LAUNCHED and ended_here:
            # Between two steps the last one seen is still what is going on.
            progress = Progress.NOW if phase is not Phase.ACCEPTED else Progress.DONE
        finished = times.finished_at or (times.started_at if over else None)
        shown.append(
            Step(
                label=_LABELS[phase],
                progress=progress,
                started_at=times.started_at,
                seconds=(finished - times.started_at).total_seconds() if finished else None,
                detail=times.detail,
            )
        )
    return shown


def current_step(session: NotebookSession) -> Step | None:
    """Return the step that the launch is at; None before the first and where there is none."""
    return next((step for step in steps(session) if step.progress == Progress.NOW), None)
