"""One-time codes and tickets: how leave to use a session gets from the pages to the gateway.

A code goes to the browser in an address, so it lasts seconds and works once; the gateway changes
it for a ticket, which only the gateway's own cookie carries. Redis keeps both under their hashes.
What they allow still depends on the sign-in or API token behind them, which the gateway checks.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils import timezone
from redis.exceptions import RedisError

from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError
from submarine_site.core.redis import client

CODE_LIFE = timedelta(seconds=30)
TICKET_LIFE = timedelta(hours=12)


class Credential(StrEnum):
    """What someone showed to get a code."""

    SIGN_IN = "sign-in"
    TOKEN = "token"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Who may use which session, by which sign-in or API token."""

    session_id: UUID
    user_id: int
    credential: Credential
    credential_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTicket:
    """A ticket just made."""

    value: str
    leave: Leave
    expires_at: datetime


def issue_code(leave: Leave) -> str:
    """Return a one-time code for this leave.

    Raises `DomainError` with `gateway_unavailable` while Redis is away.
    """
    code = secrets.token_urlsafe(32)
    try:
        client().set(_key("code", code), _dump(leave), ex=CODE_LIFE)
    except (RedisError, OSError) as error:
        raise DomainError(
            "The way to the session is closed for a moment. Try again.",
            code="gateway_unavailable",
            status=503,
        ) from error
    return code


def redeem_code(session_id: UUID, code: str) -> IssuedTicket | None:
    """Spend a code for a ticket; None if it is unknown, spent, expired or for another session."""
    raw = client().getdel(_key("code", code))
    if raw is None:
        return None
    leave = _load(json.loads(raw))
    if leave.session_id != session_id:
        return None
    ticket = secrets.token_urlsafe(32)
    expires_at = timezone.now() + TICKET_LIFE
    client().set(
        _key("ticket", ticket),
        json.dumps({**json.loads(raw), "expires_at": expires_at.timestamp()}),
        exat=expires_at,
    )
    return IssuedTicket(value=ticket, leave=leave, expires_at=expires_at)


def read_ticket(session_id: UUID, ticket: str) -> IssuedTicket | None:
    """Return what a ticket allows; None if it is unknown, expired or for another session."""
    raw = client().get(_key("ticket", ticket))
    if raw is None:
        return None
    kept = json.loads(raw)
    expires_at = datetime.fromtimestamp(kept.pop("expires_at"), UTC)
    leave = _load(kept)
    if leave.session_id != session_id:
        return None
    return IssuedTicket(value=ticket, leave=leave, expires_at=expires_at)


def _key(kind: str, secret: str) -> str:
    return f"gateway:{kind}:{digest(secret)}"


def _dump(leave: Leave) -> str:
    return json.dumps(asdict(leave), default=str)


def _load(kept: dict[str, Any]) -> Leave:
    return Leave(
        session_id=UUID(kept["session_id"]),
        user_id=kept["user_id"],
        credential=Credential(kept["credential"]),
        credential_id=UUID(kept["credential_id"]),
    )
