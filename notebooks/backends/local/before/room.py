"""Whether a home has room for a server's files, and what a folder holds.

Part of the program `before`: the standard library alone.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress

MIB = 1024 * 1024
# What a server writes before it answers is less.
ROOM = MIB
# How long a home may be looked at: what it holds is not known then.
LOOK_SECONDS = 1.0
# Looking at the clock takes as long as looking at a file.
FILES_BETWEEN_CLOCKS = 100

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def why_full(home: str, size_mib: int | None) -> str:
    """Say in what way a home is full; empty if it is not, or that cannot be known."""
    if size_mib:
        held = held_bytes(home, time.monotonic() + LOOK_SECONDS)
        if held is not None and held >= size_mib * MIB:
            return f"The home is full: {held // MIB} of {size_mib} MiB."
    if not _has_room(home):
        disk = os.statvfs(home)
        total = disk.f_blocks * disk.f_frsize // MIB
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize // MIB
        return f"The home is full: {used} of {total} MiB of its disk are used."
    return ""


def held_bytes(top: str, until: float) -> int | None:
    """How much a folder's files take up on the disk; None where there are too many to know it by
    then. Follows no symlink, and counts a file once that has several names.
    """
    held = looked_at = 0
    known: set[tuple[int, int]] = set()
    folders = [top]
    while folders:
        for entry in _entries(folders.pop()):
            looked_at += 1
            if looked_at % FILES_BETWEEN_CLOCKS == 0 and time.monotonic() > until:
                return None
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                # Removed meanwhile.
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif status.st_nlink > 1:
                identity = status.st_dev, status.st_ino
                if identity in known:
                    continue
                known.add(identity)
            held += status.st_blocks * 512
    return held


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    # Removed meanwhile, or closed to us by its user.
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _has_room(home: str) -> bool:
    path = f"{home}/.room-{os.urandom(8).hex()}"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Before it is written: whatever ends this leaves nothing behind.
            os.unlink(path)  # noqa: PTH108
            left = ROOM
            while left:
                left -= os.write(file, bytes(left))
        finally:
            # Some file systems say only now that there was no room.
            os.close(file)
    except OSError as error:
        return error.errno not in FULL
    return True
