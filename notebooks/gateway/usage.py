"""What sessions' servers say with their answers of how full their volumes are, written in batches.

A session can say what it likes: whoever writes it sees to it that it speaks of its own.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from uuid import UUID

from notebooks.gateway.contract import Authority
from volumes.contract import VolumeSeen

FLUSH_SECONDS = 30.0
MAX_BYTES = 2048

# An id, what is used and how much there is, in MiB, as a column can hold it.
_VOLUME = re.compile(rb"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})=([0-9]{1,9})/([0-9]{1,9})")

logger = logging.getLogger(__name__)


class Usage:
    """What was heard of each run since it was last written."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._heard: dict[UUID, bytes] = {}

    def hear(self, run_id: UUID, said: bytes) -> None:
        """Take the value of an answer's header."""
        if len(said) <= MAX_BYTES:
            self._heard[run_id] = said

    async def flush(self) -> None:
        """Write what was heard. What cannot be written is said again by every answer."""
        heard, self._heard = self._heard, {}
        seen = {run_id: volumes for run_id, said in heard.items() if (volumes := read(said))}
        if not seen:
            return
        try:
            await self._authority.record_usage(seen)
        except Exception:  # noqa: BLE001 - whatever it raises, the gateway goes on
            logger.warning("How full volumes are could not be written")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()


def read(said: bytes) -> Mapping[UUID, VolumeSeen]:
    """Read a header's value; what is not of its form is left out."""
    found = (_VOLUME.fullmatch(each) for each in said.split())
    return {
        UUID(volume.decode()): VolumeSeen(used_mib=int(used), capacity_mib=int(capacity))
        for volume, used, capacity in (each.groups() for each in found if each)
    }
