"""What the gateway asks of the rest of the service: who may pass, and where to.

The gateway's server knows only these types; `authority` answers them from Redis and the database,
tests from memory.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from volumes.contract import VolumeSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave for one credential to use one session. Valid until `expires_at`, or until revoked.

    `id` names the credential (a hash of it, never the credential itself). With a scope that it
    `lacks`, it lets nobody in: its bearer is told so.
    """

    id: str
    session_id: UUID
    user_id: int
    expires_at: datetime
    lacks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a session is. `address` is `unix:/path` or `http://host:port`, empty unless it runs.

    `token` is the Jupyter token to add; `status` a `SessionStatus` value; `message` says in words
    what it waits for or why it failed. `stops_at` is when it is stopped whatever it does,
    `idle_stop_at` when it is stopped unless something happens in it; None: never.
    """

    session_id: UUID
    run_id: UUID | None
    name: str
    status: str
    address: str
    token: str = field(repr=False)
    message: str = ""
    stops_at: datetime | None = None
    idle_stop_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What redeeming a one-time code gives: the cookie's value and how long it lasts."""

    value: str = field(repr=False)
    grant: Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A server to ask whether something happens in it. `base` is the path at which it serves."""

    session_id: UUID
    run_id: UUID
    address: str
    base: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What it said: when something last happened in its kernels and terminals, None where it has
    none. With a `failure` it is not known.
    """

    session_id: UUID
    run_id: UUID
    asked_at: datetime
    kernel_at: datetime | None = None
    terminal_at: datetime | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse:
    """When an API token was used, and from which address."""

    at: datetime
    address: str


class Authority(Protocol):
    """The answers. Every method is a coroutine; none raises for a bad credential."""

    async def redeem(self, session_id: UUID, code: str) -> Ticket | None:
        """Spend a one-time code, at most once ever.

        None if it is unknown, spent, expired or for another session.
        """

    async def by_ticket(self, session_id: UUID, ticket: str) -> Grant | None:
        """The grant of a ticket cookie for this session."""

    async def by_token(self, session_id: UUID, token: str) -> Grant | None:
        """The grant of an API token whose user may use this session."""

    async def record_bad_token(self, token: str, address: str) -> int | None:
        """Count a token that let nobody in as a failed sign-in of this address, unless it is a
        valid token that merely may not use the session.

        Returns after how many seconds to try again where the address has failed too often.
        """

    async def still_valid(self, grants: Collection[Grant]) -> frozenset[str]:
        """Of these grants, the ids of those that still hold now, by one look at the database."""

    async def routes(self, session_ids: Collection[UUID]) -> Mapping[UUID, Route]:
        """Where these sessions are now; a session that is gone is missing from the answer."""

    async def record_activity(self, seen: Mapping[UUID, datetime]) -> None:
        """Stamp sessions as used at these times. Never moves a stamp back."""

    async def record_token_uses(self, seen: Mapping[str, TokenUse]) -> None:
        """Note when API tokens were last used, by their grants' ids; each once a minute at most."""

    async def due_probes(self) -> Sequence[Probe]:
        """The servers to ask now, some at a time, each given to one that asks."""

    async def record_probes(self, probed: Sequence[Probed]) -> None:
        """Tell what they said."""

    async def record_oom_kills(self, seen: Mapping[UUID, int]) -> None:
        """Tell of these runs how many of their processes ran out of memory; once of each number."""

    async def record_usage(self, seen: Mapping[UUID, Mapping[UUID, VolumeSeen]]) -> None:
        """Tell how full volumes are, by the run that says so; of volumes of others it may not."""
