"""An `Authority` in memory: what the tests say is what holds."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from notebooks.gateway.contract import Grant, Probe, Probed, Route, Ticket, TokenUse
from volumes.contract import VolumeSeen

ADA, GRACE, MALLORY = 1, 2, 3


class AuthorityDownError(Exception):
    """Its source does not answer."""


class MemoryAuthority:
    """Grants by credential, routes by session; `down` makes every question fail."""

    def __init__(self) -> None:
        self.codes: dict[tuple[UUID, str], Ticket] = {}
        self.tickets: dict[tuple[UUID, str], Grant] = {}
        self.tokens: dict[tuple[UUID, str], Grant] = {}
        self.where: dict[UUID, Route] = {}
        self.activity: list[dict[UUID, datetime]] = []
        self.token_uses: dict[str, TokenUse] = {}
        self.bad_tokens: list[tuple[str, str]] = []
        self.refuses_bad_tokens_for: int | None = None
        self.oom_kills: list[dict[UUID, int]] = []
        self.usage: list[dict[UUID, Mapping[UUID, VolumeSeen]]] = []
        self.to_probe: list[Probe] = []
        self.probed: list[Probed] = []
        self.asked: list[str] = []
        self.down = False
        self._numbers = itertools.count()

    def add_session(self, address: str, *, session_id: UUID | None = None) -> UUID:
        session_id = session_id or uuid4()
        self.where[session_id] = Route(
            session_id=session_id,
            run_id=uuid4(),
            name="analysis",
            status="running",
            address=address,
            token="the-run's-token",
        )
        return session_id

    def change(self, session_id: UUID, **changes: object) -> None:
        self.where[session_id] = replace(self.where[session_id], **changes)  # type: ignore[arg-type]

    def grant(self, session_id: UUID, *, user: int = ADA, seconds: float = 3600) -> Grant:
        return Grant(
            id=f"grant-{next(self._numbers)}",
            session_id=session_id,
            user_id=user,
            expires_at=datetime.now(UTC) + timedelta(seconds=seconds),  # noqa: TID251
        )

    def add_code(self, session_id: UUID, code: str, *, user: int = ADA) -> None:
        grant = self.grant(session_id, user=user)
        self.codes[session_id, code] = Ticket(value=f"ticket-of-{code}", grant=grant)

    def add_ticket(self, session_id: UUID, ticket: str, **grant: float) -> None:
        self.tickets[session_id, ticket] = self.grant(session_id, **grant)  # type: ignore[arg-type]

    def add_token(self, session_id: UUID, token: str, *, lacks: str = "") -> None:
        self.tokens[session_id, token] = replace(self.grant(session_id), lacks=lacks)

    async def redeem(self, session_id: UUID, code: str) -> Ticket | None:
        self._ask("redeem")
        ticket = self.codes.pop((session_id, code), None)
        if ticket is not None:
            self.tickets[session_id, ticket.value] = ticket.grant
        return ticket

    async def by_ticket(self, session_id: UUID, ticket: str) -> Grant | None:
        self._ask("by_ticket")
        return self.tickets.get((session_id, ticket))

    async def by_token(self, session_id: UUID, token: str) -> Grant | None:
        self._ask("by_token")
        return self.tokens.get((session_id, token))

    async def record_bad_token(self, token: str, address: str) -> int | None:
        self._ask("record_bad_token")
        self.bad_tokens.append((token, address))
        return self.refuses_bad_tokens_for

    async def still_valid(self, grants: Collection[Grant]) -> frozenset[str]:
        self._ask("still_valid")
        held = {grant.id for grant in (*self.tickets.values(), *self.tokens.values())}
        return frozenset(grant.id for grant in grants if grant.id in held)

    async def routes(self, session_ids: Collection[UUID]) -> Mapping[UUID, Route]:
        self._ask("routes")
        return {each: self.where[each] for each in session_ids if each in self.where}

    async def record_activity(self, seen: Mapping[UUID, datetime]) -> None:
        self._ask("record_activity")
        self.activity.append(dict(seen))

    async def record_token_uses(self, seen: Mapping[str, TokenUse]) -> None:
        self._ask("record_token_uses")
        self.token_uses.update(seen)

    async def due_probes(self) -> list[Probe]:
        self._ask("due_probes")
        due, self.to_probe = self.to_probe, []
        return due

    async def record_probes(self, probed: Sequence[Probed]) -> None:
        self._ask("record_probes")
        self.probed += probed

    async def record_oom_kills(self, seen: Mapping[UUID, int]) -> None:
        self._ask("record_oom_kills")
        self.oom_kills.append(dict(seen))

    async def record_usage(self, seen: Mapping[UUID, Mapping[UUID, VolumeSeen]]) -> None:
        self._ask("record_usage")
        self.usage.append(dict(seen))

    def _ask(self, question: str) -> None:
        self.asked.append(question)
        if self.down:
            raise AuthorityDownError
