"""Counts the bytes that move through the gateway, so that a transfer that takes longer than a
session's idle limit is not cut by it.

What an open tab moves by itself does not count, or no session that somebody forgot would ever end.
"""

import asyncio
import math
import re
from dataclasses import dataclass
from fcntl import ioctl
from struct import unpack
from termios import TIOCOUTQ
from time import monotonic
from uuid import UUID

from notebooks.gateway.activity import Activity, is_read

WINDOW_SECONDS = 30.0
USE_BYTES = 16 * 1024
"""A session is in use if more than this moves in a window. One open and untouched tab of JupyterLab
4 with a notebook and a terminal moves 13.7 KB in a window, measured over four minutes: 12.3 KB of
reads of Jupyter's API, and 1.4 KB of events. Neither is counted, for they grow with the number of
tabs and the size of the folder that is shown; the bound holds what is left, such as keep-alives.
"""

POLL_SECONDS = 10.0
"""JupyterLab reads this often. A read that takes longer is no poll, but a download through the API.
"""

STALL_SECONDS = 300.0
"""For how long a transfer goes on counting whose reader is behind, with nothing that moves. A slow
reader's system takes the next lump only when much of its buffer is free: at 3 KB a second, two
minutes pass between two lumps of 400 KB.
"""

LOOK_SECONDS = 5.0

# Of JupyterLab itself, and of its Git extension, whose reads grow with the repository.
_POLLED = re.compile(r"(?:[^/?]+/)*api/|git/")
# A kernel's messages are judged one by one (`activity`), and a busy kernel is use by itself.
_JUDGED_OTHERWISE = re.compile(r"api/(?:events/|kernels/[^/]+/channels(?:\?|\Z))")


class Transfer:
    """The bytes of one exchange, in both directions. `passed` is how many were handed on;
    `transports` are those to which they were, whose buffers they may still be in.
    """

    __slots__ = (
        "_counted",
        "counts_from",
        "is_behind",
        "passed",
        "session_id",
        "transports",
        "used_at",
    )

    def __init__(
        self, session_id: UUID, client: asyncio.WriteTransport, *, counts_from: float
    ) -> None:
        self.session_id = session_id
        self.transports = [client]
        self.counts_from = counts_from
        self.passed = 0
        self.is_behind = False
        """Whether bytes waited for a reader at the last look."""
        self.used_at = -math.inf
        """When what moved was use."""
        self._counted = 0

    def take_moved(self) -> int:
        """How many bytes have left this machine since the last call. A slow reader's wait in
        buffers for minutes, and would seem to have moved at once, and then not at all.
        """
        waiting = sum(map(_waiting, self.transports))
        self.is_behind = waiting > 0
        moved = max(0, self.passed - waiting - self._counted)
        self._counted += moved
        return moved

    def take_rest(self) -> int:
        """How many bytes were not counted before."""
        moved, self._counted = self.passed - self._counted, self.passed
        return moved


@dataclass(slots=True)
class _Window:
    ends_at: float
    moved: int = 0


class Transfers:
    """All that is under way."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._open: set[Transfer] = set()
        self._windows: dict[UUID, _Window] = {}

    def begin(
        self,
        session_id: UUID,
        client: asyncio.WriteTransport,
        *,
        method: str,
        within: str,
        websocket: bool,
    ) -> Transfer:
        counts_from = monotonic() + _uncounted_seconds(method, within, websocket=websocket)
        transfer = Transfer(session_id, client, counts_from=counts_from)
        self._open.add(transfer)
        return transfer

    def end(self, transfer: Transfer) -> None:
        self._open.discard(transfer)
        self._count(transfer, transfer.take_rest())

    def look(self) -> None:
        """Count what has moved since the last look."""
        now = monotonic()
        for transfer in self._open:
            if moved := transfer.take_moved():
                self._count(transfer, moved)
            elif transfer.is_behind and now < transfer.used_at + STALL_SECONDS:
                self._activity.stamp(transfer.session_id)
        for session_id in [key for key, each in self._windows.items() if each.ends_at <= now]:
            del self._windows[session_id]

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def _count(self, transfer: Transfer, moved: int) -> None:
        now = monotonic()
        if not moved or now < transfer.counts_from:
            return
        window = self._windows.get(transfer.session_id)
        if window is None or window.ends_at <= now:
            window = self._windows[transfer.session_id] = _Window(now + WINDOW_SECONDS)
        window.moved += moved
        if window.moved > USE_BYTES:
            transfer.used_at = now
            self._activity.stamp(transfer.session_id)


def _uncounted_seconds(method: str, within: str, *, websocket: bool) -> float:
    """For how long the bytes of an exchange count as nothing."""
    if websocket:
        return math.inf if _JUDGED_OTHERWISE.match(within) else 0.0
    return POLL_SECONDS if is_read(method, within) and _POLLED.match(within) else 0.0


def _waiting(transport: asyncio.WriteTransport) -> int:
    """How many bytes that were written have not left: those of the kernel's buffer as well."""
    unsent: int
    try:
        descriptor = transport.get_extra_info("socket").fileno()
        (unsent,) = unpack("i", ioctl(descriptor, TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):  # not told by this system, or closed
        unsent = 0
    return unsent + transport.get_write_buffer_size()
