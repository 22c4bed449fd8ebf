"""How a run begins: what it is started with is frozen, so that no later edit changes it."""

from django.db.models import Max
from django.utils import timezone

from notebooks.backends.contract import Phase
from notebooks.models import NotebookSession, Run, RunPhase


def new_run(session: NotebookSession, *, is_restart: bool = False) -> Run:
    """Make the session's next run. Requires the session's row to be held by this transaction."""
    last = session.runs.aggregate(last=Max("number"))["last"] or 0
    now = timezone.now()
    run = Run.objects.create(
        session=session,
        number=last + 1,
        is_restart=is_restart,
        profile_name=session.profile.display_name,
        cpu_milli=session.profile.cpu_milli,
        memory_mib=session.profile.memory_mib,
        gpus=session.profile.gpus,
        placement=session.profile.placement.as_json(),
        environment_name=session.environment.display_name,
        image=session.environment.image,
        created_at=now,
    )
    RunPhase.objects.create(run=run, phase=Phase.QUEUED, started_at=now)
    return run
