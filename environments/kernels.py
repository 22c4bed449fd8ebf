"""A kernel that an environment declares, and the digest under which it is built."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

DEFAULTS = "defaults"
"""What Submarine's clients call the channels that are asked where none is named. Here the site says
which those are.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A Jupyter kernel with packages of its own. Specs are in their normal form, checked before."""

    name: str
    display_name: str
    channels: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "display_name": self.display_name,
            **self.specs_as_json(),
        }

    def specs_as_json(self) -> dict[str, list[str]]:
        return {
            "channels": list(self.channels),
            "conda": list(self.conda),
            "pip": list(self.pip),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(
            name=kept["name"],
            display_name=kept["display_name"],
            channels=tuple(kept["channels"]),
            conda=tuple(kept["conda"]),
            pip=tuple(kept["pip"]),
        )

    def digest(self, image: str) -> str:
        """Name what is built of this kernel by programs of `image`: the same for the same result.

        The order of channels says which is asked first; that of packages says nothing. Name and
        display name count, because they are written into what is built.
        """
        content = {
            **self.as_json(),
            "conda": sorted(set(self.conda)),
            "pip": sorted(set(self.pip)),
            "image": image,
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
