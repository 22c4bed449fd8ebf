"""What may be asked of builds: that there be some, that one be tried again.

Each is short and makes no call to a builder; workers do the rest (`lifecycle`). It may be asked by
twenty at once: of one digest there is one build.
"""

from django.db import transaction
from django.utils import timezone

from audit.services import record
from environments import tasks
from environments.building import host
from environments.models import Build, EnvironmentVersion
from environments.states import BuildState
from submarine_site.core.queue import enqueue_on_commit


def ensure(version: EnvironmentVersion) -> list[Build]:
    """Return the builds of the version's kernels, in their order: those that are missing are made,
    those that were discarded are to be built again. Requires a transaction.
    """
    kernels = {kernel.digest(version.image): kernel for kernel in version.declared}
    Build.objects.bulk_create(
        [
            Build(digest=digest, kernel=kernel.as_json(), image=version.image)
            for digest, kernel in sorted(kernels.items())
        ],
        # A rival was first: it is the same build.
        ignore_conflicts=True,
    )
    wanted = Build.objects.filter(digest__in=kernels)
    # Whoever discards what is not used waits for these rows, or is waited for. In their order, so
    # that of two that want the same none waits for the other.
    list(wanted.order_by("pk").select_for_update())
    wanted.filter(state=BuildState.DISCARDED).queue()
    wanted.update(last_used_at=timezone.now())
    found = {build.digest: build for build in wanted}
    builds = [found[digest] for digest in kernels]
    version.builds.add(*builds)
    if any(build.state == BuildState.QUEUED for build in builds):
        enqueue_on_commit(tasks.advance.delay)
    return builds


def retry(build: Build) -> bool:
    """Have a failed build tried again; whether it had failed."""
    with transaction.atomic():
        queued = Build.objects.filter(pk=build.pk, state=BuildState.FAILED).queue()
        if queued:
            record("build.retried", build)
            enqueue_on_commit(tasks.advance.delay)
    return bool(queued)


def rebuild(build: Build) -> bool:
    """Have what was built looked for in the store, and built anew from its lock where it is not
    there; whether it will be.
    """
    queued = Build.objects.filter(pk=build.pk, state=BuildState.BUILT).queue()
    if queued:
        enqueue_on_commit(tasks.advance.delay)
    return bool(queued)


def discard(build: Build) -> bool:
    """Have what was built removed, unless somebody's session has it; whether it will be."""
    if build.digest in host().in_use():
        return False
    with transaction.atomic():
        discarded = Build.objects.filter(pk=build.pk).transition(BuildState.DISCARDED)
        if discarded:
            record("build.discarded", build)
            enqueue_on_commit(tasks.advance.delay)
    return bool(discarded)
