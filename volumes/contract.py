"""What keeps volumes: the interface to storage, in our words, and what a volume is to it.

Every call is idempotent and returns at once. Two errors leave a keeper: `BackendRefused` (it will
not work however often it is tried; its message is for the user) and `BackendUnavailable` (try
again later). What lacks our mark is never changed or removed, whatever its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class AccessMode(StrEnum):
    """Who may have it at the same time."""

    ONE_MACHINE = "one_machine"
    """Sessions on one machine: those that share it are placed there together."""
    MANY_MACHINES = "many_machines"
    ONE_SESSION = "one_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec:
    """Storage, by its id. `size_mib` None: as much as there is. `storage_class` empty: the site's
    own choice. `claim` is the name of something that an operator gave to be a volume: it is there
    already, and never changed or removed. `display_name` and `owner` are for people who look at
    the storage.
    """

    id: UUID
    size_mib: int | None = None
    storage_class: str = ""
    access_mode: AccessMode = AccessMode.ONE_MACHINE
    claim: str = ""
    display_name: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSeen:
    """What a look at a volume showed; None: it cannot be known, or not now."""

    capacity_mib: int | None = None
    used_mib: int | None = None


class Keeper(Protocol):
    """Keeps volumes. See the module's docstring for the rules that hold for every method."""

    def ensure_volume(self, spec: VolumeSpec) -> None:
        """Make the volume if it is not there; of an adopted one, see that it is."""

    def grow_volume(self, spec: VolumeSpec) -> None:
        """Have it grow to the spec's size. One that is as large is left as it is; none shrinks."""

    def delete_volume(self, spec: VolumeSpec) -> None:
        """Remove the volume and what it holds, if it is there; an adopted one is let go of.
        Refused while a run uses it.
        """

    def observe_volumes(self) -> Mapping[UUID, VolumeSeen]:
        """Every volume of ours that is there. One that is not in it is gone, or an adopted one."""
