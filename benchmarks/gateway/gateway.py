"""The gateway in front of one address, with one ticket: `gateway.py <port> <address> <session>`.

It is the gateway's whole server, authorisation and sweep included; only where the answers of the
`Authority` come from is different.
"""

import logging
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from notebooks.gateway.app import run
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.contract import Grant, Probe, Probed, Route, Ticket, TokenUse
from volumes.contract import VolumeSeen

TICKET = "benchmark"


class OneSession:
    """Knows one ticket for one session."""

    def __init__(self, session_id: UUID, address: str) -> None:
        self._grant = Grant(
            id="grant",
            session_id=session_id,
            user_id=1,
            expires_at=datetime.now(UTC) + timedelta(days=1),  # noqa: TID251 - no Django here
        )
        self._route = Route(
            session_id=session_id,
            run_id=uuid4(),
            name="benchmark",
            status="running",
            address=address,
            token="t" * 48,
        )

    async def redeem(self, session_id: UUID, code: str) -> Ticket | None:  # noqa: ARG002
        return None

    async def by_ticket(self, session_id: UUID, ticket: str) -> Grant | None:
        known = session_id == self._grant.session_id and ticket == TICKET
        return self._grant if known else None

    async def by_token(self, session_id: UUID, token: str) -> Grant | None:  # noqa: ARG002
        return None

    async def record_bad_token(self, token: str, address: str) -> int | None:  # noqa: ARG002
        return None

    async def still_valid(self, grants: Collection[Grant]) -> frozenset[str]:
        return frozenset(grant.id for grant in grants)

    async def routes(self, session_ids: Collection[UUID]) -> Mapping[UUID, Route]:
        return {each: self._route for each in session_ids if each == self._route.session_id}

    async def record_activity(self, seen: Mapping[UUID, datetime]) -> None:
        pass

    async def record_token_uses(self, seen: Mapping[str, TokenUse]) -> None:
        pass

    async def due_probes(self) -> list[Probe]:
        return []

    async def record_probes(self, probed: Sequence[Probed]) -> None:
        pass

    async def record_oom_kills(self, seen: Mapping[UUID, int]) -> None:
        pass

    async def record_usage(self, seen: Mapping[UUID, Mapping[UUID, VolumeSeen]]) -> None:
        pass


def main(port: int, address: str, session_id: UUID) -> None:
    # As in the service: requests are logged.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    config = GatewayConfig(
        pages_url="http://localhost:8000",
        gateway_url=f"http://127.0.0.1:{port}",
        subdomains=False,
    )
    listening = socket.create_server(("127.0.0.1", port))
    run(OneSession(session_id, address), config, [listening])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], UUID(sys.argv[3]))
