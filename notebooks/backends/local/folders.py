"""Folders that users have filled, in which no symlink is followed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Of a folder, and of no symlink to one.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove_tree(top: Path) -> None:
    """Remove a folder and what it holds, if it is there; also what is closed or read-only.

    Every folder is moved to the top before it is emptied: a tree may be deeper than a path, the
    stack or the open files can be. Another try goes on where one was ended.
    """
    with suppress(FileNotFoundError):
        top.chmod(0o700)
        with opened(top) as at:
            waiting = _cleared(at)
            while waiting:
                name = waiting.pop()
                with opened(name, at) as within:
                    for inner in _cleared(within):
                        moved = secrets.token_hex(8)
                        os.rename(inner, moved, src_dir_fd=within, dst_dir_fd=at)
                        waiting.append(moved)
                os.rmdir(name, dir_fd=at)
        top.rmdir()


def _cleared(at: int) -> list[str]:
    """Remove all but the folders of a folder; which those are, by now open to us."""
    with os.scandir(at) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if is_folder:
            # One that may not be written to can neither be emptied nor moved.
            os.chmod(name, 0o700, dir_fd=at)
        else:
            os.unlink(name, dir_fd=at)
    return [name for name, is_folder in found if is_folder]


@contextmanager
def opened(folder: Path | str, at: int | None = None) -> Iterator[int]:
    """Open a folder, by its path or by its name in another one."""
    descriptor = os.open(folder, FOLDER, dir_fd=at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
