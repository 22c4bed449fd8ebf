"""What volumes hold of quotas: from their request until they are removed, also in the trash."""

import logging
from collections.abc import Collection, Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse

from quotas import ledger
from quotas.amounts import STORAGE, VOLUMES
from quotas.holders import Holder
from quotas.limits import bounds_of
from quotas.models import Reservation
from volumes.models import Volume

logger = logging.getLogger(__name__)


def hold(volume: Volume, *, size_mib: int) -> None:
    """Have the volume hold this size, in the place of what it holds. Requires a transaction.

    Raises as `ledger.admit` does.
    """
    reservation = reservation_of(volume, size_mib)
    ledger.admit(reservation, bounds=bounds_of(volume.owner_id), field="size_mib")
    ledger.replace_holdings(reservation)


def hold_own_size(volume: Volume) -> None:
    """Have it hold its own size again: it could not grow."""
    with transaction.atomic():
        ledger.replace_holdings(reservation_of(volume, volume.size_mib))


def release(volume_id: UUID) -> None:
    """Give back what a volume holds that is removed."""
    Reservation.objects.filter(holder=volume_id).release()


def settle() -> None:
    """Put the ledger right by the volumes that there are. A home that the site keeps is counted
    here, and never refused.
    """
    held = Reservation.objects.held().filter(kind=Reservation.Kind.VOLUME)
    uncounted = Volume.objects.filter(~Exists(held.filter(holder=OuterRef("pk"))))
    Reservation.objects.bulk_create(
        [reservation_of(volume, volume.wanted_mib or volume.size_mib) for volume in uncounted]
    )
    volumes = Volume.objects.filter(pk=OuterRef("holder"))
    if left := held.exclude(Exists(volumes)).release(note=ledger.FOUND):
        logger.warning("the ledger had %d volumes that are none", left)


def described(ids: Collection[UUID]) -> Mapping[UUID, Holder]:
    """Which volumes these are."""
    return {
        volume.pk: Holder(
            name=volume.name,
            address=reverse("volume", kwargs={"pk": volume.pk}),
            is_ending=not volume.is_live,
        )
        for volume in Volume.objects.filter(pk__in=ids)
    }


def reservation_of(volume: Volume, size_mib: int | None) -> Reservation:
    """Return what the volume holds when it has this size, unsaved; None: as much as there is."""
    amounts = {VOLUMES: 1} | ({STORAGE: size_mib} if size_mib else {})
    return Reservation.of(
        kind=Reservation.Kind.VOLUME,
        holder=volume.pk,
        user_id=volume.owner_id,
        amounts=amounts,
    )
