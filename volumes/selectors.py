"""Answers about volumes for pages and API. Reads only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.models import User
from submarine_site.core.errors import DomainError
from submarine_site.core.responses import NOT_FOUND
from volumes.folders import overlaps_any
from volumes.host import Attachment, host, largest_mib
from volumes.models import Volume
from volumes.querysets import VolumeQuerySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A volume with all that is shown of it: what has it, what it may grow to (None: it cannot),
    and when it is removed if it is in the trash.
    """

    volume: Volume
    attachments: Sequence[Attachment]
    largest_mib: int | None
    removed_after: datetime | None

    @property
    def can_grow(self) -> bool:
        """Whether there is a larger size that its owner may have it grow to."""
        return can_grow(self.volume)


def can_grow(volume: Volume) -> bool:
    """Whether there is a larger size that its owner may have it grow to."""
    has, largest = volume.wanted_mib or volume.size_mib, largest_mib(volume)
    return has is not None and largest is not None and has < largest


def shown(volumes: VolumeQuerySet) -> list[Shown]:
    """Return these with all that is shown of them, in their order."""
    rows = list(volumes.select_related("owner", "volume_class"))
    attachments = host().attachments(rows)
    return [
        Shown(
            volume=volume,
            attachments=attachments.get(volume.pk, ()),
            largest_mib=largest_mib(volume),
            removed_after=volume.removed_after,
        )
        for volume in rows
    ]


def overlapping(volumes: Iterable[Volume]) -> set[UUID]:
    """Return which of these were adopted from a folder that overlaps another volume's now: a
    symbolic link may have been made since.
    """
    adopted = [volume for volume in volumes if volume.claim.startswith("/")]
    if not adopted:
        return set()
    claims = dict(Volume.objects.folders().values_list("pk", "claim"))
    return {
        volume.pk
        for volume in adopted
        if overlaps_any(volume.claim, [claim for pk, claim in claims.items() if pk != volume.pk])
    }


def volumes_of(user: User) -> list[Shown]:
    """Return what the user has, the home first, and what is in their trash."""
    return shown(Volume.objects.visible_to(user))


def shown_now(volume: Volume) -> Shown:
    """Return a volume as it is now, with all that is shown of it."""
    found = shown(Volume.objects.filter(pk=volume.pk))
    if not found:
        # Removed meanwhile.
        raise DomainError(NOT_FOUND, code="not_found", status=404)
    return found[0]
