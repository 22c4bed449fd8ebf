"""What sessions' servers say of their memory with their answers, written in batches.

A session can say what it likes: it speaks of its own run alone, and of no more than `MAX_KILLS`.
"""

import asyncio
import logging
from uuid import UUID

from notebooks.gateway.contract import Authority

FLUSH_SECONDS = 1.0
MAX_KILLS = 100
MAX_KNOWN = 10_000

_MAX_DIGITS = 9

logger = logging.getLogger(__name__)


class OomKills:
    """How many processes of each run ran out of memory: what was heard, and what is written."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._heard: dict[UUID, int] = {}
        self._known: dict[UUID, int] = {}

    def hear(self, run_id: UUID, said: bytes) -> None:
        """Take the value of an answer's header."""
        if not said.isdigit() or len(said) > _MAX_DIGITS:
            return
        kills = min(int(said), MAX_KILLS)
        if kills > max(self._known.get(run_id, 0), self._heard.get(run_id, 0)):
            self._heard[run_id] = kills

    async def flush(self) -> None:
        """Write what is new; keep it for the next time if that fails."""
        if not self._heard:
            return
        heard, self._heard = self._heard, {}
        try:
            await self._authority.record_oom_kills(heard)
        except Exception:  # noqa: BLE001 - whatever it raises, the numbers are kept
            logger.warning("Who ran out of memory could not be written, will try again")
            self._heard = heard | self._heard
            return
        if len(self._known) > MAX_KNOWN:
            # What is heard again is written again, and changes nothing.
            self._known.clear()
        self._known |= heard

    async def run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
