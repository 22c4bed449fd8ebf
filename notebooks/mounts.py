"""The rules for which volumes a session has, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

from notebooks.backends.contract import CodeSource
from notebooks.code_sources import checked_path, overlap
from submarine_site.core.errors import InvalidInput

MAX_MOUNTS = 10
MAX_PART_BYTES = 255
"""What file systems take as the name of a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One of its owner's volumes, by id, at a path below the home."""

    volume: UUID
    path: str
    read_only: bool = False

    def as_json(self) -> dict[str, Any]:
        """What a JSON column can hold, for `from_json`."""
        return {"volume": str(self.volume), "path": self.path, "read_only": self.read_only}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(volume=UUID(kept["volume"]), path=kept["path"], read_only=kept["read_only"])


def checked(mounts: Sequence[Mount], code: Sequence[CodeSource]) -> tuple[Mount, ...]:
    """Return them as they can be used, beside this code, whose folders are known. Raises
    `InvalidInput`, which names what is wrong: `mounts`, or `mounts.<n>.path` and the like.
    """
    if len(mounts) > MAX_MOUNTS:
        raise InvalidInput.field(
            "mounts", f"There are {len(mounts)} volumes; {MAX_MOUNTS} is the most."
        )
    clean = tuple(
        replace(mount, path=_checked_path(mount.path, f"mounts.{n}.path"))
        for n, mount in enumerate(mounts)
    )
    folders = [source.folder for source in code]
    for n, mount in enumerate(clean):
        before = clean[:n]
        # Some storage drivers wait forever for a volume that a pod names twice.
        if mount.volume in {other.volume for other in before}:
            raise InvalidInput.field(
                f"mounts.{n}.volume", "This volume is at another path already."
            )
        for taken in (*folders, *(other.path for other in before)):
            if overlap(mount.path, taken):
                raise InvalidInput.field(
                    f"mounts.{n}.path",
                    f"“{mount.path}” and “{taken}” are in each other's way: each volume and each "
                    "repository needs a folder of its own.",
                )
    return clean


def _checked_path(raw: str, field: str) -> str:
    path = raw.strip()
    if not path:
        raise InvalidInput.field(field, "A path below the home is needed, such as “data”.")
    if path.startswith("/"):
        raise InvalidInput.field(field, "A path begins below the home: “data”, not “/data”.")
    path = checked_path(path, field)
    if not path.isprintable():
        raise InvalidInput.field(field, "The path holds a character that cannot be shown.")
    if ":" in path:
        # Kubernetes takes none in the path of a mount.
        raise InvalidInput.field(field, "The path cannot hold a colon.")
    parts = path.split("/")
    if any(part.startswith(".") for part in parts):
        # What the server itself and the shell keep in the home: .jupyter, .local, .ssh, .config.
        raise InvalidInput.field(field, "No part of the path may begin with a dot.")
    if any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        raise InvalidInput.field(field, f"A folder's name has at most {MAX_PART_BYTES} bytes.")
    return path
