"""What a session starts with beyond its size and environment.

Chosen by its owner, kept with the session for its next start, frozen with each run. It holds no
secret: of those it has the ids alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from notebooks import code_sources
from notebooks.backends.contract import CodeSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """`opens` is the file, below the home, that the pages open when the session is ready; empty:
    none.
    """

    code: tuple[CodeSource, ...] = ()
    opens: str = ""

    def as_json(self) -> dict[str, Any]:
        """What a JSON column can hold, for `from_json`. Of nothing it is empty."""
        kept: dict[str, Any] = {}
        if self.code:
            kept["code"] = [source.as_json() for source in self.code]
        if self.opens:
            kept["opens"] = self.opens
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(
            code=tuple(CodeSource.from_json(source) for source in kept.get("code", ())),
            opens=kept.get("opens", ""),
        )


NOTHING = Setup()


def checked(setup: Setup) -> Setup:
    """Return it as it can be used. Raises `InvalidInput`, which names what is wrong."""
    if setup == NOTHING:
        return setup
    return Setup(
        code=code_sources.checked(setup.code),
        opens=code_sources.checked_path(setup.opens, "opens"),
    )
