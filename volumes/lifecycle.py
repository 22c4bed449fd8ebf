"""What a worker does to volumes: make, grow, measure, remove.

Level-triggered: each look takes every volume that is not as it should be a step further, so that a
lost message or a killed worker costs a look. One process at a time is at it.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from audit.services import record
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.outside import BackendError, BackendRefused
from volumes import holdings
from volumes.contract import VolumeSeen
from volumes.host import host
from volumes.models import MAX_MIB, MAX_REASON, Volume
from volumes.querysets import VolumeQuerySet
from volumes.states import VolumeState

logger = logging.getLogger(__name__)

LOST = "volume_lost"
"""The code of a volume that was there and is no more. Nothing starts with it: an empty one in its
place would look as if all were well.
"""

_LOST = (
    "The volume is no longer where it was kept, and what it held may be lost. Ask an operator. "
    "Trying again makes an empty one."
)

# A folder of a larger disk shows what all else on that disk uses, which is not the volume's own. A
# file system that is somewhat larger than was asked for is usual.
_RECORD = """
WITH known AS (
    SELECT volume.id, seen.capacity, seen.used
    FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS seen (id, capacity, used)
    JOIN volumes_volume AS volume ON volume.id = seen.id
    WHERE seen.used IS NULL OR seen.capacity IS NULL OR volume.claim <> ''
        OR seen.capacity <= 1.25 * GREATEST(
            volume.size_mib, volume.wanted_mib, volume.capacity_mib
        )
    -- Held in one order: two that write the same rows must not wait for each other.
    ORDER BY volume.id FOR NO KEY UPDATE OF volume
)
UPDATE volumes_volume AS volume
SET capacity_mib = COALESCE(known.capacity, volume.capacity_mib),
    used_mib = COALESCE(known.used, volume.used_mib),
    seen_at = CASE WHEN known.used IS NULL THEN volume.seen_at ELSE %s END
FROM known WHERE known.id = volume.id
"""


def settle() -> None:
    """Take every volume that is not as it should be a step further."""
    with try_lock(AdvisoryLock.VOLUMES) as held:
        if not held:
            return
        old = timezone.now() - settings.VOLUMES_TRASH
        for volume in Volume.objects.filter(trashed_at__lt=old).select_related("owner"):
            _expire(volume)
        holdings.settle()
        due = Q(state__in=[VolumeState.REQUESTED, VolumeState.REMOVING]) | Q(
            state=VolumeState.READY, wanted_mib__isnull=False
        )
        volumes = Volume.objects.filter(due).select_related("owner").order_by("updated_at")
        # To remove one may take all the time there is: nobody waits for that.
        for volume in sorted(volumes, key=lambda each: each.state == VolumeState.REMOVING):
            _settle(volume)


def _expire(volume: Volume) -> None:
    """Begin to remove one that has been in the trash for long; it may have been brought back."""
    with transaction.atomic():
        this = _this(volume).filter(trashed_at=volume.trashed_at)
        if this.transition(VolumeState.REMOVING):
            record("volume.removed", volume)


def measure() -> None:
    """Record how large and how full volumes are, and which are there no more."""
    # Before the look, which may miss what is made meanwhile.
    # In the trash there are also some that were never made.
    trashed = Q(state=VolumeState.TRASHED) & (
        Q(capacity_mib__isnull=False) | Q(used_mib__isnull=False)
    )
    there = set(
        Volume.objects.filter(Q(state=VolumeState.READY) | trashed, claim="").values_list(
            "pk", flat=True
        )
    )
    seen = host().keeper().observe_volumes()
    record_usage(seen)
    missing = Volume.objects.filter(pk__in=there - seen.keys())
    # Who brings one back from the trash is told then.
    missing.filter(state=VolumeState.TRASHED).update(reason_code=LOST, reason=_LOST)
    lost = missing.filter(state=VolumeState.READY)
    if count := lost.transition(VolumeState.FAILED, reason_code=LOST, reason=_LOST):
        logger.error("%s volumes are no longer where they were kept", count)
    # It was brought back, or what it is kept on is there again.
    found = Volume.objects.filter(pk__in=list(seen), reason_code=LOST)
    found.filter(state=VolumeState.TRASHED).update(reason_code="", reason="")
    found.filter(state=VolumeState.FAILED).request()


def record_usage(seen: Mapping[UUID, VolumeSeen]) -> None:
    """Keep what was seen of volumes; what cannot be known, or cannot be a volume's own, is left as
    it was known. Ids that are no volume's are ignored.

    A capacity beside what is used is the total of the file system that it was measured on.
    """
    # Sessions may say what they like, also what no column can hold.
    said = {pk: each for pk, each in seen.items() if _can_be(each)}
    if not said:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            [
                list(said),
                [each.capacity_mib for each in said.values()],
                [each.used_mib for each in said.values()],
                timezone.now(),
            ],
        )


def _can_be(seen: VolumeSeen) -> bool:
    return all(0 <= (mib or 0) <= MAX_MIB for mib in (seen.capacity_mib, seen.used_mib))


def _settle(volume: Volume) -> None:
    try:
        _DUE[VolumeState(volume.state)](volume)
    except BackendError as error:
        # A refusal is recorded by now; all else is met again by the next look.
        logger.warning("volume %s: %s", volume.pk, error)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        # A fault over one volume must not keep all the others from being looked after.
        logger.exception("volume %s", volume.pk)


def _make(volume: Volume) -> None:
    try:
        host().keeper().ensure_volume(volume.spec)
    except BackendRefused as refusal:
        _this(volume).transition(VolumeState.FAILED, **_why(refusal))
        raise
    _this(volume).transition(VolumeState.READY)


def _grow(volume: Volume) -> None:
    # Its owner may want more by now, which is for the next look.
    this = _this(volume).filter(wanted_mib=volume.wanted_mib)
    try:
        host().keeper().grow_volume(replace(volume.spec, size_mib=volume.wanted_mib))
    except BackendRefused as refusal:
        with transaction.atomic():
            if this.update(wanted_mib=None, **_why(refusal)):
                holdings.hold_own_size(volume)
        raise
    this.update(size_mib=volume.wanted_mib, wanted_mib=None)


def _remove(volume: Volume) -> None:
    try:
        host().keeper().delete_volume(volume.spec)
    except BackendRefused as refusal:
        # It is still in use, say: the next look asks again, and operators see why it is there.
        _this(volume).update(**_why(refusal))
        raise
    with transaction.atomic():
        _this(volume).filter(state=VolumeState.REMOVING).delete()
        holdings.release(volume.pk)


def _this(volume: Volume) -> VolumeQuerySet:
    return Volume.objects.filter(pk=volume.pk)


def _why(refusal: BackendRefused) -> dict[str, str]:
    # PostgreSQL's text cannot hold a NUL.
    return {
        "reason_code": refusal.code,
        "reason": refusal.message.replace("\0", "")[:MAX_REASON],
    }


_DUE = {
    VolumeState.REQUESTED: _make,
    VolumeState.READY: _grow,
    VolumeState.REMOVING: _remove,
}
