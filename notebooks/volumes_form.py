"""The part of the form for a session's setup where its volumes stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from django.http import QueryDict

from notebooks.mounts import Mount
from notebooks.setup import Setup
from submarine_site.core.errors import InvalidInput

FIELDS = ("volume", "path", "mode")
READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class MountRow:
    """One volume, by id, as it was filled in, right or wrong."""

    volume: str = ""
    path: str = ""
    mode: str = ""
    error: str = ""

    @property
    def read_only(self) -> bool:
        return self.mode == READ_ONLY

    def mount(self, field: str) -> Mount:
        """What was asked for. Raises `InvalidInput`."""
        try:
            volume = UUID(self.volume)
        except ValueError:
            raise InvalidInput.field(f"{field}.volume", "Choose the volume.") from None
        return Mount(volume=volume, path=self.path, read_only=self.read_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumesForm:
    """As it was filled in, to be shown again."""

    filled: Sequence[MountRow] = ()
    error: str = ""

    @classmethod
    def of_post(cls, post: QueryDict) -> Self:
        """Read what was sent."""
        columns = [post.getlist(f"mount-{name}") for name in FIELDS]
        rows = (
            MountRow(**dict(zip(FIELDS, row, strict=True))) for row in zip(*columns, strict=False)
        )
        return cls(filled=[row for row in rows if row.volume or row.path.strip()])

    @classmethod
    def of_setup(cls, setup: Setup) -> Self:
        """Fill it in."""
        return cls(
            filled=[
                MountRow(
                    volume=str(mount.volume),
                    path=mount.path,
                    mode=READ_ONLY if mount.read_only else "",
                )
                for mount in setup.mounts
            ]
        )

    def refused(self, fields: Mapping[str, str]) -> Self:
        """The same with what is wrong, by the fields of the refusal, at where it is wrong."""
        errors = {
            name.split(".")[1]: said for name, said in fields.items() if name.startswith("mounts.")
        }
        rows = [replace(row, error=errors.get(str(n), "")) for n, row in enumerate(self.filled)]
        return replace(self, filled=rows, error=fields.get("mounts", ""))

    @property
    def rows(self) -> Sequence[MountRow]:
        """What is shown: what was filled in, and where more can be."""
        return [*self.filled, MountRow()]

    @property
    def is_used(self) -> bool:
        """Whether anything is filled in."""
        return bool(self.filled)

    def mounts(self) -> tuple[Mount, ...]:
        """What was asked for. Raises `InvalidInput`."""
        return tuple(row.mount(f"mounts.{n}") for n, row in enumerate(self.filled))
