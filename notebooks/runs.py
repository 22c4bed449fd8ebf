"""How a run begins: what it is started with is frozen, so that no later edit changes it."""

from django.db.models import Max
from django.utils import timezone

from environments import builds
from environments.states import UNFINISHED
from notebooks.models import NotebookSession, Run


def first_run(session: NotebookSession) -> Run:
    """Save a new session with its first run, as its current one."""
    run = _frozen(session, number=1)
    session.current_run = run
    # They refer to each other, which the database checks when it commits.
    session.save(force_insert=True)
    return _saved(run)


def next_run(session: NotebookSession, *, is_restart: bool = False) -> Run:
    """Make a session's next run. Requires the session's row to be held by this transaction."""
    last: int = session.runs.aggregate(last=Max("number"))["last"]
    return _saved(_frozen(session, number=last + 1, is_restart=is_restart))


def _saved(run: Run) -> Run:
    needed = builds.ensure(run.session.environment_version) if run.kernels else []
    if any(build.state in UNFINISHED for build in needed):
        run.held_up = "Waiting for the environment to be built."
    run.save(force_insert=True)
    if needed:
        run.builds.set(needed)
    return run


def _frozen(session: NotebookSession, *, number: int, is_restart: bool = False) -> Run:
    version = session.environment_version
    return Run(
        session=session,
        number=number,
        is_restart=is_restart,
        profile_name=session.profile.display_name,
        cpu_milli=session.profile.cpu_milli,
        memory_mib=session.profile.memory_mib,
        gpus=session.profile.gpus,
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
