"""Asks Jupyter servers whether something happens in them that nobody has to be at: kernels that
compute, terminals that write. Those alone that are about to be stopped for being idle.

A session can say what it likes: what makes no sense, and no answer, is that it is not known.
"""

import asyncio
import json
import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from notebooks.gateway.contract import Authority, Probe, Probed
from notebooks.gateway.upstream import Pool, UpstreamGoneError

LOOK_SECONDS = 5.0
ANSWER_SECONDS = 5.0
MAX_ANSWER = 1024 * 1024

logger = logging.getLogger(__name__)


class _UnknownError(Exception):
    """Raised with the words for why it is not known."""


class Idleness:
    """Asks those that are due."""

    def __init__(self, authority: Authority, pool: Pool) -> None:
        self._authority = authority
        self._pool = pool

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Ask all that are due now, and write what they said."""
        try:
            due = await self._authority.due_probes()
            if due:
                probed = await asyncio.gather(*(self._ask(probe) for probe in due))
                await self._authority.record_probes(probed)
        except Exception:  # noqa: BLE001 - whatever it raises, they are due again
            logger.warning("Whether sessions are idle could not be looked at, will try again")

    async def _ask(self, probe: Probe) -> Probed:
        asked_at = datetime.now(UTC)  # noqa: TID251 - no Django here
        known = {"session_id": probe.session_id, "run_id": probe.run_id, "asked_at": asked_at}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                kernels = await self._list(probe, "api/kernels")
                terminals = await self._list(probe, "api/terminals", may_lack=True)
            return Probed(
                **known,  # type: ignore[arg-type]
                kernel_at=_latest(kernels, asked_at),
                terminal_at=_latest(terminals, asked_at),
            )
        except _UnknownError as unknown:
            failure = str(unknown)
        except (UpstreamGoneError, TimeoutError):
            failure = "Jupyter did not answer whether something happens in it."
        logger.warning("run %s: %s", probe.run_id, failure)
        return Probed(**known, failure=failure)  # type: ignore[arg-type]

    async def _list(self, probe: Probe, what: str, *, may_lack: bool = False) -> list[Any]:
        connection = await self._pool.acquire(probe.address, fresh=True)
        try:
            connection.send(
                b"GET %b%b HTTP/1.1\r\nHost: localhost\r\nAuthorization: token %b\r\n\r\n"
                % (probe.base.encode(), what.encode(), probe.token.encode()),
                method="GET",
                upgrade=False,
            )
            head = await connection.head()
            body = bytearray()
            while data := await connection.read():
                body += data
                if len(body) > MAX_ANSWER:
                    raise _UnknownError(f"Jupyter said too much of {what}.")
        finally:
            self._pool.release(probe.address, connection)
        if may_lack and head.status == HTTPStatus.NOT_FOUND:
            return []
        if head.status != HTTPStatus.OK:
            raise _UnknownError(f"Jupyter answered {what} with {head.status}.")
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        if not isinstance(said, list):
            raise _UnknownError(f"Jupyter did not answer {what} with a list.")
        return said


def _latest(said: list[Any], now: datetime) -> datetime | None:
    """When something last happened in one of these kernels or terminals."""
    return max((_when(each, now) for each in said), default=None)


def _when(each: Any, now: datetime) -> datetime:
    try:
        if each.get("execution_state") == "busy":
            return now
        return min(datetime.fromisoformat(each["last_activity"]).astimezone(UTC), now)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise _UnknownError("Jupyter did not say when something last happened.") from None
