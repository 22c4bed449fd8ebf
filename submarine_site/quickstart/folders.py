"""Where the quickstart keeps what it needs: a data folder that stays, a runtime folder for sockets.

One supervisor at a time uses a data folder: it holds a lock on a file in it, which the kernel
drops with the process.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from submarine_site.quickstart.errors import QuickstartError

# The path of a Unix socket has at most 107 bytes (103 on macOS), and the longest of the names
# that follow is that of a session's socket.
LONGEST_RUNTIME_PATH = 50
NEEDED_BYTES = 200 * 1024**2


def data_folder(path: Path) -> Path:
    """Make the data folder if need be, and see that it can be used."""
    path = path.absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise QuickstartError(
            f"{path} is not a folder: choose another with `make run DATA=…`."
        ) from None
    except OSError as error:
        raise _unusable(path, error) from error
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        # Whoever may put files there could have us run what they like.
        raise QuickstartError(
            f"Others may write into {path}: close it with `chmod go-w`, "
            "or choose another folder with `make run DATA=…`."
        )
    free = shutil.disk_usage(path).free
    if free < NEEDED_BYTES:
        raise QuickstartError(
            f"The disk of {path} is full ({free // 1024**2} MiB free): "
            "make room, or choose another place with `make run DATA=…`."
        )
    return path


def _unusable(path: Path, error: OSError) -> QuickstartError:
    return QuickstartError(
        f"The data folder {path} cannot be used ({error.strerror}): "
        "choose another with `make run DATA=…`."
    )


@contextmanager
def locked(data: Path) -> Iterator[Callable[[str], None]]:
    """Hold the data folder; refused, with who has it, if another supervisor does.

    Gives a function to call with the address, for the one who is refused.
    """
    try:
        file = (data / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise _unusable(data, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise QuickstartError(_already_running(file.read())) from None
        file.truncate(0)

        def tell(url: str) -> None:
            json.dump({"pid": os.getpid(), "url": url}, file)
            file.flush()

        yield tell


def _already_running(text: str) -> str:
    try:
        holder = json.loads(text)
        who = f"at {holder['url']}, pid {holder['pid']}"
    except (ValueError, KeyError, TypeError):  # It has not yet told.
        who = "and is just starting"
    return (
        f"It is already running {who}: "
        "use that, stop it, or choose another data folder with `make run DATA=…`."
    )


@contextmanager
def runtime_folder(data: Path) -> Iterator[Path]:
    """Hold the folder for this data folder's sockets: private, and with a short path."""
    digest = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
    folder = Path("/tmp") / f"submarine-{os.geteuid()}-{digest}"  # noqa: S108 - see below
    given = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if _is_private(given) and _suits_sockets(given / f"submarine-{digest}"):
        folder = given / f"submarine-{digest}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise QuickstartError(
            f"The folder {folder} cannot be made ({error.strerror}): "
            "set XDG_RUNTIME_DIR to a folder of your own."
        ) from error
    if not _is_private(folder):
        raise QuickstartError(
            f"{folder} is not a folder of your own that only you can enter: "
            "remove it, or set XDG_RUNTIME_DIR to a folder of your own."
        )
    try:
        yield folder
    finally:
        with suppress(OSError):  # What was killed has left its socket, or a session runs on.
            folder.rmdir()


def _suits_sockets(path: Path) -> bool:
    """Short, absolute, and without what has a meaning in a URL or in PostgreSQL's settings."""
    return len(os.fsencode(path)) <= LONGEST_RUNTIME_PATH and bool(
        re.fullmatch(r"/[\w./-]+", str(path), re.ASCII)
    )


def _is_private(path: Path) -> bool:
    """A folder, not a link to one; ours; closed to others."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & 0o077
    )


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
