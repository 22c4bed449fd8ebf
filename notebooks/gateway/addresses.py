"""From the Host and the raw request target to a session. Pure.

What is decided here is decided on the bytes that are forwarded: nothing is normalised or encoded
anew on the way, so Jupyter reads the very path that was checked.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote
from uuid import UUID

from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.refusals import Refusal, bad_request, not_found

OWN_PREFIX = "_submarine/"
HEALTH_TARGET = f"/{OWN_PREFIX}health"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"[0-9a-f]{32}")
_SESSIONS = "/session/"
_ID_END = len(_SESSIONS) + 36
_SUSPECT = re.compile(r"[%\\]|\.\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A session, and where in it: `base` and `within` together are the request's raw target."""

    session_id: UUID
    origin: str
    base: str
    within: str

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
        if not (_HEX.fullmatch(label) or _UUID.fullmatch(label)):
            raise not_found()
        if target.startswith("//"):
            raise bad_request("A path begins with one slash.")
        within = target[1:]
        if leaves(within):
            raise bad_request("The path leads out of the session.")
        return Place(
            session_id=UUID(label),
            origin=f"{self._scheme}://{host}",
            base="/",
            within=within,
        )

    def _by_path(self, target: str) -> Place:
        label = target[len(_SESSIONS) : _ID_END]
        if not (target.startswith(_SESSIONS) and _UUID.fullmatch(label)):
            raise not_found()
        base, within = target[:_ID_END] + "/", target[_ID_END + 1 :]
        if target[_ID_END : _ID_END + 1] != "/":
            if target[_ID_END:].partition("?")[0]:
                raise not_found()
            raise Refusal(
                status=HTTPStatus.PERMANENT_REDIRECT,
                code="moved",
                title="It is at another address",
                message="A session's address ends with a slash.",
                headers={"Location": self._config.gateway_url + base},
            )
        if leaves(within):
            raise bad_request("The path leads out of the session.")
        return Place(
            session_id=UUID(label),
            origin=self._config.gateway_url,
            base=base,
            within=within,
        )


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
