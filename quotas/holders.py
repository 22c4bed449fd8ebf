"""What holds a quota, by name: the apps above, which have sessions and volumes, answer."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from quotas.limits import Bounds
from quotas.models import Reservation
from submarine_site.core.slots import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A session or volume. `address` is of its page, if it has one still. `can_stop`: its owner can
    stop it, which ends what it holds. `is_ending`: it holds only until it is gone.
    """

    name: str
    address: str
    can_stop: bool = False
    is_ending: bool = False


Describe: TypeAlias = Callable[[Collection[UUID]], Mapping[UUID, Holder]]

DefaultPool: TypeAlias = Callable[[int, Bounds], int | None]

sessions = Slot[Describe]()
volumes = Slot[Describe]()

default_pool = Slot[DefaultPool]()
"""Which pool a user's new session is charged to where none is named."""


def described(reservations: Collection[Reservation]) -> dict[UUID, Holder]:
    """Return who has these reservations, by the holder's id, but those that are no more."""
    found: dict[UUID, Holder] = {}
    for kind, describe in (
        (Reservation.Kind.SESSION, sessions),
        (Reservation.Kind.VOLUME, volumes),
    ):
        ids = {each.holder for each in reservations if each.kind == kind}
        if ids:
            found |= describe()(ids)
    return found
