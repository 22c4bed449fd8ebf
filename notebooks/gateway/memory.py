"""What sessions' servers say of their memory with their answers, written in batches.

A session can say what it likes: it speaks of its own run alone, and of no more than `MAX_KILLS`.
"""

from collections.abc import Mapping
from uuid import UUID

from notebooks.gateway.batches import Batches
from notebooks.gateway.contract import Authority

MAX_KILLS = 100
MAX_KNOWN = 10_000

_MAX_DIGITS = 9


class OomKills(Batches[UUID, int]):
    """How many processes of each run ran out of memory: what was heard, and what is written."""

    seconds = 1.0
    what = "Who ran out of memory"

    def __init__(self, authority: Authority) -> None:
        super().__init__(authority)
        self._known: dict[UUID, int] = {}

    def hear(self, run_id: UUID, said: bytes) -> None:
        """Take the value of an answer's header."""
        if not said.isdigit() or len(said) > _MAX_DIGITS:
            return
        kills = min(int(said), MAX_KILLS)
        if kills > max(self._known.get(run_id, 0), self._heard.get(run_id, 0)):
            self._heard[run_id] = kills

    async def _write(self, heard: Mapping[UUID, int]) -> None:
        await self._authority.record_oom_kills(heard)
        if len(self._known) > MAX_KNOWN:
            # What is heard again is written again, and changes nothing.
            self._known.clear()
        self._known |= heard
