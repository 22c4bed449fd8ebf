"""Examples of quotas: Ada may have three sessions, and has one."""

from typing import Any

from submarine_site.core.examples import GROUP, JOINED, LAUNCHED, PROFILE, SESSION, SESSION_ID

_HOLDER = {
    "kind": "session",
    "id": SESSION_ID,
    "name": SESSION,
    "address": f"/sessions/{SESSION_ID}",
    "amount": 2048,
    "pool": GROUP,
    "can_stop": True,
    "is_ending": False,
}

_RULE = {
    "scope": "default",
    "group": None,
    "limit": 32768,
    "set_by": "olga",
    "set_at": JOINED,
    "reason": "What everybody has.",
    "until": None,
}

_BAR = {
    "resource": "memory_mib",
    "label": "memory",
    "used": 2048,
    "limit": 32768,
    "text": "2 of 32 GiB",
}

QUOTA: dict[str, Any] = {
    "resources": [{**_BAR, "rule": _RULE, "considered": [_RULE], "holders": [_HOLDER]}],
    "pools": [
        {"name": GROUP, "resources": [{**_BAR, "limit": 131072, "text": "2 of 128 GiB"}]},
    ],
    "charge_to": GROUP,
}

CHECK = {"profile": PROFILE, "charge_to": GROUP}

_SHORTAGE = {
    "scope": "user",
    "resource": "memory_mib",
    "limit": 3072,
    "used": 2048,
    "asked": 2048,
    "pool": "",
    "message": "This needs 2 GiB; you may have 3 GiB, with 2 GiB in use.",
}

CHECKED = {"fits": False, "shortages": [{**_SHORTAGE, "holders": [_HOLDER]}]}

OVER_QUOTA = {
    "code": "over_quota",
    "message": _SHORTAGE["message"],
    "fields": {"profile": _SHORTAGE["message"]},
    "details": {"shortages": [_SHORTAGE]},
}

NEW_REQUEST = {
    "resource": "memory_mib",
    "amount": "64 GiB",
    "why": "The churn model no longer fits.",
}

REQUEST = {
    "id": "9b1d7e46-6c0f-4a2e-8d3a-57f0e1c2b394",
    "resource": "memory_mib",
    "amount": 65536,
    "text": "64 GiB",
    "until": None,
    "why": "The churn model no longer fits.",
    "state": "open",
    "created_at": LAUNCHED,
    "decided_at": None,
    "word": "",
}
