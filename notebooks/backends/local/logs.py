"""The end of a run's log, read from its end."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from notebooks.backends.local.shim import LOG, OLDER_LOG

BLOCK = 64 * 1024
# What a page can show: one line may be as long as the whole log.
LIMIT = 1024 * 1024


def tail(folder: Path, lines: int) -> str:
    """The last lines of the log and, where it is short because it was rotated, of the older one."""
    with ExitStack() as files:
        newest = _open(folder / LOG, files)
        older = _open(folder / OLDER_LOG, files)
        # Rotated between the two: what was the log is the older one by now.
        if newest and older and os.path.sameopenfile(newest.fileno(), older.fileno()):
            older = None
        text = _tail(newest, lines)
        text = _tail(older, lines - text.count(b"\n")) + text
    return text[-LIMIT:].decode(errors="replace")


def _open(path: Path, files: ExitStack) -> BinaryIO | None:
    """The file; none where it is not there, as the log is not for a moment of each rotation."""
    try:
        return files.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None


def _tail(file: BinaryIO | None, lines: int) -> bytes:
    if file is None or lines <= 0:
        return b""
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
