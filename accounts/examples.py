"""Examples of what users entrust to the service."""

from typing import Any

from submarine_site.core.examples import CREDENTIAL_ID, HOST, JOINED, LAUNCHED, SECRET, SESSION

NEW_SECRET = {"name": SECRET, "kind": "variable", "value": "not-a-real-key"}

SECRET_VALUE = {"value": "not-a-real-key-either"}

KEPT_SECRET = {
    "id": "6e0b9d33-1f5c-4c58-8a0e-94d1c7b2e6f5",
    "name": SECRET,
    "kind": "variable",
    "created_at": JOINED,
    "updated_at": JOINED,
    "last_used_at": LAUNCHED,
}

LISTED_SECRET = {**KEPT_SECRET, "sessions": [SESSION]}

NEW_GIT_CREDENTIAL = {
    "name": "Research's repositories",
    "kind": "token",
    "hosts": [HOST],
    "secret": "not-a-real-token",
}

GIT_CREDENTIAL: dict[str, Any] = {
    "id": CREDENTIAL_ID,
    "name": "Research's repositories",
    "kind": "token",
    "hosts": [HOST],
    "username": "git",
    "public_key": "",
    "fingerprint": "",
    "created_at": JOINED,
    "last_used_at": LAUNCHED,
}

LISTED_GIT_CREDENTIAL = {**GIT_CREDENTIAL, "sessions": [SESSION]}
