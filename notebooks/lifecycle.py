"""What a worker does to a session: begin a run, record what was seen of it, end it.

Each function claims by a guarded transition, calls the backend outside any transaction and
records the outcome, so each may run twice, beside itself, or die at any line: what it left is
seen and mended by the reconciler.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from psycopg.types.json import Jsonb

from audit.services import record
from environments.models import Build
from environments.states import UNFINISHED, BuildState
from notebooks import holdings, inside, picked_secrets, picked_volumes
from notebooks.addresses import base_path
from notebooks.adoption import record_of
from notebooks.backends.contract import (
    CodeOutcome,
    CodeStatus,
    KernelMount,
    Observed,
    PhaseTime,
    RunKey,
    SessionSpec,
)
from notebooks.code_access import git_access
from notebooks.credentials import jupyter_token
from notebooks.failures import REASONS
from notebooks.lifetimes import Signal
from notebooks.models import NotebookSession, Run
from notebooks.phases import MAX_DETAIL, as_json
from notebooks.picked_secrets import NOTHING_GIVEN, Given, Withheld
from notebooks.picked_volumes import Storage
from notebooks.querysets import MAX_MESSAGE
from notebooks.runs import next_run
from notebooks.setup import Setup
from notebooks.states import LAUNCHED, SessionStatus
from notebooks.wiring import backend
from submarine_site.core.live import announce, announce_all
from submarine_site.core.locks import AdvisoryLock, try_locks
from submarine_site.core.outside import BackendError, BackendRefused, BackendUnavailable
from submarine_site.core.placement import Placement
from volumes.contract import VolumeSpec

logger = logging.getLogger(__name__)

MOST_INTERRUPTIONS = 3
"""How often a start is begun again that something outside the service removes."""

AT_ONCE = 8
"""How many runs one worker begins at the same time."""

LOG_TAIL_LINES = 50
LOG_TAIL_CHARACTERS = 64 * 1024
"""Lines may be of any length, and the tail goes into a row and through Redis."""

# Held in one order everywhere: two that write the same rows must not wait for each other.
_RECORD = """
WITH news AS (
    SELECT run.id, session.id AS session_id, session.owner_id,
        seen.phases, seen.address, seen.ready_at
    FROM unnest(%s::uuid[], %s::jsonb[], %s::text[], %s::timestamptz[])
        AS seen (id, phases, address, ready_at)
    JOIN notebooks_run AS run ON run.id = seen.id
    JOIN notebooks_notebooksession AS session ON session.id = run.session_id
    WHERE run.ended_at IS NULL
    ORDER BY run.id FOR NO KEY UPDATE OF run
)
UPDATE notebooks_run AS run
SET phases = CASE
        WHEN news.ready_at IS NULL THEN run.phases || news.phases
        -- Nothing is waited for any more. A look without events shows no phases that would say so.
        ELSE COALESCE((
            SELECT jsonb_object_agg(phase.key, phase.value - 'detail')
            FROM jsonb_each(run.phases || news.phases) AS phase
        ), '{}')
    END,
    address = COALESCE(news.address, run.address),
    ready_at = COALESCE(news.ready_at, run.ready_at)
FROM news WHERE run.id = news.id
RETURNING news.session_id, news.owner_id
"""


_NO_WORD = CodeOutcome(
    status=CodeStatus.FAILED,
    code="code_failed",
    message="What fetches code ended without a word.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """A run to be begun, once these volumes are made."""

    spec: SessionSpec
    to_make: tuple[VolumeSpec, ...]


def _spec(session: NotebookSession, run: Run, given: Given, storage: Storage) -> SessionSpec:
    setup = Setup.from_json(run.setup)
    # There may be no room for it.
    code = () if run.is_rescue else setup.code
    own_variables = inside.variables_of(session)
    return SessionSpec(
        key=run.key,
        display_name=session.name,
        owner=session.owner.get_username(),
        image=run.image,
        resources=run.resources,
        base_url=base_path(session.pk),
        token=jupyter_token(run.pk),
        home=storage.home,
        mounts=storage.mounts,
        beside=storage.beside,
        is_rescue=run.is_rescue,
        placement=Placement.from_json(run.placement),
        kernels=tuple(KernelMount(**kernel) for kernel in run.kernels),
        code=code,
        git_access=git_access(session.owner, code),
        variables={
            # What is secret by now is not plain, whatever it was when it was chosen.
            **{k: v for k, v in setup.variables.items() if k not in given.variables},
            **own_variables,
        },
        secrets={
            **{k: v for k, v in given.variables.items() if k not in own_variables},
            **inside.secrets_of(run),
        },
        secret_files=given.files,
        record=record_of(session, run),
    )


def requested(*, limit: int) -> list[RunKey]:
    """Return the runs that can be begun, those first that have waited longest: not those whose
    environment is still being built, nor those that are about to end with their owner's account.
    """
    waiting = (
        NotebookSession.objects.filter(status=SessionStatus.REQUESTED)
        .exclude(current_run__builds__state__in=sorted(UNFINISHED))
        .exclude(owner__disabled_at__lte=timezone.now() - settings.DISABLED_GRACE)
    )
    rows = waiting.order_by("status_changed_at").values_list("pk", "current_run__pk")
    return [RunKey(session_id, run_id) for session_id, run_id in rows[:limit]]


def launch(*keys: RunKey) -> int:
    """Begin runs, at the same time; returns how many had not been begun before.

    Requires the sessions to be requested, or starting with nothing of them in the backend (the
    worker that claimed them died); leaves them starting, or failed when the backend refuses. While
    the backend is away they say so, and the reconciler tries again.
    """
    with try_locks(AdvisoryLock.SESSION, [key.session_id for key in keys]) as held:
        # At the others another worker is: it looks whether they are still wanted when it is done.
        return _launch([key.run_id for key in keys if key.session_id in held])


def _launch(run_ids: Collection[UUID]) -> int:
    if not run_ids:
        return 0
    moved = NotebookSession.objects.transition_runs(run_ids, SessionStatus.STARTING)
    current = NotebookSession.objects.filter(current_run__in=run_ids)
    starting = current.filter(status=SessionStatus.STARTING).select_related(
        "owner", "current_run", "profile", "environment_version__environment__owner"
    )
    sessions = {session.current_run: session for session in starting if session.current_run}
    unbuilt = _fail_unbuilt(list(sessions))
    free = [
        session
        for run, session in sessions.items()
        if run.pk not in unbuilt
        and not (run.is_restart and _is_behind_the_lost(run))
        and (session.pk in moved or _may_begin_anew(session, run))
    ]
    starts = _starts(free, moved)
    errors = _begin_all(starts)
    # Whoever watches the backend may have seen one ready before `start` has returned.
    wanted = set(current.filter(status__in=sorted(LAUNCHED)).values_list("current_run", flat=True))
    for start, error in zip(starts, errors, strict=True):
        key = start.spec.key
        if key.run_id not in wanted:
            # It was stopped while the backend was at work: that stop may have found nothing.
            _halt_later(key)
        elif isinstance(error, BackendRefused):
            fail(key, code=error.code, message=error.message)
        elif error is not None:
            logger.warning("run %s was not begun: %s", key.run_id, error)
            hold_up(key, "What runs the sessions does not answer. It is tried again.")
    return len(moved)


def _may_begin_anew(session: NotebookSession, run: Run) -> bool:
    """Whether a run that was claimed before is to be begun. Notes it if something had come to be
    of it, which somebody removed; fails the run if that goes on.
    """
    if not run.phases and not run.ending_code:
        # The worker that claimed it died before.
        return True
    try:
        if backend().observe(run.key) is not None:
            # Another worker has begun it anew.
            return False
    except BackendError as error:
        logger.warning("run %s cannot be looked at: %s", run.pk, error)
        return False
    before = session.events.filter(run=run, code="start_interrupted").count()
    if before >= MOST_INTERRUPTIONS:
        fail(
            run.key,
            code="server_lost",
            message=f"The session's start was removed {before + 1} times by something other than "
            "this service.",
        )
        return False
    with transaction.atomic():
        # What was seen of it is over: its steps begin again.
        Run.objects.filter(pk=run.pk).update(phases={}, ending_code="", ending="")
        NotebookSession.objects.note(
            session,
            "It was removed while it started, and not by this service. It is begun again.",
            code="start_interrupted",
        )
    return True


def _fail_unbuilt(runs: Sequence[Run]) -> set[UUID]:
    """Fail the runs whose environment could not be built; which those are."""
    declared = [run for run in runs if run.kernels]
    if not declared:
        return set()
    failed = Build.objects.filter(runs__in=declared, state=BuildState.FAILED)
    causes = dict(failed.values_list("runs", "error"))
    for run in declared:
        if run.pk in causes:
            fail(run.key, code="environment_build_failed", message=causes[run.pk])
    return set(causes)


def _starts(sessions: Sequence[NotebookSession], moved: Collection[UUID]) -> list[_Start]:
    """What their runs are begun by; those that cannot have their secrets or volumes fail."""
    disclosed = picked_secrets.give(sessions)
    stores = picked_volumes.give(sessions)
    starts = []
    for session in sessions:
        run = session.current_run
        assert run is not None
        given = disclosed.get(session.pk, NOTHING_GIVEN)
        storage = stores[session.pk]
        if isinstance(given, Withheld):
            fail(run.key, code=given.code, message=given.message)
        elif isinstance(storage, Withheld):
            fail(run.key, code=storage.code, message=storage.message)
        else:
            if session.pk in moved:
                _note_secrets(session, given)
            spec = _spec(session, run, given, storage)
            starts.append(_Start(spec=spec, to_make=storage.to_make))
    return starts


def _note_secrets(session: NotebookSession, given: Given) -> None:
    if given.names:
        NotebookSession.objects.note(session, f"Given the secrets: {', '.join(given.names)}.")
    if given.missing:
        NotebookSession.objects.note(
            session,
            f"Started without secrets that are no longer stored: {', '.join(given.missing)}.",
            code="secret_missing",
        )


def _begin_all(starts: Sequence[_Start]) -> list[BackendError | None]:
    """Ask the backend to begin them; what each met with."""
    if len(starts) == 1:
        return [_begin(starts[0])]
    # A backend takes its time over each, most of it waiting.
    begun = [_threads().submit(_begin, start) for start in starts]
    try:
        return [each.result() for each in begun]
    finally:
        # Whoever is told that time is up may not leave while one still makes something.
        wait(begun)


@cache
def _threads() -> ThreadPoolExecutor:
    """Kept: to make and end them for each batch costs as much as what they are made for."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="begin")


def _begin(start: _Start) -> BackendError | None:
    try:
        for volume in start.to_make:
            backend().ensure_volume(volume)
        backend().start(start.spec)
    except BackendError as error:
        return error
    return None


def _halt_later(key: RunKey) -> None:
    try:
        _halt(key)
    except BackendError as error:
        logger.warning("run %s is left for the next look: %s", key.run_id, error)


def try_once_more(key: RunKey, *, code: str, message: str) -> None:
    """Begin a run of which nothing has come to be for long, and give it up if nothing does now."""
    launch(key)
    if backend().observe(key) is None:
        fail(key, code=code, message=message)


def _is_behind_the_lost(run: Run) -> bool:
    """Whether the run whose place this one takes may still write to the same home."""
    lost = Run.objects.get(session_id=run.session_id, number=run.number - 1)
    try:
        if backend().observe(lost.key) is None:
            return False
    except BackendError as error:
        logger.warning("run %s cannot be looked at: %s", lost.pk, error)
    hold_up(run.key, "Waiting until what was lost is gone.")
    return True


def halt(key: RunKey) -> None:
    """End a run, and record it as stopped once nothing of it is left.

    Requires the session to be stopping, or this run to be wanted no more, and else does nothing;
    leaves it stopping or stopped. Raises `BackendUnavailable` also while another worker is at the
    same session.
    """
    with try_locks(AdvisoryLock.SESSION, [key.session_id]) as held:
        if not held:
            # Perhaps it is being launched: what is not there yet cannot be ended.
            raise BackendUnavailable("Another worker is at this session.")
        # The queue may hold messages that the service did not write: what is true is in the row.
        wanted = NotebookSession.objects.filter(current_run=key.run_id, status__in=LAUNCHED)
        if wanted.exists():
            logger.warning("run %s is not to be stopped", key.run_id)
            return
        _halt(key)


def _halt(key: RunKey) -> None:
    without_tail = Run.objects.filter(pk=key.run_id, log_tail="")
    if without_tail.exists():
        without_tail.update(log_tail=log_tail(key))
    backend().stop(key)
    if backend().observe(key) is None:
        _finish(key)


def finish(key: RunKey) -> None:
    """Record that a run is gone; of a deleted session, remove the logs as well. Volumes stay.

    Requires the session to be stopping and nothing of its run to be left; leaves it stopped, or as
    it is while another worker is at it.
    """
    with try_locks(AdvisoryLock.SESSION, [key.session_id]) as held:
        # Again, under the lock: one that was being launched is there by now.
        if held and backend().observe(key) is None:
            _finish(key)


def _finish(key: RunKey) -> None:
    session = NotebookSession.objects.filter(pk=key.session_id, current_run_id=key.run_id).first()
    if session is None:
        return
    if session.deleted_at is not None:
        backend().forget(session.pk)
    with transaction.atomic():
        # One that is deleted between the look and here is left for the next look, which removes
        # its logs.
        moved = NotebookSession.objects.filter(deleted_at=session.deleted_at).transition(
            session.pk,
            SessionStatus.STOPPED,
            run_id=key.run_id,
            # Why it was stopped stays the reason for which it is stopped.
            code=session.reason_code,
            message=session.reason,
        )
        if moved:
            _end_run(key)
            holdings.release([key.run_id])


def hold_up(key: RunKey, why: str) -> None:
    """Say why a run is still queued. Requires the session to be starting."""
    Run.objects.filter(pk=key.run_id, ended_at=None).update(held_up=why[:MAX_DETAIL])
    _announce(key.session_id)


def record_progress(
    begun: Mapping[RunKey, Iterable[PhaseTime]], ready: Mapping[RunKey, Observed]
) -> None:
    """Keep the times of launches' phases as the backend saw them, and that these servers have
    answered; together, so that whoever reads that a session runs reads how it came to.

    Of runs that have ended nothing is kept: their phases are over.
    """
    now = timezone.now()
    with transaction.atomic():
        running = NotebookSession.objects.transition_runs(
            [key.run_id for key in ready],
            SessionStatus.RUNNING,
            # From here on idleness counts, never from what an earlier run left behind.
            last_activity_at=now,
            last_activity_signal=Signal.START.value,
        )
        answered = {key.run_id: seen for key, seen in ready.items() if key.session_id in running}
        news = [
            (
                key.run_id,
                Jsonb(as_json(begun.get(key, ()))),
                seen.address if (seen := answered.get(key.run_id)) else None,
                now if key.run_id in answered else None,
            )
            for key in {**begun, **ready}
        ]
        with connection.cursor() as cursor:
            cursor.execute(_RECORD, [list(column) for column in zip(*news, strict=True)])
            changed = cursor.fetchall()
        _record_code({pk: seen.code for pk, seen in answered.items() if seen.code is not None})
        announce_all((owner_id, str(session_id)) for session_id, owner_id in changed)


def _record_code(seen: Mapping[UUID, Sequence[CodeOutcome]]) -> None:
    """Keep what came of the code of these runs, and note what they started without."""
    if not seen:
        return
    for run in Run.objects.filter(pk__in=seen).select_related("session"):
        sources = Setup.from_json(run.setup).code
        # What fetches code may have been ended before it said anything.
        known = [*seen[run.pk], *[_NO_WORD] * len(sources)][: len(sources)]
        run.code_outcomes = [asdict(outcome) for outcome in known]
        run.save(update_fields=["code_outcomes"])
        for source, outcome in zip(sources, known, strict=True):
            if outcome.status is CodeStatus.FAILED:
                NotebookSession.objects.note(
                    run.session,
                    f"Started without {source.url}: {outcome.message}",
                    code=outcome.code,
                )


def record_ending(key: RunKey, *, code: str, message: str) -> None:
    """Keep why a run is being ended; empty: it is not, after all."""
    ending = {"ending_code": code, "ending": message[:MAX_MESSAGE]}
    Run.objects.filter(pk=key.run_id, ended_at=None).exclude(**ending).update(**ending)


def note_gone(run_ids: Collection[UUID]) -> None:
    """Keep of runs that were there and are gone that they had begun: of one that is starting it
    may be that nothing was seen but this.
    """
    Run.objects.filter(
        pk__in=run_ids,
        ended_at=None,
        ending_code="",
        session__status=SessionStatus.STARTING,
    ).update(ending_code="server_lost")


def adopt_address(key: RunKey, address: str) -> None:
    """Record that a running server is reached elsewhere than before."""
    Run.objects.filter(pk=key.run_id, ended_at=None).update(address=address)


def stop_exited(key: RunKey, *, code: str, message: str, exit_code: int | None) -> None:
    """Record that a server ended as it was told to from inside; what is left of it goes too.

    Requires the session to be running; leaves it stopping.
    """
    with transaction.atomic():
        moved = NotebookSession.objects.transition(
            key.session_id,
            SessionStatus.STOPPING,
            run_id=key.run_id,
            code=code,
            message=message,
        )
        if moved:
            Run.objects.filter(pk=key.run_id).update(exit_code=exit_code)
            _record("session.stopped", key, code)
    if moved:
        halt(key)


def stop_due(
    key: RunKey,
    *,
    code: str,
    message: str,
    idle_since: datetime | None = None,
    owner_disabled_at: datetime | None = None,
) -> None:
    """Stop a run whose time is over; one that has been idle, unless something happened since; one
    whose owner's account was disabled, unless it has been enabled since.

    Requires the session to be requested, starting or running; leaves it stopping or stopped.
    """
    sessions = NotebookSession.objects.all()
    if owner_disabled_at is not None:
        sessions = sessions.filter(owner__disabled_at=owner_disabled_at)
    if idle_since is not None:
        sessions = sessions.exclude(last_activity_at__gt=idle_since)
    with transaction.atomic():
        moved = sessions.transition(
            key.session_id, SessionStatus.STOPPING, run_id=key.run_id, code=code, message=message
        )
        if moved:
            _record("session.stopped", key, code)
    if moved:
        halt(key)


def fail(key: RunKey, *, code: str, message: str, exit_code: int | None = None) -> None:
    """Record that a run failed and why, with the last lines of its log; the first cause wins.

    Requires the session to be starting or running; leaves it failed.
    """
    tail = log_tail(key)
    with transaction.atomic():
        moved = NotebookSession.objects.transition(
            key.session_id,
            SessionStatus.FAILED,
            run_id=key.run_id,
            code=code,
            message=message,
        )
        if moved:
            _end_run(key, exit_code=exit_code, log_tail=tail)
            if code in REASONS and REASONS[code].is_of_start:
                _note_unproven(key)
            _record("session.failed", key, code)
    if moved:
        discard(key)
        _release_if_gone(key)


def _note_unproven(key: RunKey) -> None:
    """Note if the image of a run has not started any session yet."""
    ready = Run.objects.filter(image=OuterRef("image"), ready_at__isnull=False)
    Run.objects.filter(~Exists(ready), pk=key.run_id).update(is_unproven=True)


def restart(key: RunKey, *, code: str, message: str, as_rescue: bool = False) -> None:
    """Begin a run anew in the place of one that was lost through no fault of its own; or, as a
    rescue, of one that its home kept from starting. What was a rescue is one again.

    Requires the session to be starting or running; leaves it starting, by way of failed.
    """
    tail = log_tail(key)
    successor: Run | None = None
    with transaction.atomic():
        session = NotebookSession.objects.select_for_update().get(pk=key.session_id)
        failed = NotebookSession.objects.transition(
            session.pk, SessionStatus.FAILED, run_id=key.run_id, code=code, message=message
        )
        if failed:
            _end_run(key, log_tail=tail)
            ended = Run.objects.get(pk=key.run_id)
            successor = next_run(
                session,
                instead_of=ended,
                is_restart=ended.is_restart or not as_rescue,
                is_rescue=ended.is_rescue or as_rescue,
            )
            then = "It is started in rescue." if as_rescue else "It is started again."
            NotebookSession.objects.transition(
                session.pk,
                SessionStatus.REQUESTED,
                code=code,
                message=f"{message} {then}",
                current_run_id=successor.pk,
            )
            _record("session.restarted", key, code)
    if successor is not None:
        discard(key)
        launch(successor.key)


def _release_if_gone(key: RunKey) -> None:
    """Give back at once what a run held that ended, if the backend can say that it is gone."""
    try:
        if backend().observe(key) is None:
            holdings.release_ended([key.run_id])
    except BackendError as error:
        logger.warning("run %s is left for the next look: %s", key.run_id, error)


def discard(key: RunKey) -> None:
    """Remove what is in the backend of a run that no session needs."""
    try:
        backend().stop(key)
    except BackendError as error:
        logger.warning("run %s is left for the next look: %s", key.run_id, error)


def log_tail(key: RunKey, *, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a run's log; empty where there is none or it cannot be read."""
    try:
        # PostgreSQL's text cannot hold a NUL.
        return backend().logs(key, lines=lines).replace("\0", "")[-LOG_TAIL_CHARACTERS:]
    except BackendError as error:
        logger.warning("no log of run %s: %s", key.run_id, error)
        return ""


def _end_run(key: RunKey, **values: int | str | None) -> None:
    now = timezone.now()
    Run.objects.filter(pk=key.run_id, ended_at=None).update(ended_at=now, address="", **values)


def _record(action: str, key: RunKey, code: str) -> None:
    """Put into the audit log what the service does to a session by itself, and why."""
    session = NotebookSession.objects.select_related("owner").get(pk=key.session_id)
    record(action, session, after={"code": code})


def _announce(session_id: UUID) -> None:
    owner_id = NotebookSession.objects.values_list("owner_id", flat=True).get(pk=session_id)
    announce(owner_id, str(session_id))
