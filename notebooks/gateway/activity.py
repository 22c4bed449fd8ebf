"""What counts as use of a session, kept in memory and written in batches.

JupyterLab polls kernels, terminals and contents as long as a tab is open, so reading does not
count: what a person does is to open a page, to change something, or to send to a kernel.
"""

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID

from notebooks.gateway.contract import Authority

FLUSH_SECONDS = 5.0

_READS = frozenset({"GET", "HEAD", "OPTIONS"})

logger = logging.getLogger(__name__)


def is_use(method: str, *, navigation: bool) -> bool:
    """Whether a request is something a person did."""
    return navigation or method not in _READS


class Activity:
    """The latest use of each session since the last flush."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._seen: dict[UUID, datetime] = {}

    def stamp(self, session_id: UUID) -> None:
        self._seen[session_id] = datetime.now(UTC)  # noqa: TID251 - no Django here

    async def flush(self) -> None:
        """Write what was seen; keep it for the next time if that fails."""
        if not self._seen:
            return
        seen, self._seen = self._seen, {}
        try:
            await self._authority.record_activity(seen)
        except Exception:  # noqa: BLE001 - whatever it raises, the stamps are kept
            logger.warning("Activity could not be written, will try again")
            self._seen = seen | self._seen

    async def run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
