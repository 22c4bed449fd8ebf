"""Homes: one folder for each volume. A home is renamed out of sight before it is removed."""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from notebooks.backends.local.runs import private_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """`locked(homes.folder)`, shared, keeps every home from being discarded."""

    data: Path

    @property
    def folder(self) -> Path:
        return self.data / "homes"

    @property
    def discarded(self) -> Path:
        return self.data / "discarded"

    def of(self, volume_id: UUID) -> Path:
        return self.folder / str(volume_id)

    def discard(self, volume_id: UUID) -> None:
        """Take the home away from where sessions find it."""
        home = self.of(volume_id)
        if home.exists():
            private_folder(self.discarded)
            # One that may not be written to cannot be moved.
            home.chmod(0o700)
            home.rename(self.discarded / f"{volume_id}.{secrets.token_hex(4)}")

    def remove_discarded(self, volume_id: UUID) -> None:
        """Remove what was discarded under this id, now or by somebody who did not come so far."""
        for folder in self.discarded.glob(f"{volume_id}.*"):
            _remove(folder)


def _remove(top: Path) -> None:
    """Remove a folder and what it holds, also what its user made read-only. Follows no symlink."""
    for parent, folders, _ in os.walk(top):
        for folder in folders:
            path = Path(parent, folder)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(top)
