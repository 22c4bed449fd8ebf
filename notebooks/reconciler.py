"""Brings rows and backend together, by level: looks at both, and acts on what differs.

`plan` is pure and decides, `apply` is short and does. A hint from the watcher, the periodic poll
and a restart all end here, so a lost or repeated event costs nothing. What the backend does not
list as ours is never seen here, and so never touched.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from notebooks import holdings, lifecycle, orphans
from notebooks.backends.contract import Observed, PhaseTime, RunKey, RunState
from notebooks.failures import REASONS
from notebooks.lifetimes import SETTLED, idle_since, minutes
from notebooks.models import NotebookSession, Run
from notebooks.phases import from_json
from notebooks.querysets import NotebookSessionQuerySet
from notebooks.states import LAUNCHED, SessionStatus
from notebooks.wiring import backend
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.outside import BackendError
from submarine_site.core.templatetags.times import span

logger = logging.getLogger(__name__)

NO_ENDING = ("", "")

LAUNCH_GRACE = timedelta(seconds=5)
"""How long the worker that claimed a run has the right of way."""

GIVE_UP_AFTER = timedelta(minutes=15)
"""How long a run is begun again and again of which nothing comes to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the database says of an active session."""

    key: RunKey
    status: SessionStatus
    status_changed_at: datetime
    created_at: datetime
    """When the run was asked for."""
    address: str = ""
    phases: frozenset[PhaseTime] = frozenset()
    ending: tuple[str, str] = NO_ENDING
    """Code and message of why it is being ended from outside, as an earlier look has shown."""
    is_restart: bool = False
    is_rescue: bool = False
    ready_at: datetime | None = None
    last_activity_at: datetime | None = None
    longest_life: timedelta | None = None
    idle_limit: timedelta | None = None
    probed_at: datetime | None = None
    """When its server last said whether something happens in it."""
    owner_disabled_at: datetime | None = None
    disabled_grace: timedelta = timedelta()
    """How long it goes on after its owner's account was disabled."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Begin the run: the worker that claimed it died, or the backend was away."""

    key: RunKey


@dataclass(frozen=True, slots=True)
class RecordPhases:
    key: RunKey
    phases: tuple[PhaseTime, ...]


@dataclass(frozen=True, slots=True)
class RecordEnding:
    """Keep why a run is being ended: when that is done, nothing may be left to tell it."""

    key: RunKey
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class MarkRunning:
    key: RunKey
    observed: Observed


@dataclass(frozen=True, slots=True)
class AdoptAddress:
    key: RunKey
    address: str


@dataclass(frozen=True, slots=True)
class Fail:
    key: RunKey
    code: str
    message: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class TryOnceMore:
    """Begin the run, and give it up if nothing comes of it: perhaps nobody could try for long."""

    key: RunKey
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Begin anew what was lost through no fault of its own, or what its home kept from starting."""

    key: RunKey
    code: str
    message: str
    as_rescue: bool = False


@dataclass(frozen=True, slots=True)
class StopExited:
    """The server ended of its own will, in order: a stop, not a failure."""

    key: RunKey
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class StopDue:
    """Its time is over; of one that is idle, unless something has happened since then; of one whose
    owner was disabled, unless the account has been enabled since.
    """

    key: RunKey
    code: str
    message: str
    idle_since: datetime | None = None
    owner_disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """End what is there of a session that is stopping."""

    key: RunKey


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left of a session that is stopping: it has stopped."""

    key: RunKey


@dataclass(frozen=True, slots=True)
class Discard:
    """End what runs for no session."""

    key: RunKey


Quick: TypeAlias = RecordPhases | RecordEnding | MarkRunning | AdoptAddress
"""What needs the database alone."""

Slow: TypeAlias = (
    Launch | TryOnceMore | Fail | Restart | StopExited | StopDue | Halt | Finish | Discard
)

Action: TypeAlias = Quick | Slow


def plan(
    rows: Iterable[Row],
    observed: Mapping[RunKey, Observed],
    *,
    observed_at: datetime,
    start_timeout: timedelta,
) -> list[Action]:
    """Decide what to do about these sessions, given what was seen of the backend at `observed_at`.

    A row that changed after the look is left for the next one: what was seen may be older.
    """
    actions: list[Action] = []
    for row in rows:
        if row.status_changed_at >= observed_at:
            continue
        actions += _plan_row(row, observed.get(row.key), observed_at, start_timeout)
    return actions


def _plan_row(
    row: Row, seen: Observed | None, now: datetime, start_timeout: timedelta
) -> list[Action]:
    if row.status in LAUNCHED and (over := _owner_gone(row, now)) is not None:
        return [over]
    match row.status:
        case SessionStatus.REQUESTED:
            # Whoever launches takes those that wait longest, many at a time.
            return []
        case SessionStatus.STARTING:
            return _plan_starting(row, seen, now, start_timeout)
        case SessionStatus.RUNNING:
            return _plan_running(row, seen, now)
        case SessionStatus.STOPPING:
            return [Finish(row.key)] if seen is None else [Halt(row.key)]
        case SessionStatus.STOPPED | SessionStatus.FAILED:
            return []


def _plan_starting(
    row: Row, seen: Observed | None, now: datetime, start_timeout: timedelta
) -> list[Action]:
    if seen is None:
        waited = now - row.status_changed_at
        if waited > GIVE_UP_AFTER:
            return [
                TryOnceMore(
                    row.key,
                    "backend_unavailable",
                    f"Nothing could be started within {_seconds(GIVE_UP_AFTER)}.",
                )
            ]
        return [Launch(row.key)] if waited > LAUNCH_GRACE else []
    actions: list[Action] = []
    # A cluster tells times in whole seconds, so that its first ones may be before ours.
    phases = tuple(_not_before(row.created_at, phase) for phase in seen.phases)
    if not row.phases.issuperset(phases):
        actions.append(RecordPhases(row.key, phases))
    match seen.state:
        case RunState.READY:
            actions.append(MarkRunning(row.key, seen))
        case RunState.EXITED:
            actions.append(
                _anew(row, seen.failure_code, seen.failure_detail) or _exited_at_start(row, seen)
            )
        case RunState.STARTING if seen.failure_code:
            actions.append(
                _anew(row, seen.failure_code, seen.failure_detail)
                or Fail(row.key, seen.failure_code, seen.failure_detail)
            )
        case RunState.STARTING | RunState.STOPPING:
            # The deadline starts anew with each phase: progress is not a failure.
            progress = [phase.started_at for phase in (*row.phases, *phases)]
            if not seen.waits and now - max([row.status_changed_at, *progress]) > start_timeout:
                actions.append(
                    Fail(
                        row.key,
                        "server_never_answered",
                        f"Jupyter did not answer within {_seconds(start_timeout)}.",
                    )
                )
    return actions


def _not_before(at: datetime, phase: PhaseTime) -> PhaseTime:
    return replace(
        phase,
        started_at=max(at, phase.started_at),
        finished_at=phase.finished_at and max(at, phase.finished_at),
    )


def _anew(row: Row, code: str, message: str) -> Restart | None:
    """To be begun anew, once, if that is how such an end is met."""
    reason = REASONS.get(code)
    if reason is None:
        return None
    if reason.restart_once and not row.is_restart:
        return Restart(row.key, code, message)
    if reason.rescue_once and not row.is_rescue:
        return Restart(row.key, code, message, as_rescue=True)
    return None


def _plan_running(row: Row, seen: Observed | None, now: datetime) -> list[Action]:
    if seen is None:
        return [_gone(row)]
    if seen.state is RunState.EXITED:
        return [_anew(row, seen.failure_code, seen.failure_detail) or _exited(row, seen)]
    if seen.state is RunState.STOPPING and seen.failure_code:
        return [_being_ended(row, seen)]
    if (over := _life_over(row, now) or _idle_over(row)) is not None:
        return [over]
    actions: list[Action] = []
    if row.ending != NO_ENDING and seen.state is RunState.READY:
        actions.append(RecordEnding(row.key, *NO_ENDING))
    if seen.address and seen.address != row.address:
        actions.append(AdoptAddress(row.key, seen.address))
    return actions


def _gone(row: Row) -> Restart | Fail:
    code, message = row.ending
    if not message:
        code, message = "server_lost", "The notebook server is gone; it left no word why."
    return _anew(row, code, message) or Fail(row.key, code, message)


def _being_ended(row: Row, seen: Observed) -> RecordEnding | Fail:
    """Of one that is ended from outside: while the cause may still come, what is known is kept."""
    end = RecordEnding if seen.waits else Fail
    return end(row.key, seen.failure_code, seen.failure_detail)


def _exited(row: Row, seen: Observed) -> StopExited | Fail:
    if seen.exit_code == 0 and not seen.failure_code:
        return StopExited(row.key, seen.exit_code)
    return Fail(
        row.key,
        seen.failure_code or "server_crashed",
        seen.failure_detail or f"Jupyter ended by itself: {_ending(seen.exit_code)}.",
        seen.exit_code,
    )


def _owner_gone(row: Row, now: datetime) -> StopDue | None:
    """Of one whose owner has been disabled for longer than the grace period, in whatever state."""
    if row.owner_disabled_at is None or now - row.owner_disabled_at < row.disabled_grace:
        return None
    grace = span(row.disabled_grace.total_seconds())
    return StopDue(
        row.key,
        "owner_disabled",
        f"The owner's account was disabled, and has not been enabled within {grace}."
        if row.disabled_grace
        else "The owner's account was disabled.",
        owner_disabled_at=row.owner_disabled_at,
    )


def _life_over(row: Row, now: datetime) -> StopDue | None:
    if row.longest_life is None or row.ready_at is None or now - row.ready_at < row.longest_life:
        return None
    longest = span(row.longest_life.total_seconds())
    return StopDue(
        row.key, "lifetime_over", f"It ran for {longest}, the longest that its size allows."
    )


def _idle_over(row: Row) -> StopDue | None:
    """Of one whose server has said so after its time was over: without its word it goes on."""
    if row.idle_limit is None or row.probed_at is None:
        return None
    since = idle_since(row.ready_at, row.last_activity_at)
    if row.probed_at < since + row.idle_limit + SETTLED:
        return None
    limit = span(row.idle_limit.total_seconds())
    return StopDue(
        row.key,
        "idle_stop",
        f"Nothing happened in it for {limit}, the longest that its size allows.",
        idle_since=since,
    )


def _exited_at_start(row: Row, seen: Observed) -> Fail:
    return Fail(
        row.key,
        seen.failure_code or "server_exited",
        seen.failure_detail or f"Jupyter ended before it answered: {_ending(seen.exit_code)}.",
        seen.exit_code,
    )


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "it left no exit code"
    return f"exit code {exit_code}" if exit_code >= 0 else f"signal {-exit_code}"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"


def apply(action: Slow) -> None:
    """Do one thing that was planned and may take long. Guarded: it changes nothing if it is no
    longer due.
    """
    match action:
        case Launch(key):
            lifecycle.launch(key)
        case Fail(key, code, message, exit_code):
            lifecycle.fail(key, code=code, message=message, exit_code=exit_code)
        case TryOnceMore(key, code, message):
            lifecycle.try_once_more(key, code=code, message=message)
        case Restart(key, code, message, as_rescue):
            lifecycle.restart(key, code=code, message=message, as_rescue=as_rescue)
        case StopExited(key, exit_code):
            lifecycle.stop_exited(
                key,
                code="shut_down_inside",
                message="Jupyter was shut down from inside.",
                exit_code=exit_code,
            )
        case StopDue(key, code, message, since, disabled_at):
            lifecycle.stop_due(
                key, code=code, message=message, idle_since=since, owner_disabled_at=disabled_at
            )
        case Halt(key):
            lifecycle.halt(key)
        case Finish(key):
            lifecycle.finish(key)
        case Discard(key):
            lifecycle.discard(key)


def reconcile_session(key: RunKey) -> None:
    """Look at one run, and do what is due. Raises `BackendError` if it cannot be looked at."""
    observed_at = timezone.now()
    seen = backend().observe(key)
    if seen is None:
        holdings.release_ended([key.run_id])
    for action in _do_quick(_plan_runs({key: seen}, observed_at)):
        _try(action)


def reconcile(seen: Mapping[RunKey, Observed | None], *, observed_at: datetime) -> list[RunKey]:
    """Do what is due and quick about these runs, as they were seen; None: nothing is left of it.

    Returns those of which something else is due, each for a look of its own.
    """
    if gone := [key.run_id for key, observed in seen.items() if observed is None]:
        holdings.release_ended(gone)
        lifecycle.note_gone(gone)
    return _keys(_do_quick(_plan_runs(seen, observed_at)))


def reconcile_all() -> list[RunKey] | None:
    """Look at every active session and every run, and do what is due and quick.

    What the backend may take long over (to begin a run, to read a log) must not keep everybody
    else waiting: the runs with such are returned, each for a look of its own. One process at a
    time; returns None when another is at it. Raises `BackendError` if the backend cannot be
    looked at.
    """
    with try_lock(AdvisoryLock.RECONCILE) as held:
        if not held:
            return None
        observed_at = timezone.now()
        observed = backend().observe_all()
        rows = _rows(NotebookSession.objects.active())
        actions: list[Action] = plan(
            rows,
            observed,
            observed_at=observed_at,
            start_timeout=settings.START_TIMEOUT,
        )
        due = _keys(_do_quick(actions))
        holdings.settle({key.run_id for key in observed})
        for discard in _plan_unclaimed(
            observed.keys() - {row.key for row in rows}, now=observed_at
        ):
            _try(discard)
        return due


def settle_ledger() -> holdings.Drift:
    """Put the ledger right by every run and session. Raises `BackendError`."""
    return holdings.settle({key.run_id for key in backend().observe_all()})


def _plan_runs(seen: Mapping[RunKey, Observed | None], observed_at: datetime) -> list[Action]:
    sessions = NotebookSession.objects.active()
    return plan(
        _rows(sessions.filter(current_run__in=[key.run_id for key in seen])),
        {key: observed for key, observed in seen.items() if observed is not None},
        observed_at=observed_at,
        start_timeout=settings.START_TIMEOUT,
    )


def _do_quick(actions: Iterable[Action]) -> list[Slow]:
    """Do what the database alone is needed for; return what else is due."""
    begun: dict[RunKey, tuple[PhaseTime, ...]] = {}
    ready: dict[RunKey, Observed] = {}
    slow: list[Slow] = []
    for action in actions:
        match action:
            case RecordPhases(key, phases):
                begun[key] = phases
            case MarkRunning(key, observed):
                ready[key] = observed
            case RecordEnding(key, code, message):
                lifecycle.record_ending(key, code=code, message=message)
            case AdoptAddress(key, address):
                lifecycle.adopt_address(key, address)
            case Fail(key, code, message) | Restart(key, code, message):
                # Nothing may be left of the run when it is looked at again for this.
                lifecycle.record_ending(key, code=code, message=message)
                slow.append(action)
            case _:
                slow.append(action)
    if begun or ready:
        lifecycle.record_progress(begun, ready)
    return slow


def _keys(actions: Iterable[Slow]) -> list[RunKey]:
    return list(dict.fromkeys(action.key for action in actions))


def _plan_unclaimed(unclaimed: Collection[RunKey], *, now: datetime) -> list[Discard]:
    """Decide about what the backend has and no active session claims.

    A run that no active session needs goes at once, without a word: it is being ended. What has
    no row at all is for `orphans` to judge. What was adopted since the sessions were read is left
    alone.
    """
    ids = [key.run_id for key in unclaimed]
    active = NotebookSession.objects.active().filter(current_run=OuterRef("pk"))
    known = Run.objects.filter(pk__in=ids).values_list("pk", Exists(active)) if ids else ()
    is_needed = dict(known)
    due = [key for key in unclaimed if is_needed.get(key.run_id) is False]
    try:
        due += orphans.review([key for key in unclaimed if key.run_id not in is_needed], now=now)
    except BackendError as error:
        logger.warning("runs without a row are left alone: %s", error)
    return [Discard(key) for key in due]


def _rows(sessions: NotebookSessionQuerySet) -> list[Row]:
    found = sessions.exclude(current_run=None).values_list(
        "pk",
        "current_run_id",
        "status",
        "status_changed_at",
        "current_run__created_at",
        "current_run__address",
        "current_run__ending_code",
        "current_run__ending",
        "current_run__is_restart",
        "current_run__is_rescue",
        "current_run__phases",
        "current_run__ready_at",
        "last_activity_at",
        "current_run__longest_life_minutes",
        "current_run__idle_limit_minutes",
        "current_run__probed_at",
        "owner__disabled_at",
    )
    return [
        Row(
            key=RunKey(session_id, run_id),
            status=SessionStatus(status),
            status_changed_at=status_changed_at,
            created_at=created_at,
            address=address,
            ending=(ending_code, ending),
            is_restart=is_restart,
            is_rescue=is_rescue,
            # Of one that runs nobody asks how it came to.
            phases=frozenset(from_json(phases) if status == SessionStatus.STARTING else ()),
            ready_at=ready_at,
            last_activity_at=last_activity_at,
            longest_life=minutes(longest_life),
            idle_limit=minutes(idle_limit),
            probed_at=probed_at,
            owner_disabled_at=owner_disabled_at,
            disabled_grace=settings.DISABLED_GRACE,
        )
        for (
            session_id,
            run_id,
            status,
            status_changed_at,
            created_at,
            address,
            ending_code,
            ending,
            is_restart,
            is_rescue,
            phases,
            ready_at,
            last_activity_at,
            longest_life,
            idle_limit,
            probed_at,
            owner_disabled_at,
        ) in found
    ]


def _try(action: Slow) -> None:
    try:
        apply(action)
    except BackendError as error:
        # The next look meets it again.
        logger.warning("%s of run %s: %s", type(action).__name__, action.key.run_id, error)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        # A fault over one run must not keep all the others from being looked after.
        logger.exception("%s of run %s", type(action).__name__, action.key.run_id)
