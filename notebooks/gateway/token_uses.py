"""When and from where API tokens are used on sessions, kept in memory and written in batches."""

from collections.abc import Mapping
from datetime import UTC, datetime

from notebooks.gateway.batches import Batches
from notebooks.gateway.contract import Grant, TokenUse


class TokenUses(Batches[str, TokenUse]):
    """The latest use of each since the last flush."""

    seconds = 5.0
    what = "Uses of tokens"

    def stamp(self, grant: Grant, address: str) -> None:
        now = datetime.now(UTC)  # noqa: TID251 - no Django here
        self._heard[grant.id] = TokenUse(at=now, address=address)

    async def _write(self, heard: Mapping[str, TokenUse]) -> None:
        await self._authority.record_token_uses(heard)
