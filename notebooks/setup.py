"""What a session starts with beyond its size and environment.

Chosen by its owner, kept with the session for its next start, frozen with each run. It holds no
secret: of those it has the names alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from notebooks import code_sources, mounts, variables
from notebooks.backends.contract import CodeSource
from notebooks.mounts import Mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """`opens` is the file, below the home, that the pages open when the session is ready; empty:
    none. `secrets` are the names of its owner's own.
    """

    code: tuple[CodeSource, ...] = ()
    opens: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What a JSON column can hold, for `from_json`. Of nothing it is empty."""
        kept: dict[str, Any] = {}
        if self.code:
            kept["code"] = [source.as_json() for source in self.code]
        if self.opens:
            kept["opens"] = self.opens
        if self.variables:
            kept["variables"] = dict(self.variables)
        if self.secrets:
            kept["secrets"] = list(self.secrets)
        if self.mounts:
            kept["mounts"] = [mount.as_json() for mount in self.mounts]
        return kept

    def without_values(self) -> dict[str, Any]:
        """The same for a record that others may read: of variables it has the names alone."""
        return {**self.as_json(), "variables": sorted(self.variables)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(
            code=tuple(CodeSource.from_json(source) for source in kept.get("code", ())),
            opens=kept.get("opens", ""),
            variables=kept.get("variables", {}),
            secrets=tuple(kept.get("secrets", ())),
            mounts=tuple(Mount.from_json(mount) for mount in kept.get("mounts", ())),
        )


NOTHING = Setup()


def checked(setup: Setup) -> Setup:
    """Return it as it can be used. Raises `InvalidInput`, which names what is wrong."""
    if setup == NOTHING:
        return setup
    code = code_sources.checked(setup.code)
    return Setup(
        code=code,
        opens=code_sources.checked_path(setup.opens, "opens"),
        variables=variables.checked(setup.variables),
        secrets=variables.checked_picks(setup.secrets),
        mounts=mounts.checked(setup.mounts, code),
    )
