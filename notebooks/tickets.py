"""One-time codes and tickets: how leave to use a session gets from the pages to the gateway.

A code goes to the browser in an address, so it lasts seconds and works once; the gateway changes
it for a ticket, which only the gateway's own cookie carries. Redis keeps both under their hashes,
signed. What they allow still depends on the sign-in or API token behind them, which the gateway
checks.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils import timezone
from redis.exceptions import RedisError

from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError
from submarine_site.core.redis import client
from submarine_site.core.signed import sign, verify

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
        key = _key("code", code)
        client().set(key, sign(key, _dump(leave)), ex=CODE_LIFE)
    except (RedisError, OSError) as error:
        raise DomainError(
            "The way to the session is closed for a moment. Try again.",
            code="gateway_unavailable",
            status=503,
        ) from error
    return code


def redeem_code(session_id: UUID, code: str) -> IssuedTicket | None:
    """Spend a code for a ticket; None if it is unknown, spent, expired or for another session."""
    key = _key("code", code)
    values = verify(key, client().getdel(key), max_age=CODE_LIFE)
    if values is None:
        return None
    leave = _load(values)
    if leave.session_id != session_id:
        return None
    ticket = secrets.token_urlsafe(32)
    expires_at = timezone.now() + TICKET_LIFE
    key = _key("ticket", ticket)
    signed = sign(key, {**values, "expires_at": expires_at.timestamp()})
    client().set(key, signed, exat=expires_at)
    return IssuedTicket(value=ticket, leave=leave, expires_at=expires_at)


def read_ticket(session_id: UUID, ticket: str) -> IssuedTicket | None:
    """Return what a ticket allows; None if it is unknown, expired or for another session."""
    key = _key("ticket", ticket)
    values = verify(key, client().get(key), max_age=TICKET_LIFE)
    if values is None:
        return None
    expires_at = datetime.fromtimestamp(values["expires_at"], UTC)
    leave = _load(values)
    if leave.session_id != session_id:
        return None
    return IssuedTicket(value=ticket, leave=leave, expires_at=expires_at)


def _key(kind: str, secret: str) -> str:
    return f"gateway:{kind}:{digest(secret)}"


def _dump(leave: Leave) -> dict[str, Any]:
    return {
        "session_id": str(leave.session_id),
        "user_id": leave.user_id,
        "credential": leave.credential.value,
        "credential_id": str(leave.credential_id),
    }


def _load(values: dict[str, Any]) -> Leave:
    return Leave(
        session_id=UUID(values["session_id"]),
        user_id=values["user_id"],
        credential=Credential(values["credential"]),
        credential_id=UUID(values["credential_id"]),
    )
