"""The phases of a launch as a run keeps them: a JSON object, by name, so that what is seen later is
merged with what was seen before.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from notebooks.backends.contract import Phase, PhaseTime

MAX_DETAIL = 200


def as_json(phases: Iterable[PhaseTime]) -> dict[str, dict[str, str]]:
    """What a run keeps of these phases."""
    return {
        time.phase.value: {
            "started_at": time.started_at.isoformat(),
            **({"finished_at": time.finished_at.isoformat()} if time.finished_at else {}),
            **({"detail": time.detail[:MAX_DETAIL]} if time.detail else {}),
        }
        for time in phases
    }


def from_json(kept: Mapping[str, Mapping[str, Any]]) -> tuple[PhaseTime, ...]:
    """The phases that a run keeps, in their order: several may have begun in the same second."""
    return tuple(
        PhaseTime(
            phase=phase,
            started_at=datetime.fromisoformat(one["started_at"]),
            finished_at=(
                datetime.fromisoformat(one["finished_at"]) if "finished_at" in one else None
            ),
            detail=one.get("detail", ""),
        )
        for phase in Phase
        if (one := kept.get(phase.value))
    )
