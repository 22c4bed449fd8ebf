"""What a worker does to builds: begin, look, record, discard.

Level-triggered: each look takes every build a step further by what is seen of it, so that a lost
message, a killed worker or a killed build costs a look. One process at a time is at it.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from environments.building import BuildProgress, BuildSeen, BuildSpec, host
from environments.kernels import Kernel
from environments.models import Build, Environment
from environments.packages import addressed_spec, channel_address
from environments.states import UNFINISHED, BuildQuerySet, BuildState
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.outside import BackendError, BackendRefused

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""How many are built at the same time; others wait in the queue."""

AT_ONCE_EACH = 2
"""How many of these may be for one user's environments alone: nobody keeps all others waiting."""

MAX_LOSSES = 3
"""How often an attempt may end without a word why before the build is given up."""

LOG_LINES = 500
LOG_CHARACTERS = 64 * 1024
"""Of a log that is kept: lines may be of any length."""

MAX_ERROR = 500


def advance() -> None:
    """Take every unfinished build a step further, and remove what was discarded."""
    with try_lock(AdvisoryLock.BUILDS) as held:
        if not held:
            return
        building = list(Build.objects.filter(state=BuildState.BUILDING))
        # All of them: one that has ended must not be passed over because another one did.
        ended = [_step(build) for build in (*building, *_next(building))]
        for build in Build.objects.filter(state=BuildState.DISCARDED, size_bytes__isnull=False):
            _remove(build)
    if any(ended):
        host().on_end()


def _next(building: Sequence[Build]) -> QuerySet[Build]:
    """Those to begin while these are built: those first that have waited longest, and none whose
    owner has enough of them.
    """
    owners = _owners()
    busy = Counter(owner for build in building for owner in owners[build.pk])
    chosen: list[int] = []
    queued = Build.objects.filter(state=BuildState.QUEUED).order_by("created_at")
    for pk in queued.values_list("pk", flat=True):
        if len(building) + len(chosen) >= AT_ONCE:
            break
        if any(owner is None or busy[owner] < AT_ONCE_EACH for owner in owners[pk]):
            busy.update(owners[pk])
            chosen.append(pk)
    return Build.objects.filter(pk__in=chosen).order_by("created_at")


def _owners() -> Mapping[int, Collection[int | None]]:
    """Whose environments each unfinished build is for; None: the site's."""
    found: defaultdict[int, set[int | None]] = defaultdict(set)
    unfinished = Build.objects.filter(state__in=sorted(UNFINISHED))
    for pk, owner in unfinished.values_list("pk", "versions__environment__owner"):
        found[pk].add(owner)
    return found


def discard_unused() -> None:
    """Discard what was built and nobody has used for long, nor could use without being asked."""
    old = Q(state=BuildState.BUILT, last_used_at__lt=timezone.now() - settings.BUILDS_KEPT)
    offered = Environment.objects.filter(newest__builds=OuterRef("pk"))
    unused = Build.objects.filter(old).exclude(Exists(offered)).exclude(digest__in=host().in_use())
    # On condition that it is still so: whoever begins to use one says so first.
    rows = Build.objects.filter(old, pk__in=list(unused.values_list("pk", flat=True)))
    if rows.transition(BuildState.DISCARDED):
        advance()


def _step(build: Build) -> bool:
    """Do what is due; whether the build has ended by it."""
    try:
        return _looked_at(build)
    except BackendRefused as refusal:
        return _fail(build, refusal.code, refusal.message)
    except BackendError as error:
        # The next look meets it again.
        logger.warning("build %s: %s", build, error)
        return False
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        # A fault over one build must not keep all the others from being looked after.
        logger.exception("build %s", build)
        return False


def _looked_at(build: Build) -> bool:
    builder = host().builder()
    if build.state == BuildState.QUEUED:
        _this(build).transition(BuildState.BUILDING, started_at=timezone.now())
    seen = builder.observe(build.digest, build.attempt)
    if seen is None:
        builder.begin(_spec(build))
        return False
    _keep_log(build)
    match seen.progress:
        case BuildProgress.UNDER_WAY:
            return False
        case BuildProgress.LOST:
            return _lost(build)
        case BuildProgress.BUILT | BuildProgress.FAILED:
            return _record(build, seen)


def _record(build: Build, seen: BuildSeen) -> bool:
    assert seen.outcome is not None
    if seen.progress is BuildProgress.FAILED:
        ended = _fail(build, seen.outcome.code, seen.outcome.message)
    else:
        ended = bool(
            _this(build).transition(
                BuildState.BUILT,
                finished_at=timezone.now(),
                size_bytes=seen.outcome.size_bytes,
                lock=seen.outcome.lock,
            )
        )
    _clear(build)
    return ended


def _lost(build: Build) -> bool:
    """Try once more, as a new attempt; or give it up."""
    if build.losses + 1 >= MAX_LOSSES:
        _clear(build)
        return _fail(
            build,
            "build_failed",
            f"The build was ended from outside {MAX_LOSSES} times, the last time without a word.",
        )
    _this(build).update(attempt=F("attempt") + 1, losses=F("losses") + 1)
    build.refresh_from_db(fields=["attempt", "losses"])
    host().builder().begin(_spec(build))
    return False


def _fail(build: Build, code: str, message: str) -> bool:
    return bool(
        _this(build).transition(
            BuildState.FAILED,
            finished_at=timezone.now(),
            error_code=code,
            error=message.replace("\0", "")[:MAX_ERROR],
        )
    )


def _keep_log(build: Build) -> None:
    """Keep what it has said so far: whoever follows it reads the row."""
    said = host().builder().log(build.digest, build.attempt, lines=LOG_LINES)
    # PostgreSQL's text cannot hold a NUL.
    tail = said.replace("\0", "")[-LOG_CHARACTERS:]
    if tail and tail != build.log_tail:
        _this(build).update(log_tail=tail)


def _clear(build: Build) -> None:
    """Remove what an attempt that has ended has left; the next one does it else."""
    try:
        host().builder().clear(build.digest)
    except BackendError as error:
        logger.warning("build %s is not cleared: %s", build, error)


def _remove(build: Build) -> None:
    try:
        host().builder().discard(build.digest, image=build.image)
    except BackendError as error:
        logger.warning("build %s is not removed yet: %s", build, error)
        return
    Build.objects.filter(pk=build.pk, state=BuildState.DISCARDED).update(size_bytes=None)


def _this(build: Build) -> BuildQuerySet:
    """The build, for as long as it is at the attempt that was looked at."""
    return Build.objects.filter(pk=build.pk, attempt=build.attempt)


def _spec(build: Build) -> BuildSpec:
    kernel = Kernel.from_json(build.kernel)
    allowed = settings.ENVIRONMENTS_CHANNELS
    return BuildSpec(
        digest=build.digest,
        attempt=build.attempt,
        image=build.image,
        kernel=replace(kernel, conda=tuple(addressed_spec(spec, allowed) for spec in kernel.conda)),
        channels=tuple(channel_address(name, allowed) or name for name in kernel.channels),
        lock=build.lock,
    )
