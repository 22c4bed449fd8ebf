"""Examples of volumes: Ada's, which her session has."""

from typing import Any

from submarine_site.core.examples import (
    ADA,
    JOINED,
    READY,
    SESSION,
    SESSION_ID,
    VOLUME,
    VOLUME_ID,
)

VOLUME_CLASS = {
    "name": "standard",
    "display_name": "Standard",
    "description": "For all that sessions share.",
    "access_mode": "one_machine",
    "growable": True,
    "usual_mib": 10240,
    "largest_mib": 102400,
}

VOLUME_NOW: dict[str, Any] = {
    "id": VOLUME_ID,
    "name": VOLUME,
    "kind": "data",
    "volume_class": "standard",
    "access_mode": "one_machine",
    "is_adopted": False,
    "size_mib": 10240,
    "wanted_mib": None,
    "largest_mib": 102400,
    "capacity_mib": 10240,
    "used_mib": 3187,
    "seen_at": READY,
    "state": "ready",
    "reason_code": "",
    "reason": "",
    "attachments": [
        {
            "session_id": SESSION_ID,
            "session": SESSION,
            "status": "running",
            "path": "data",
            "read_only": False,
            "is_active": True,
        }
    ],
    "created_at": JOINED,
    "updated_at": JOINED,
    "trashed_at": None,
    "removed_after": None,
}

REQUESTED = {
    **VOLUME_NOW,
    "state": "requested",
    "attachments": [],
    "capacity_mib": None,
    "used_mib": None,
    "seen_at": None,
}

NEW_VOLUME = {"name": VOLUME, "volume_class": "standard", "size_mib": 10240}

CHANGES = {"name": VOLUME, "size_mib": 20480}

RESTORE = {"name": VOLUME}

ADOPT = {"owner": ADA, "name": VOLUME, "claim": "churn-archive"}
