"""What the gateway hears with each request, kept in memory and written now and then for all."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from notebooks.gateway.contract import Authority

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger(__name__)


class Batches(ABC, Generic[K, V]):
    """The latest word of each since the last flush. `seconds` lie between two flushes; `what` it is
    of, for the log.
    """

    seconds: ClassVar[float]
    what: ClassVar[str]

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._heard: dict[K, V] = {}

    @abstractmethod
    async def _write(self, heard: Mapping[K, V]) -> None:
        """Have it recorded."""

    async def flush(self) -> None:
        """Write what was heard; keep it for the next time if that fails."""
        if not self._heard:
            return
        heard, self._heard = self._heard, {}
        try:
            await self._write(heard)
        except Exception:  # noqa: BLE001 - whatever it raises, what was heard is kept
            logger.warning("%s could not be written, will try again", self.what)
            self._heard = heard | self._heard

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.seconds)
            await self.flush()
