"""The life of a volume: its states, and which may follow which. The only place that says so.

    requested → ready ──┐
        │         ↓     │
        └──→ failed ────┴→ trashed → removing → no row

A failed one that is tried again, and a trashed one that is brought back, are requested anew.
"""

from django.db import models


class VolumeState(models.TextChoices):
    REQUESTED = "requested"
    """It is to be made; nothing can be wrong with using it: whoever starts with it makes it."""
    READY = "ready"
    FAILED = "failed"
    """What keeps volumes refused to make it, or has it no more."""
    TRASHED = "trashed"
    """Deleted by its owner; what it holds is there until its time in the trash is over."""
    REMOVING = "removing"


S = VolumeState

TRANSITIONS: dict[VolumeState, frozenset[VolumeState]] = {
    S.REQUESTED: frozenset({S.FAILED, S.TRASHED}),
    S.READY: frozenset({S.REQUESTED}),
    S.FAILED: frozenset({S.REQUESTED, S.READY}),
    S.TRASHED: frozenset({S.REQUESTED, S.READY, S.FAILED}),
    S.REMOVING: frozenset({S.TRASHED}),
}
"""Target → the states it may be reached from."""

LIVE = frozenset({S.REQUESTED, S.READY, S.FAILED})
"""Its owner has it: it is listed, and sessions may attach it."""
