"""The part of the form for a new session where its code stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from django.http import QueryDict

from notebooks.backends.contract import CodeSource
from notebooks.setup import Setup
from submarine_site.core.errors import InvalidInput

FIELDS = ("url", "ref", "folder", "depth", "sparse", "submodules", "credential")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """One repository, as it was filled in, right or wrong."""

    url: str = ""
    ref: str = ""
    folder: str = ""
    depth: str = "1"
    sparse: str = ""
    submodules: str = ""
    credential: str = ""
    error: str = ""

    @property
    def has_more(self) -> bool:
        """Whether anything is filled in that few need."""
        usual = CodeRow()
        return any(
            getattr(self, name) != getattr(usual, name)
            for name in ("depth", "sparse", "submodules", "credential")
        )

    def source(self, field: str) -> CodeSource:
        """What was asked for. Raises `InvalidInput`."""
        depth = self.depth.strip() or "0"
        if not (depth.isascii() and depth.isdigit()):
            raise InvalidInput.field(f"{field}.depth", "This is not a number of commits.")
        try:
            credential = UUID(self.credential) if self.credential else None
        except ValueError:
            raise InvalidInput.field(
                f"{field}.credential", "You have no such git credential."
            ) from None
        return CodeSource(
            url=self.url,
            ref=self.ref,
            folder=self.folder,
            depth=int(depth[:9]),
            sparse=self.sparse,
            submodules=bool(self.submodules),
            credential=credential,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeForm:
    """As it was filled in, to be shown again. `opens` is the file to open when it is ready."""

    filled: Sequence[CodeRow] = ()
    opens: str = ""
    error: str = ""

    @classmethod
    def of_post(cls, post: QueryDict) -> Self:
        """Read what was sent."""
        columns = [post.getlist(f"code-{name}") for name in FIELDS]
        rows = (
            CodeRow(**dict(zip(FIELDS, row, strict=True))) for row in zip(*columns, strict=False)
        )
        return cls(filled=[row for row in rows if row.url.strip()], opens=post.get("opens", ""))

    @classmethod
    def of_setup(cls, setup: Setup) -> Self:
        """Fill it in."""
        return cls(filled=[_row(source) for source in setup.code], opens=setup.opens)

    def refused(self, fields: Mapping[str, str]) -> Self:
        """The same with what is wrong, by the fields of the refusal, at where it is wrong."""
        errors = {
            name.split(".")[1]: said for name, said in fields.items() if name.startswith("code.")
        }
        rows = [replace(row, error=errors.get(str(n), "")) for n, row in enumerate(self.filled)]
        return replace(self, filled=rows, error=fields.get("code", ""))

    @property
    def rows(self) -> Sequence[CodeRow]:
        """What is shown: what was filled in, and where more can be."""
        return [*self.filled, CodeRow()]

    @property
    def is_used(self) -> bool:
        """Whether anything is filled in."""
        return bool(self.filled or self.opens)

    def sources(self) -> tuple[CodeSource, ...]:
        """What was asked for. Raises `InvalidInput`."""
        return tuple(row.source(f"code.{n}") for n, row in enumerate(self.filled))


def _row(source: CodeSource) -> CodeRow:
    return CodeRow(
        url=source.url,
        ref=source.ref,
        folder=source.folder,
        depth=str(source.depth),
        sparse=source.sparse,
        submodules="yes" if source.submodules else "",
        credential=str(source.credential or ""),
    )
