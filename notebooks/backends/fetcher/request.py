"""What the program that fetches code is asked to do, and under which rules; as JSON.

Part of that program: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Mapping


@dataclass(frozen=True)
class Rules:
    """What holds for all code of a site.

    `seconds` for all of a session's code; `mib` and `files` for each repository. For the networks
    see `addresses`. `known_hosts` is the text of such a file of ssh; `ca_certificates`, in PEM, are
    trusted beside the system's own.
    """

    seconds: int = 300
    mib: int = 2048
    files: int = 50_000
    allowed_networks: tuple[str, ...] = ()
    blocked_networks: tuple[str, ...] = ()
    known_hosts: str = ""
    ca_certificates: str = ""


USUAL_RULES = Rules()


@dataclass(frozen=True)
class Access:
    """A credential for these hosts alone: a token with its user name, or else a private key."""

    hosts: tuple[str, ...]
    username: str = ""
    token: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Source:
    """One repository. `access` None with `needs_access`: its credential is not to be had."""

    url: str
    folder: str
    ref: str = ""
    depth: int = 1
    submodules: bool = False
    sparse: str = ""
    needs_access: bool = False
    access: Access | None = None


@dataclass(frozen=True)
class Request:
    """Put these into folders below `home`."""

    home: str
    sources: tuple[Source, ...]
    rules: Rules

    def dump(self) -> str:
        """As JSON. It holds the credentials."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Request:
        """What `dump` gave."""
        raw: dict[str, Any] = json.loads(text)
        return cls(
            home=raw["home"],
            sources=tuple(_source(each) for each in raw["sources"]),
            rules=Rules(**{**raw["rules"], **_tuples(raw["rules"])}),
        )


def _source(raw: Mapping[str, Any]) -> Source:
    access = raw["access"]
    return Source(**{**raw, "access": access and Access(**{**access, **_tuples(access)})})


def _tuples(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) for name, value in raw.items() if isinstance(value, list)}
