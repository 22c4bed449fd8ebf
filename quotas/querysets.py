"""Which reservations hold and which requests are whose, and the one way in which each ends."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models
from django.utils import timezone

from submarine_site.core.catalogue import CatalogueQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from accounts.models import User
    from quotas.models import QuotaRequest, Reservation, ResourceProfile  # noqa: F401


class ProfileQuerySet(CatalogueQuerySet["ResourceProfile"]):
    """Sizes. One that is hidden can be started by the sessions that have it."""

    def offered_to(self, user: "AbstractUser") -> Self:
        """Return those that the user may choose for a new session."""
        return self.visible_to(user).filter(hidden=False)


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def held(self) -> Self:
        """Return those that have not ended."""
        return self.filter(released_at=None)

    def release(self, *, note: str = "") -> int:
        """End those that hold, once; how many this caller ended."""
        ended: dict[str, Any] = {"released_at": timezone.now()} | ({"note": note} if note else {})
        return self.held().update(**ended)

    def of_parts(self, parts: Collection[UUID]) -> Self:
        return self.filter(part__in=parts)


class QuotaRequestQuerySet(models.QuerySet["QuotaRequest"]):
    def visible_to(self, user: "User") -> Self:
        """Return the user's own."""
        return self.filter(user=user)

    def decide(
        self, pk: UUID, state: "QuotaRequest.State", *, by: "User | None" = None, word: str = ""
    ) -> bool:
        """Have an open request end so. Returns whether this caller decided."""
        open_one = self.filter(pk=pk, state="open")
        return bool(
            open_one.update(state=state, decided_by=by, decided_at=timezone.now(), word=word)
        )
