"""When and from where API tokens are used on sessions, kept in memory and written in batches."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from notebooks.gateway.contract import Authority, Grant, TokenUse

FLUSH_SECONDS = 5.0

logger = logging.getLogger(__name__)


class TokenUses:
    """The latest use of each since the last flush."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._seen: dict[str, TokenUse] = {}

    def stamp(self, grant: Grant, address: str) -> None:
        now = datetime.now(UTC)  # noqa: TID251 - no Django here
        self._seen[grant.id] = TokenUse(at=now, address=address)

    async def flush(self) -> None:
        """Write what was seen; keep it for the next time if that fails."""
        if not self._seen:
            return
        seen: Mapping[str, TokenUse]
        seen, self._seen = self._seen, {}
        try:
            await self._authority.record_token_uses(seen)
        except Exception:  # noqa: BLE001 - whatever it raises, the stamps are kept
            logger.warning("Uses of tokens could not be written, will try again")
            self._seen = {**seen, **self._seen}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
