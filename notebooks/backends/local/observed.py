"""What a run's files tell of it, in the contract's words."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from notebooks.backends.code import FETCHING
from notebooks.backends.contract import Observed, Phase, PhaseTime, RunDescription, RunState
from notebooks.backends.local.runs import Failure, Request, Run, State

LOST = Failure(code="server_lost", message="The process that looked after the server was killed.")


def observed(run: Run, state: RunState, facts: State) -> Observed:
    request = run.request()
    has_code = request is not None and request.has_code
    fetched = run.fetched() if has_code else None
    is_fetching = has_code and fetched is None and state is RunState.STARTING
    if fetched or is_fetching:
        # The shim's child becomes the server when it is done with the code.
        facts = replace(facts, starting_server=fetched.at if fetched else None)
    phases = tuple(_phases(request.requested_at, facts)) if request else ()
    if is_fetching:
        phases = (*phases[:-1], replace(phases[-1], detail=FETCHING))
    failure = _failure(run, facts) if state is RunState.EXITED else Failure()
    return Observed(
        key=run.key,
        state=state,
        address=f"unix:{run.socket}" if state is RunState.READY else "",
        phases=phases,
        exit_code=facts.exit_code,
        failure_code=failure.code,
        failure_detail=failure.message,
        waits=is_fetching,
        code=fetched.outcomes if fetched else () if has_code and facts.ready else None,
    )


def description(request: Request | None) -> RunDescription:
    """Return what was written down of a run; nothing if a crash of the machine spoilt it."""
    if request is None:
        return RunDescription()
    return RunDescription(
        created_at=_time(request.requested_at),
        owner=request.owner,
        display_name=request.session,
        record=request.record,
    )


def _failure(run: Run, facts: State) -> Failure:
    if facts.ended is None:
        return LOST
    # What is written there later is the user's.
    return run.failed() if facts.ready is None else Failure()


def _phases(requested_at: float, facts: State) -> Iterator[PhaseTime]:
    begun = [
        (Phase.PREPARING, requested_at),
        (Phase.STARTING_SERVER, facts.starting_server),
        (Phase.READY, facts.ready),
    ]
    ends = [*(at for _, at in begun[1:]), None]
    for (phase, started_at), next_at in zip(begun, ends, strict=True):
        if started_at is None:
            return
        finished_at = next_at or facts.ended
        yield PhaseTime(
            phase=phase,
            started_at=_time(started_at),
            finished_at=None if finished_at is None else _time(finished_at),
        )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
