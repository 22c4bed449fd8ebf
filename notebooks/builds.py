"""What sessions give to builds, which know nothing of them."""

from django.db.models import Q

from environments.building import Host
from environments.models import Build
from notebooks import orphans, tasks
from notebooks.wiring import builder


def in_use() -> set[str]:
    """The digests of what a session has that is not deleted, a run that has not ended, or a run
    that the database lacks.
    """
    of_sessions = Q(versions__sessions__isnull=False, versions__sessions__deleted_at=None)
    of_runs = Q(runs__isnull=False, runs__ended_at=None)
    known = Build.objects.filter(of_sessions | of_runs).values_list("digest", flat=True)
    return {*known, *orphans.kernel_digests()}


HOST = Host(builder=builder, in_use=in_use, on_end=tasks.ask_to_launch)
