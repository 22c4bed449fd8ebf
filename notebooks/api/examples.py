"""Examples of sessions: Ada's, which runs, and what she has to start it with."""

from typing import Any

from submarine_site.core.examples import (
    ADA,
    CREDENTIAL_ID,
    ENVIRONMENT,
    GROUP,
    HOST,
    IMAGE,
    LAUNCHED,
    PROFILE,
    READY,
    SECRET,
    SESSION,
    SESSION_ID,
    STARTED,
    USED,
    VOLUME_ID,
)

SIZE: dict[str, Any] = {
    "cpu_milli": 1000,
    "memory_mib": 2048,
    "gpus": 0,
    "accelerator": "gpu",
    "longest_life_minutes": 720,
    "idle_limit_minutes": 60,
}

PROFILE_NOW = {
    "name": PROFILE,
    "display_name": "Small",
    "description": "For a first look.",
    **SIZE,
    "deprecated": False,
    "deprecation": "",
    "successor": None,
}

_CODE = {"url": f"https://{HOST}/research/churn.git", "ref": "main", "credential": CREDENTIAL_ID}

_ALL_CODE = {**_CODE, "folder": "churn", "depth": 1, "submodules": False, "sparse": ""}

_REST: dict[str, Any] = {
    "opens": "train.ipynb",
    "variables": {"STAGE": "test"},
    "secrets": [SECRET],
}

_MOUNT = {"volume": VOLUME_ID, "path": "data"}

_CHOSEN = {"name": SESSION, "profile": PROFILE, "environment": ENVIRONMENT}

NEW_BOOKMARK = {**_CHOSEN, "code": [_CODE], "mounts": [_MOUNT], **_REST}

NEW_SESSION = {**NEW_BOOKMARK, "charge_to": GROUP}

CHANGES = {"name": SESSION, "opens": "train.ipynb", "variables": {"STAGE": "test"}}

START = {"rescue": False, "charge_to": GROUP}

_PHASES = [
    {"phase": "queued", "started_at": LAUNCHED, "finished_at": STARTED, "detail": ""},
    {"phase": "starting_server", "started_at": STARTED, "finished_at": READY, "detail": ""},
]

_RUN: dict[str, Any] = {
    "id": "b7f6a3de-2c41-4e0b-8a4e-3f6b0a4d9c52",
    "number": 1,
    "profile_name": "Small",
    **SIZE,
    "environment_name": "Python",
    "environment_version": 1,
    "image": IMAGE,
    "is_rescue": False,
    "created_at": LAUNCHED,
    "ready_at": READY,
    "ended_at": None,
    "stops_at": "2026-03-02T21:15:21.480000Z",
    "exit_code": None,
    "phases": _PHASES,
}

SESSION_NOW: dict[str, Any] = {
    "id": SESSION_ID,
    "name": SESSION,
    "owner": ADA,
    "status": "running",
    "status_changed_at": READY,
    "reason": None,
    "profile": PROFILE,
    "environment": ENVIRONMENT,
    "environment_version": 1,
    "newest_environment_version": 1,
    **_REST,
    "code": [{**_ALL_CODE, "status": "fetched", "code": "", "message": ""}],
    "home": None,
    "mounts": [{**_MOUNT, "read_only": False}],
    "charged_to": GROUP,
    "created_at": LAUNCHED,
    "last_activity_at": USED,
    "last_activity_signal": "kernel",
    "idle_stop_at": "2026-03-02T10:41:37.905000Z",
    "size_change": "",
    "run": _RUN,
}

REQUESTED = {
    **SESSION_NOW,
    "status": "requested",
    "status_changed_at": LAUNCHED,
    "code": [{**_ALL_CODE, "status": "waiting", "code": "", "message": ""}],
    "last_activity_at": None,
    "last_activity_signal": "",
    "idle_stop_at": None,
    "run": {
        **_RUN,
        "ready_at": None,
        "stops_at": None,
        "phases": [{**_PHASES[0], "finished_at": None}],
    },
}

STOPPING = {
    **SESSION_NOW,
    "status": "stopping",
    "status_changed_at": "2026-03-02T09:58:12.233000Z",
    "idle_stop_at": None,
}

OPEN = {"path": "lab/tree/train.ipynb"}

_BASE_URL = f"https://notebooks.example.net/session/{SESSION_ID}/"

OPENED = {
    "url": f"{_BASE_URL}_submarine/enter?code=not-a-real-code&next=lab%2Ftree%2Ftrain.ipynb",
    "base_url": _BASE_URL,
}

LOG = {"run": _RUN["id"], "text": "Jupyter Server is running.\n"}

EVENT = {
    "id": 90211,
    "created_at": READY,
    "run": _RUN["id"],
    "from_status": "starting",
    "to_status": "running",
    "code": "",
    "message": "",
    "actor": None,
}

BOOKMARK = {
    "id": "4c8f2a6d-90be-4d17-b3c5-0e7a1d9f6b28",
    "name": SESSION,
    "profile": PROFILE,
    "environment": ENVIRONMENT,
    "setup": {
        "code": [_ALL_CODE],
        "mounts": [{**_MOUNT, "read_only": False}],
        **_REST,
    },
    "created_at": LAUNCHED,
}

ME = {
    "username": ADA,
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "is_operator": False,
    "scopes": ["read", "launch", "access"],
}

NEW_TOKEN = {"name": "laptop", "scopes": ["read", "launch", "access"], "expires_in_days": 30}

_TOKEN = "subnb_ThisIsAnExampleAndNoTokenThatAnybodyHas0000"  # noqa: S105

TOKEN: dict[str, Any] = {
    "id": "e1a7c5b9-3d42-4f86-9c1e-6a8b0d2f7e54",
    "name": "laptop",
    "hint": _TOKEN[:10],
    "scopes": ["read", "launch", "access"],
    "created_at": LAUNCHED,
    "expires_at": "2026-04-01T09:15:04.120000Z",
    "last_used_at": None,
    "last_used_from": None,
}

MADE_TOKEN = {**TOKEN, "token": _TOKEN}

LOGIN = {
    "code": "not-a-real-code",
    "verifier": "not-a-real-verifier-of-at-least-43-characters",
}

REVOKED = {"revoked": 2}
