"""Processes that outlive who started them, and the lock by which each is known to live.

The lock is a file in the process's folder, taken before it is started and inherited by it: pids are
used again, a lock is let go by whatever ends its holder.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# The program takes hundredths of a second to detach itself.
SPAWN_TIMEOUT = 30.0


@contextmanager
def life(folder: Path) -> Iterator[int | None]:
    """Take the lock of life for whoever inherits the descriptor; None if it is held."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield lock
    finally:
        os.close(lock)


def is_alive(folder: Path) -> bool:
    """Whether somebody holds the lock of life."""
    with life(folder) as lock:
        if lock is None:
            return True
        # Closing is not enough while a child just being forked has a copy.
        fcntl.flock(lock, fcntl.LOCK_UN)
        return False


def spawn(
    program: Sequence[str | Path],
    *,
    lock: int,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path | None = None,
) -> None:
    """Run a Python program that detaches itself, taking over the lock. It is isolated from this
    environment, and without the imports of `site`. Raises `SubprocessError`.
    """
    with log.open("ab") as output:
        subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-S", *program],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[lock],
            start_new_session=True,
            timeout=SPAWN_TIMEOUT,
            check=True,
        )
