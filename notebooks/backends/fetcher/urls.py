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
        user=_user(scheme, parts["user"]),
        host=_host(parts["host"]),
        port=_port(scheme, parts.get("port")),
        path=_path(parts["path"] or ""),
    )


def _user(scheme: str, user: str | None) -> str:
    if user is None:
        return ""
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
