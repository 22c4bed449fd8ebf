"""The part of the form for a new session where variables stand and secrets are picked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.http import QueryDict

from notebooks.setup import Setup
from submarine_site.core.errors import InvalidInput

BLANK_ROWS = 3
"""At least so many without a script, with which there can be more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariablesForm:
    """As it was filled in, right or wrong, to be shown again."""

    filled: Sequence[tuple[str, str]] = ()
    picked: Sequence[str] = ()

    @classmethod
    def of_post(cls, post: QueryDict) -> Self:
        """Read what was sent."""
        names = (name.strip() for name in post.getlist("variable"))
        # Browsers end lines as nobody else does.
        values = (value.replace("\r\n", "\n") for value in post.getlist("variable-value"))
        rows = zip(names, values, strict=False)
        return cls(filled=[row for row in rows if any(row)], picked=post.getlist("secret"))

    @classmethod
    def of_setup(cls, setup: Setup) -> Self:
        """Fill it in."""
        return cls(filled=list(setup.variables.items()), picked=setup.secrets)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What is shown: what was filled in, and what can be."""
        return [*self.filled, *[("", "")] * max(1, BLANK_ROWS - len(self.filled))]

    @property
    def is_used(self) -> bool:
        """Whether anything is filled in."""
        return bool(self.filled or self.picked)

    def variables(self) -> dict[str, str]:
        """By their names. Raises `InvalidInput`."""
        found: dict[str, str] = {}
        for name, value in self.filled:
            if name in found:
                raise InvalidInput.field("variables", f"{name} is set twice.")
            found[name] = value
        return found
