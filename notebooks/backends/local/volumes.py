"""Volumes as folders: one for each, or one that an operator gave.

    homes/<volume id>             what it holds, whether it is a home or not
    links/<volume id>.json        where in it, if it is a home, other volumes are: see `links`
    discarded/<name>.<random>     on its way out

What is discarded is renamed out of sight first, and removed after that.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from notebooks.backends.local.before.room import MIB, held_bytes
from notebooks.backends.local.folders import remove_tree
from notebooks.backends.local.runs import locked, private_folder
from submarine_site.core.outside import BackendRefused
from volumes.contract import VolumeSeen, VolumeSpec

# How long a look at all volumes may take.
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """`locked(volumes.folder)`, shared, keeps every volume from being discarded."""

    data: Path

    @property
    def folder(self) -> Path:
        return self.data / "homes"

    @property
    def links(self) -> Path:
        return self.data / "links"

    @property
    def discarded(self) -> Path:
        return self.data / "discarded"

    def of(self, spec: VolumeSpec) -> Path:
        """The folder of a volume, whether or not it is there."""
        return Path(spec.claim).resolve() if spec.claim else self.folder / str(spec.id)

    def record_of(self, volume_id: UUID) -> Path:
        """The record of the links in it."""
        return self.links / f"{volume_id}.json"

    @contextmanager
    def arranging(self) -> Iterator[None]:
        """Hold the lock of whoever arranges links. No user can hold it, as one of a home could."""
        private_folder(self.links)
        with locked(self.links):
            yield

    def is_ours(self, target: str) -> bool:
        """Whether this, to which a link may point, is where one of these volumes is, or was."""
        path = Path(target)
        return path.parent == self.folder and _id(path.name) is not None

    def ensure(self, spec: VolumeSpec) -> None:
        """Make it if it is not there. What an operator gave is looked at alone."""
        if spec.claim:
            self._check(spec.claim)
        else:
            private_folder(self.of(spec))

    def existing(self, spec: VolumeSpec) -> Path:
        """The folder of a volume that is there. Raises `BackendRefused`."""
        if spec.claim:
            self._check(spec.claim)
        folder = self.of(spec)
        if not folder.is_dir():
            name = f"“{spec.display_name}”" if spec.display_name else "The volume"
            raise BackendRefused(f"{name} does not exist.", code="volume_missing")
        return folder

    def discard(self, folder: Path, name: str) -> None:
        """Take a folder away from where it is found, if it is there."""
        if folder.exists():
            private_folder(self.discarded)
            # One that may not be written to cannot be moved.
            folder.chmod(0o700)
            folder.rename(self.discarded / f"{name}.{secrets.token_hex(4)}")

    def remove_discarded(self, name: str = "*") -> None:
        """Remove what was discarded under this name, now or by somebody who did not come so far."""
        if self.discarded.is_dir():
            with locked(self.discarded):
                errors = []
                for folder in self.discarded.glob(f"{name}.*"):
                    try:
                        remove_tree(folder)
                    except OSError as error:
                        # What is another user's, say: it must not keep the others there.
                        errors.append(error)
                if errors:
                    raise errors[0]

    def look(self) -> dict[UUID, VolumeSeen]:
        """Every volume that is there, with what it holds where that can be told in time."""
        found = list(self._all())
        until = time.monotonic() + LOOK_SECONDS
        seen = {}
        for done, (volume_id, folder) in enumerate(found):
            now = time.monotonic()
            # To each its share, and what the others left of theirs.
            share = max(0.0, until - now) / (len(found) - done)
            held = held_bytes(str(folder), now + share)
            seen[volume_id] = VolumeSeen(used_mib=None if held is None else held // MIB)
        return seen

    def _all(self) -> Iterator[tuple[UUID, Path]]:
        if self.folder.is_dir():
            for folder in self.folder.iterdir():
                # File managers leave files of their own in any folder.
                if volume_id := _id(folder.name):
                    yield volume_id, folder

    def _check(self, claim: str) -> None:
        """Raise `BackendRefused` unless an operator can give this folder."""
        path, data = Path(claim).resolve(), self.data.resolve()
        if not Path(claim).is_absolute() or path == Path("/"):
            raise BackendRefused(
                f"“{claim}” cannot be a volume: name a folder by its absolute path.",
                code="volume_refused",
            )
        if path.is_relative_to(data) or data.is_relative_to(path):
            raise BackendRefused(
                f"“{claim}” cannot be a volume: the service's own files are there.",
                code="volume_refused",
            )
        if not path.is_dir():
            raise BackendRefused(f"There is no folder at “{claim}”.", code="volume_missing")


def _id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
