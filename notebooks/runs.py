"""How a run begins: what it is started with is frozen, so that no later edit changes it."""

from dataclasses import asdict

from django.db.models import Max
from django.utils import timezone

from accounts.models import User
from audit.services import entry
from environments import builds
from environments.models import Build
from environments.states import UNFINISHED
from notebooks import holdings
from notebooks.backends.contract import CodeOutcome, CodeStatus
from notebooks.models import NotebookSession, Run, SessionEvent
from notebooks.setup import Setup
from notebooks.states import SessionStatus
from submarine_site.core.live import announce
from submarine_site.core.together import insert_together

_IN_RESCUE = CodeOutcome(
    status=CodeStatus.FAILED,
    code="code_not_in_rescue",
    message="In rescue no code is fetched.",
)


def first_run(session: NotebookSession, *, actor: User, charge_to: str = "") -> Run:
    """Save a new session with its first run, as its current one, what they hold, and that it was
    created. Requires a transaction. Raises as `holdings.hold` does.
    """
    run = _frozen(session, number=1)
    session.current_run = run
    needed = _needed(run)
    created = SessionEvent(
        session=session,
        run=run,
        to_status=SessionStatus.REQUESTED,
        message="Created.",
        actor=actor,
    )
    held = holdings.hold(session, run, charge_to=charge_to)
    audited = entry(
        "session.created",
        session,
        actor=actor,
        after={"profile": run.profile_name, "environment": run.environment_name},
    )
    # They refer to each other, which the database checks when it commits.
    insert_together(session, run, created, held, audited)
    if needed:
        run.builds.set(needed)
    announce(session.owner_id, str(session.pk))
    return run


def next_run(
    session: NotebookSession,
    *,
    instead_of: Run | None = None,
    is_restart: bool = False,
    is_rescue: bool = False,
    charge_to: str = "",
) -> Run:
    """Make a session's next run, and have it hold what it needs. Requires the session's row to be
    held by this transaction, and its volumes too unless the run is begun `instead_of` one that had
    them: then it holds as much as that one, unasked. Raises as `holdings.hold` does.
    """
    last: int = session.runs.aggregate(last=Max("number"))["last"]
    run = _frozen(session, number=last + 1)
    if instead_of is not None:
        # What the session has by now is for a start that its user asks for.
        run.setup = instead_of.setup
    run.is_restart = is_restart
    run.is_rescue = is_rescue
    if is_rescue:
        run.code_outcomes = [asdict(_IN_RESCUE) for _ in Setup.from_json(run.setup).code]
    needed = _needed(run)
    if instead_of is None:
        holdings.hold(session, run, charge_to=charge_to).save(force_insert=True)
    else:
        holdings.carry_over(session, run)
    run.save(force_insert=True)
    run.builds.set(needed)
    return run


def _needed(run: Run) -> list[Build]:
    """What has to be built before the run can begin, which says so if it has to wait for it."""
    needed = builds.ensure(run.session.environment_version) if run.kernels else []
    if any(build.state in UNFINISHED for build in needed):
        run.held_up = "Waiting for the environment to be built."
    return needed


def _frozen(session: NotebookSession, *, number: int) -> Run:
    version = session.environment_version
    return Run(
        session=session,
        number=number,
        profile_name=session.profile.display_name,
        cpu_milli=session.profile.cpu_milli,
        memory_mib=session.profile.memory_mib,
        gpus=session.profile.gpus,
        accelerator=session.profile.accelerator,
        longest_life_minutes=session.profile.longest_life_minutes,
        idle_limit_minutes=session.profile.idle_limit_minutes,
        placement=session.profile.placement.as_json(),
        environment_name=version.environment.display_name,
        environment_number=version.number,
        image=version.image,
        kernels=[
            {"digest": kernel.digest(version.image), "name": kernel.name}
            for kernel in version.declared
        ],
        setup=session.setup,
        created_at=timezone.now(),
    )
