"""What the apps above give to volumes, which know nothing of sessions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from submarine_site.core.slots import Slot
from volumes.contract import AccessMode, Keeper
from volumes.models import Volume, VolumeKind
from volumes.states import VolumeState


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTerms:
    """What the site's homes are like. `size_mib` None: as much as there is. `largest_mib` is what
    their owners may grow them to; None: they cannot.
    """

    size_mib: int | None = None
    largest_mib: int | None = None
    storage_class: str = ""
    access_mode: AccessMode = AccessMode.ONE_MACHINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A session that has a volume, or will at its next start. `path` is below its home; empty: it
    is the home. `is_active`: something of the session may run.
    """

    session_id: UUID
    session: str
    status: str
    path: str
    read_only: bool
    is_active: bool


Attachments: TypeAlias = Mapping[UUID, Sequence[Attachment]]
"""By the volume's id: those that are active first, then by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    keeper: Callable[[], Keeper]
    home_terms: Callable[[], HomeTerms | None]
    """None: a home goes with its session's run."""
    attachments: Callable[[Collection[Volume]], Attachments]


host = Slot[Host]()


def largest_mib(volume: Volume) -> int | None:
    """What its owner may have it grow to; None: it cannot grow, or not now."""
    if volume.claim or volume.state not in {VolumeState.REQUESTED, VolumeState.READY}:
        return None
    if volume.kind == VolumeKind.HOME:
        terms = host().home_terms()
        return terms.largest_mib if terms else None
    offered = volume.volume_class
    return offered.largest_mib if offered and offered.growable else None
