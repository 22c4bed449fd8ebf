"""From the Host and the raw request target to a session. Pure.

What is decided here is decided on the bytes that are forwarded: nothing is normalised or encoded
anew on the way, so Jupyter reads the very path that was checked.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import unquote
from uuid import UUID

from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.refusals import Refusal, bad_request, not_found

OWN_PREFIX = "_submarine/"
HEALTH_TARGET = f"/{OWN_PREFIX}health"

_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SESSIONS = "/session/"
_BASE_END = len(f"{_SESSIONS}00000000-0000-0000-0000-000000000000/")
_SUSPECT = re.compile(r"[%\\]|\.\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A session, and where in it."""

    session_id: UUID
    origin: str
    base: str
    within: str

    @property
    def target(self) -> str:
        """The raw target of a request for it."""
        return self.base + self.within

    @property
    def url(self) -> str:
        """The session's own root, absolute."""
        return self.origin + self.base


class Addresses:
    """Finds places, in path mode or in subdomain mode."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._host = config.host
        self._scheme = config.gateway_url.partition("://")[0]

    def locate(self, host: str, target: str) -> Place:
        """The place that a request means; a refusal if it means none."""
        if not target.startswith("/") or "#" in target:
            raise bad_request("Only paths are served here.")
        host = host.lower()
        if self._config.subdomains:
            return self._by_host(host, target)
        if host != self._host:
            raise _misdirected()
        return self._by_path(target)

    def _by_host(self, host: str, target: str) -> Place:
        label, _, parent = host.partition(".")
        if parent != self._host:
            raise _misdirected()
        session_id = _session_id(label)
        if session_id is None:
            raise not_found()
        if target.startswith("//"):
            raise bad_request("A path begins with one slash.")
        origin = f"{self._scheme}://{host}"
        return _place(session_id, origin, base="/", within=target[1:])

    def _by_path(self, target: str) -> Place:
        if not target.startswith(_SESSIONS):
            raise not_found()
        base, within = target[:_BASE_END], target[_BASE_END:]
        label = base[len(_SESSIONS) : -1]
        if base.endswith("/") and "-" in label:
            session_id = _session_id(label)
            if session_id is not None:
                return _place(session_id, self._config.gateway_url, base, within)
        path, _, _ = target.partition("?")
        if "-" in path and _session_id(path.removeprefix(_SESSIONS)):
            raise _moved(f"{self._config.gateway_url}{path}/")
        raise not_found()


@lru_cache(maxsize=4096)
def _session_id(label: str) -> UUID | None:
    """The id that is written so, if it is written as an id is."""
    return UUID(label) if _ID.fullmatch(label) else None


def _place(session_id: UUID, origin: str, base: str, within: str) -> Place:
    if leaves(within):
        raise bad_request("The path leads out of the session.")
    return Place(session_id=session_id, origin=origin, base=base, within=within)


def leaves(within: str) -> bool:
    """Whether any reader might take this raw path to lead above where it starts.

    Readers differ: some decode before they split, some decode twice, some take a backslash for a
    slash, some drop empty segments. The path must stay inside for the most careless of them.
    """
    path = within.partition("?")[0]
    if not _SUSPECT.search(path):
        return False
    once = unquote(path, errors="replace")
    return any(_climbs(text) for text in (path, once, unquote(once, errors="replace")))


def _climbs(path: str) -> bool:
    depth = 0
    for segment in path.replace("\\", "/").split("/"):
        if segment == "..":
            depth -= 1
            if depth < 0:
                return True
        elif segment not in {"", "."}:
            depth += 1
    return False


def _misdirected() -> Refusal:
    return Refusal(
        status=HTTPStatus.MISDIRECTED_REQUEST,
        code="misdirected",
        title="This host is not served here",
        message="The gateway does not answer for the host that was asked for.",
    )


def _moved(url: str) -> Refusal:
    return Refusal(
        status=HTTPStatus.PERMANENT_REDIRECT,
        code="moved",
        title="It is at another address",
        message="A session's address ends with a slash.",
        headers={"Location": url},
    )
