"""The end of a run's log, read from its end."""

import os
from pathlib import Path

from notebooks.backends.local.shim import LOG, OLDER_LOG

BLOCK = 64 * 1024
# What a page can show: one line may be as long as the whole log.
LIMIT = 1024 * 1024


def tail(folder: Path, lines: int) -> str:
    """The last lines of the log and, where it is short because it was rotated, of the older one."""
    text = b""
    for name in (LOG, OLDER_LOG):
        text = _tail(folder / name, lines - text.count(b"\n")) + text
    return text[-LIMIT:].decode(errors="replace")


def _tail(path: Path, lines: int) -> bytes:
    if lines <= 0 or not path.exists():
        return b""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        blocks: list[bytes] = []
        newlines = 0
        # One more newline than lines: the one before the first of them.
        while position > 0 and newlines <= lines and len(blocks) * BLOCK < LIMIT:
            size = min(BLOCK, position)
            position = file.seek(position - size)
            blocks.append(file.read(size))
            newlines += blocks[-1].count(b"\n")
    return b"".join(b"".join(reversed(blocks)).splitlines(keepends=True)[-lines:])
