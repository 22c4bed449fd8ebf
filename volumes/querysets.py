"""Which volumes are whose, and the one way in which a volume's state changes."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models

from volumes.states import LIVE, TRANSITIONS, VolumeState

if TYPE_CHECKING:
    from accounts.models import User
    from volumes.models import Volume


class VolumeQuerySet(models.QuerySet["Volume"]):
    def visible_to(self, user: "User") -> Self:
        """Return the user's own: those they have, and those in their trash."""
        return self.filter(owner=user).exclude(state=VolumeState.REMOVING)

    def live(self) -> Self:
        """Return those that are not in the trash, nor on the way out."""
        return self.filter(state__in=sorted(LIVE))

    def folders(self) -> Self:
        """Return those that were adopted from folders of the machine."""
        return self.filter(claim__startswith="/")

    def transition(self, to: VolumeState, **values: Any) -> int:
        """Move these volumes to `to` where the table allows it, with further columns to set; how
        many moved. Fewer than there are means that others were first, which is normal.
        """
        return self.filter(state__in=sorted(TRANSITIONS[to])).update(state=to, **values)

    def request(self, **values: Any) -> int:
        """Have these made anew, with further columns to set; how many are to be."""
        return self.transition(VolumeState.REQUESTED, reason_code="", reason="", **values)
