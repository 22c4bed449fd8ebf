"""What is to be built, and what holds for all builds of a site."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where packages come from, and how far a build may go.

    `indexes` are those of pip packages, asked in their order; none: the public one. `environment`
    is for the tools: proxies. `ca` are certificates to trust beside the system's, as PEM.
    """

    indexes: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    ca: str = ""
    seconds: int = 1800
    size_bytes: int = 20 * 1024**3


@dataclass(frozen=True, kw_only=True)
class Request:
    """One kernel. Channels are names or addresses.

    `lock`: what an earlier build of it had installed, to have the same again. `memory_mib` bounds
    each process where nothing else does; 0: it is bounded by others.
    """

    folder: str
    name: str
    display_name: str
    channels: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    lock: dict[str, Any] | None = None
    memory_mib: int = 0
    site: Site = field(default_factory=Site)

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Request":
        given = json.loads(text)
        return cls(**{**given, "site": Site(**given["site"])})
