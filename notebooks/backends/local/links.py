"""Links in a home to the volumes that are attached to it, one at the path of each.

Which of them are ours is kept in a record beside the homes. The home is its user's, who may put
anything anywhere: no link in it is followed, and what is not ours stays.
"""

import errno
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from notebooks.backends.local.before.room import FULL
from notebooks.backends.local.folders import opened
from notebooks.backends.local.runs import write_private
from submarine_site.core.outside import BackendRefused

# What opening a folder says of a link, or of something else that is no folder.
NO_FOLDER = frozenset({errno.ELOOP, errno.ENOTDIR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A folder that another run has in the same home, and the name of its session."""

    path: str
    folder: str
    session: str


def arrange(
    home: Path,
    wanted: Mapping[str, str],
    *,
    record: Path,
    needed: Sequence[Needed],
    is_ours: Callable[[str], bool],
) -> None:
    """Have these folders, by their paths, and leave out those of earlier runs that are not
    `needed` by others. Raises `BackendRefused` where there is something else.

    A full home has those that it has room for: the run ends for that, or is a rescue.
    """
    _refuse_what_is_in_the_way(wanted, needed)
    known = _read(record)
    ours = {*known.values(), *wanted.values()}
    still = {*wanted, *(each.path for each in needed)}
    kept = {path: known[path] for path in known if path in still}
    with opened(home) as top:
        for path in known.keys() - kept.keys():
            _remove(top, path, known[path])
        # First: a link that no record tells of would stay for good.
        write_private(record, json.dumps({**kept, **wanted}))
        try:
            for path, folder in wanted.items():
                _put(top, path, folder, lambda there: there in ours or is_ours(there))
        except OSError as error:
            if error.errno not in FULL:
                raise


def _refuse_what_is_in_the_way(wanted: Mapping[str, str], needed: Sequence[Needed]) -> None:
    for path, folder in wanted.items():
        for there in needed:
            if path == there.path and folder != there.folder:
                has = f"another volume at “{path}”"
            elif path != there.path and _overlap(path, there.path):
                has = f"a volume at “{there.path}”, which is in the way of one at “{path}”"
            else:
                continue
            raise BackendRefused(
                f"The session “{there.session}” has the same home, and {has}. Stop "
                f"“{there.session}” first, or attach the volume at another path.",
                code="mount_path_in_use",
            )


def _overlap(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def _read(record: Path) -> dict[str, str]:
    """Empty also if a crash of the machine spoilt it."""
    try:
        known: dict[str, str] = json.loads(record.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return known


def _put(top: int, path: str, folder: str, is_ours: Callable[[str], bool]) -> None:
    """Have the link, in the place of one that is ours."""
    parent, _, name = path.rpartition("/")
    with _entered(top, parent, make=True) as at:
        try:
            there = os.readlink(name, dir_fd=at)
        except FileNotFoundError:
            os.symlink(folder, name, dir_fd=at)
            return
        except OSError as error:
            if error.errno == errno.EINVAL:
                # It is no link.
                raise _taken(path) from error
            raise
        if there == folder:
            return
        if not is_ours(there):
            raise _taken(path)
        new = f".{secrets.token_hex(8)}"
        os.symlink(folder, new, dir_fd=at)
        os.replace(new, name, src_dir_fd=at, dst_dir_fd=at)


def _remove(top: int, path: str, folder: str) -> None:
    """Remove the link if it is the one that was put there, with folders that are empty then: one
    left behind would be in the way of a volume in its place.
    """
    parent, _, name = path.rpartition("/")
    # Its user may have removed it, put something else there, or closed it to us.
    with suppress(OSError, BackendRefused):
        with _entered(top, parent) as at:
            if os.readlink(name, dir_fd=at) != folder:
                return
            os.unlink(name, dir_fd=at)
        while parent:
            parent, _, name = parent.rpartition("/")
            with _entered(top, parent) as at:
                os.rmdir(name, dir_fd=at)


@contextmanager
def _entered(top: int, path: str, *, make: bool = False) -> Iterator[int]:
    """Open a folder below another, through folders alone."""
    with ExitStack() as entered:
        at = top
        names = path.split("/") if path else []
        for n, name in enumerate(names, start=1):
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=at)
            try:
                at = entered.enter_context(opened(name, at))
            except OSError as error:
                if error.errno in NO_FOLDER:
                    raise _taken("/".join(names[:n])) from error
                raise
        yield at


def _taken(path: str) -> BackendRefused:
    return BackendRefused(
        f"There is something at “{path}” in the home already: move it away, or attach the volume "
        "at another path.",
        code="mount_path_taken",
    )
