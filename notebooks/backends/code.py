"""What backends need to have code fetched: the program, what it is asked, what it answers."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from notebooks.backends import fetcher
from notebooks.backends.contract import CodeOutcome, CodeSource, CodeStatus, GitAccess, SessionSpec
from notebooks.backends.fetcher.outcome import MAX_MESSAGE
from notebooks.backends.fetcher.request import Access, Request, Rules, Source
from notebooks.failures import REASONS

PROGRAM = "notebooks/backends/fetcher"
"""Where its files have to be, below any folder."""

FETCHING = "Fetching code."
"""What a launch is at, in words."""

FILES = {file.name: file.read_text() for file in sorted(Path(fetcher.__file__).parent.glob("*.py"))}

_USUAL_PORTS = {True: 22, False: 443}
"""By whether it is of ssh."""


def fetching_first(command: list[str], *, request: Path, outcome: Path) -> list[str]:
    """The command line that has code fetched by this Python, and then becomes `command`."""
    program = Path(fetcher.__file__).parent
    return [sys.executable, "-I", "-S", str(program), "fetch", str(request), str(outcome), *command]


def code_request(spec: SessionSpec, rules: Rules, *, home: str) -> str:
    """What the program is asked to do for a run. It holds credentials."""
    sources = tuple(_source(source, spec.git_access) for source in spec.code)
    return Request(home=home, sources=sources, rules=rules).dump()


def outcomes(written: str) -> tuple[CodeOutcome, ...]:
    """What the program wrote. It ran where the session does, so that it may be anything: what is
    not of the form it must have is nothing.
    """
    try:
        return tuple(_outcome(each) for each in json.loads(written))
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


def _outcome(written: Mapping[str, object]) -> CodeOutcome:
    code, message = written["code"], written["message"]
    status = CodeStatus(str(written["status"]))
    return CodeOutcome(status=status, code=_known(code), message=_shown(message))


def _known(code: object) -> str:
    if code and code not in REASONS:
        raise ValueError(code)
    return str(code)


def _shown(message: object) -> str:
    return "".join(char for char in str(message) if char.isprintable())[:MAX_MESSAGE]


def _source(source: CodeSource, credentials: Mapping[UUID, GitAccess]) -> Source:
    found = credentials.get(source.credential) if source.credential else None
    return Source(
        url=source.url,
        folder=source.folder,
        ref=source.ref,
        depth=source.depth,
        submodules=source.submodules,
        sparse=source.sparse,
        needs_access=source.credential is not None,
        access=_access(found) if found else None,
    )


def _access(credential: GitAccess) -> Access:
    usual = _USUAL_PORTS[bool(credential.ssh_key)]
    return Access(
        hosts=tuple(_with_port(host, usual) for host in credential.hosts),
        username=credential.username,
        token=credential.token,
        ssh_key=credential.ssh_key,
    )


def _with_port(host: str, usual: int) -> str:
    has_port = ":" in host.rpartition("]")[2]
    return host if has_port else f"{host}:{usual}"
