"""The addresses of git repositories: a narrow grammar that leaves git nothing to interpret.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote

MAX_URL = 500

_CHARACTERS = re.compile(r"[A-Za-z0-9/._~+%:@,=\[\]-]*")
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)
# The beginnings too: what begins with a hyphen is an option to git or ssh.
_USER = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9._]{0,62}")
_AUTHORITY = r"(?:(?P<user>[^@/]*)@)?(?P<host>\[[^\]/]*\]|[^:/@\[\]]*)"
_FULL = re.compile(rf"(?P<scheme>[^:/]*)://{_AUTHORITY}(?::(?P<port>[^/]*))?(?P<path>/.*)?")
_SCP = re.compile(rf"{_AUTHORITY}:(?P<path>[^/].*|/[^/].*)")

# Addresses of pages as browsers show them: GitLab; cgit; GitHub and its like, whose repositories
# are two levels deep; Gitea; Bitbucket; Bitbucket's own servers. A repository's URL may end with
# `.git`. What is deeper is a page on hosts that are known to have two levels; on others `/g/s/wiki`
# may be a repository.
_SITE = r"(?P<host>https://[^/@]+)"
_TWO = rf"{_SITE}/(?P<repository>[^/]+/[^/]+?)(?:\.git)?"
_ANY = rf"{_SITE}/(?P<repository>.+?)(?:\.git)?"
_KINDS = r"(?P<kind>tree|blob|blame|raw|edit|commits?)"
_HUB = (
    r"(?P<host>https://(?i:(?:www\.)?github\.com|bitbucket\.org|codeberg\.org|gitea\.com))"
    r"/(?!(?:orgs|users|topics)/|[^/]+/workspace/)(?P<repository>[^/]+/[^/]+?)(?:\.git)?"
)
_OF_CGIT = (
    "about|atom|blame|blob|commit|diff|log|patch|plain|rawdiff|refs|snapshot|stats|summary|tag|tree"
)
_ASKED_OF_CGIT = re.compile(r"[?&](?:h|id)=(?P<ref>[^&#]+)")
_BITBUCKET = r"(?P<host>https://bitbucket\.org)/(?P<repository>[^/]+/[^/]+)"
_SERVER = rf"{_SITE}/(?P<repository>projects/(?P<project>[^/]+)/repos/(?P<name>[^/]+))"
_PAGES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_ANY}/-/{_KINDS}/(?P<ref>.+)",
        rf"{_ANY}/-(?:/.*)?",
        rf"{_HUB}/{_KINDS}/(?P<ref>.+)",
        rf"{_SITE}/(?P<repository>.+?)\.git/(?P<cgit>{_OF_CGIT})(?:/.*)?(?<!\.git)",
        rf"{_TWO}/{_KINDS}/(?P<ref>.+(?<!\.git))",
        rf"{_TWO}/releases/tag/(?P<ref>.+(?<!\.git))",
        rf"{_TWO}/(?P<kind>src)/(?:branch|tag|commit)/(?P<ref>.+)",
        rf"{_BITBUCKET}/(?P<kind>src|commits)/(?P<ref>.+)",
        rf"{_TWO}/(?:pull|pulls|issues)/[0-9]+(?:/.*)?",
        rf"{_SERVER}(?:/.*)?",
        rf"{_HUB}/.+",
    )
)
_PORTS = {"https": 443, "ssh": 22}
_LAST_PORT = 65535


class BadUrl(ValueError):
    """It will not be fetched from; says why, for the one who wrote it."""


@dataclass(frozen=True)
class Remote:
    """Where a repository is. `host` is in small letters, an IPv6 address without its brackets."""

    scheme: str
    user: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host with its port, as URLs and credentials have it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}"


def parse(url: str) -> Remote:
    """Read `https://host/path`, `ssh://user@host/path` or `user@host:path`. Raises `BadUrl`."""
    if len(url) > MAX_URL:
        raise BadUrl(f"The URL has {len(url)} characters; {MAX_URL} is the most.")
    if not _CHARACTERS.fullmatch(url):
        raise BadUrl("A URL of a repository has letters, digits and / . _ ~ + % : @ , = - alone.")
    found = _FULL.fullmatch(url) if "://" in url else _SCP.fullmatch(url)
    if found is None or "::" in url.partition("[")[0]:
        raise BadUrl("Write it as https://host/path, ssh://user@host/path or user@host:path.")
    parts = found.groupdict()
    scheme = parts.get("scheme", "ssh")
    if scheme not in _PORTS:
        raise BadUrl("Repositories are fetched by https and ssh alone.")
    return Remote(
        scheme=scheme,
        user=_user(scheme, parts["user"], url),
        host=_host(parts["host"]),
        port=_port(scheme, parts.get("port")),
        path=_path(parts["path"] or ""),
    )


def refuse_page(url: str) -> None:
    """Raise `BadUrl` for the address of a page about a repository, with what to use instead."""
    if not url.startswith("https://") or len(url) > MAX_URL:
        return
    page = re.sub(r"[?#].*", "", url, flags=re.DOTALL).rstrip("/")
    for pattern in _PAGES:
        if found := pattern.fullmatch(page):
            parts = found.groupdict()
            repository = f"{parts['host']}/{parts['repository']}"
            if parts.get("project"):
                repository = f"{parts['host']}/scm/{parts['project'].lower()}/{parts['name']}"
            ref = parts.get("ref") or ""
            if parts.get("cgit") and (asked := _ASKED_OF_CGIT.search(url)):
                ref = asked["ref"].replace("/", "%2F")
            raise BadUrl(
                f"This is the address of a page, not of a repository. Use {repository}.git as the "
                f"URL{_ref_hint(parts.get('kind') or '', ref)}."
            )
    if page != url.rstrip("/") and re.fullmatch(r"https://[^/@]+/[^@]+", page):
        raise BadUrl(f"The URL of a repository has no “?” and no “#”. Use {page}.")


def _ref_hint(kind: str, ref: str) -> str:
    """Return what a page's address tells beside the repository: “main/docs” of a tree, say."""
    name, _, folder = map(unquote, ref.partition("/"))
    if not name or not f"{name}{folder}".isprintable():
        return ""
    if folder and kind in {"tree", "src", "browse"}:
        return f", “{name}” as the branch, tag or commit, and “{folder}” as the one folder to have"
    return f", and “{name}” as the branch, tag or commit"


def _user(scheme: str, user: str | None, url: str) -> str:
    if user is None:
        return ""
    if scheme == "https" and ":" not in user:
        # As the pages of some hosts give it to copy.
        bare = url.replace(f"{user}@", "", 1)
        raise BadUrl(
            f"The URL may not contain a user name before “@”. Use {bare}, with a git credential "
            "if the repository is private."
        )
    if scheme == "https" or ":" in user:
        raise BadUrl("A URL holds no user name or password: store a git credential instead.")
    if not _USER.fullmatch(user):
        raise BadUrl("The user in the URL is not one that ssh can ask for.")
    return user


def _host(host: str) -> str:
    bare = host[1:-1] if host.startswith("[") else host
    try:
        address = ip_address(bare)
    except ValueError:
        # Else what is not quite an address could become one: 2130706433, 0x7f.1.
        last = bare.rstrip(".").rpartition(".")[2]
        if not _HOST.fullmatch(bare) or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last, re.IGNORECASE):
            raise BadUrl("The URL names no host.") from None
        return bare.lower()
    if (address.version == 6) != host.startswith("["):  # noqa: PLR2004
        raise BadUrl("The URL names no host.")
    return str(address)


def _port(scheme: str, port: str | None) -> int:
    if port is None:
        return _PORTS[scheme]
    if not (port.isdigit() and 0 < int(port) <= _LAST_PORT):
        raise BadUrl("The port in the URL is not a number from 1 to 65535.")
    return int(port)


def _path(path: str) -> str:
    if not path.strip("/"):
        raise BadUrl("The URL names no repository on that host.")
    if not unquote(path).isprintable() or path.startswith("-") or ".." in unquote(path).split("/"):
        raise BadUrl("The path in the URL is not one of a repository.")
    return path
