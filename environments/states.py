"""The life of a build: its states, and which may follow which.

    queued → building → built → discarded
                └→ failed ───────┘

A retry leads from failed, a new need from discarded, and a doubt from built, back to queued.
"""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from environments.models import Build


class BuildState(models.TextChoices):
    QUEUED = "queued"
    BUILDING = "building"
    BUILT = "built"
    FAILED = "failed"
    DISCARDED = "discarded"
    """Built once, and removed since, or to be removed. Its lock is kept."""


S = BuildState

TRANSITIONS: dict[BuildState, frozenset[BuildState]] = {
    S.QUEUED: frozenset({S.FAILED, S.DISCARDED, S.BUILT}),
    S.BUILDING: frozenset({S.QUEUED}),
    S.BUILT: frozenset({S.BUILDING}),
    S.FAILED: frozenset({S.QUEUED, S.BUILDING}),
    S.DISCARDED: frozenset({S.BUILT, S.FAILED}),
}
"""Target → the states it may be reached from."""

UNFINISHED = frozenset({S.QUEUED, S.BUILDING})


class BuildQuerySet(models.QuerySet["Build"]):
    """`transition` alone writes a state."""

    def transition(self, to: BuildState, **values: Any) -> int:
        """Move these builds to `to` where the table allows it, with further columns to set; how
        many moved. Fewer than there are means that others were first, which is normal.
        """
        return self.filter(state__in=sorted(TRANSITIONS[to])).update(state=to, **values)

    def queue(self) -> int:
        """Have these built anew, by an attempt of its own; how many are to be."""
        return self.transition(
            S.QUEUED,
            attempt=models.F("attempt") + 1,
            losses=0,
            started_at=None,
            finished_at=None,
            error_code="",
            error="",
            log_tail="",
        )
