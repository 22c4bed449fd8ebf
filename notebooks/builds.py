"""What sessions give to builds, which know nothing of them."""

from django.db.models import Q

from environments.building import Host
from environments.models import Build
from notebooks import tasks
from notebooks.wiring import builder


def in_use() -> set[str]:
    """The digests of what a session has that is not deleted, or a run that has not ended."""
    of_sessions = Q(versions__sessions__isnull=False, versions__sessions__deleted_at=None)
    of_runs = Q(runs__isnull=False, runs__ended_at=None)
    return set(Build.objects.filter(of_sessions | of_runs).values_list("digest", flat=True))


HOST = Host(builder=builder, in_use=in_use, on_end=tasks.ask_to_launch)
