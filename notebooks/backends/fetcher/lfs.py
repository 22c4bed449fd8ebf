"""Fetches the content of Git LFS files from the server of their repository.

`git lfs` itself does not use a proxy for addresses of this machine, so that a hostile server could
have it connect there: each connection is made through the relay here. What is fetched is stored
where `git lfs` keeps it.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from notebooks.backends.fetcher.request import Access
from notebooks.backends.fetcher.urls import BadUrl, parse

LARGEST_POINTER = 1024
MEDIA = "application/vnd.git-lfs+json"
BATCH = 100
CHUNK = 256 * 1024
MAX_ANSWER = 4 * 1024 * 1024
MAX_REDIRECTS = 5
SECONDS = 60
"""Without a byte."""

# As `git lfs install` writes them: by these, git takes the content for unchanged.
SETTINGS = {
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.required": "true",
}

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,15})\n"
)


class LfsError(Exception):
    """The content could not be fetched; says why."""


@dataclass(frozen=True)
class Pointer:
    """What a repository holds in place of a large file."""

    oid: str
    size: int

    @classmethod
    def read(cls, content: bytes) -> Pointer | None:
        found = _POINTER.fullmatch(content)
        return cls(found["oid"].decode(), int(found["size"])) if found else None

    def path(self, store: Path) -> Path:
        return store / self.oid[:2] / self.oid[2:4] / self.oid


@dataclass(frozen=True)
class Connections:
    """How servers are reached: through the relay at this port, until this monotonic time, at which
    the relay ends them. Raises `TimeoutError` from then on.
    """

    relay_port: int
    context: ssl.SSLContext
    until: float

    def open(self, url: str, headers: Mapping[str, str], body: bytes | None = None) -> HTTPResponse:
        """Return the response with status 200 to a GET, or to a POST of the body."""
        for _ in range(MAX_REDIRECTS):
            response = self._ask(url, headers, body)
            if response.status == 200:  # noqa: PLR2004
                return response
            response.close()
            location = response.getheader("Location", "")
            if not location or body is not None:
                raise LfsError(f"{_host(url)[0]} answered {response.status}")
            if _host(location) != _host(url):
                # Credentials are for the host that they were given for.
                headers = {}
            url = location
        raise LfsError("its server redirects without end")

    def _ask(self, url: str, headers: Mapping[str, str], body: bytes | None) -> HTTPResponse:
        host, port = _host(url)
        connection = HTTPSConnection(
            "127.0.0.1", self.relay_port, context=self.context, timeout=self._patience()
        )
        connection.set_tunnel(host, port)
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}"
        try:
            connection.request("GET" if body is None else "POST", target, body, dict(headers))
            response = connection.getresponse()
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            self._patience()
            raise LfsError(f"{host} could not be reached") from error
        if connection.sock is not None:
            # It is used once. The response holds it open until it is read or closed.
            connection.sock.close()
        return response

    def read(self, response: HTTPResponse, most: int) -> Iterator[bytes]:
        """Yield what the response holds. Raises `LfsError` if that is more than `most`."""
        left = most
        with response:
            while True:
                try:
                    # What is there: `read` waits for all of it.
                    data = response.read1(CHUNK)
                except (OSError, HTTPException) as error:
                    self._patience()
                    raise LfsError("the connection broke") from error
                # An end may be the relay's.
                self._patience()
                if not data:
                    return
                left -= len(data)
                if left < 0:
                    raise LfsError("its server sent more than it said")
                yield data

    def _patience(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(SECONDS, left)


def _host(url: str) -> tuple[str, int]:
    """Return the host and port of an address by https. Raises `LfsError`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        raise LfsError("its server named an address that is none") from None
    if parts.scheme != "https" or not host:
        raise LfsError("its server named an address that is not one of https")
    return host, port


def fetch(
    pointers: Iterable[Pointer],
    store: Path,
    *,
    url: str,
    access: Access | None,
    connections: Connections,
) -> None:
    """Put the content of the pointers into the store. Raises `LfsError`.

    `url` is that of the repository by https.
    """
    missing = [pointer for pointer in pointers if not pointer.path(store).exists()]
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        actions = _actions(batch, url, access, connections)
        for pointer in batch:
            _download(pointer, actions.get(pointer.oid, {}), store, access, connections)


def _actions(
    batch: list[Pointer], url: str, access: Access | None, connections: Connections
) -> dict[str, Mapping[str, Any]]:
    """Return by object where the server says that it is."""
    base = url.rstrip("/")
    endpoint = f"{base}{'' if base.endswith('.git') else '.git'}/info/lfs/objects/batch"
    asked = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": each.oid, "size": each.size} for each in batch],
    }
    headers = {"Accept": MEDIA, "Content-Type": MEDIA, **_authorization(endpoint, access)}
    response = connections.open(endpoint, headers, json.dumps(asked).encode())
    content = b"".join(connections.read(response, MAX_ANSWER))
    try:
        objects = json.loads(content)["objects"]
        return {str(each["oid"]): each["actions"]["download"] for each in objects if _has(each)}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LfsError("its server does not answer as Git LFS does") from error


def _has(answer: Mapping[str, Any]) -> bool:
    return isinstance(answer.get("actions", {}).get("download"), dict)


def _download(
    pointer: Pointer,
    action: Mapping[str, Any],
    store: Path,
    access: Access | None,
    connections: Connections,
) -> None:
    href, given = action.get("href"), action.get("header") or {}
    if not isinstance(href, str) or not isinstance(given, dict):
        raise LfsError("its server does not have the content")
    headers = {str(name): str(value) for name, value in given.items()}
    if not any(name.lower() == "authorization" for name in headers):
        headers = {**headers, **_authorization(href, access)}
    response = connections.open(href, headers)
    path = pointer.path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for data in connections.read(response, pointer.size):
            digest.update(data)
            file.write(data)
    if digest.hexdigest() != pointer.oid:
        part.unlink()
        raise LfsError("the content is not what the repository names")
    part.rename(path)


def _authorization(url: str, access: Access | None) -> dict[str, str]:
    """Return the header with the token, where it is for this host."""
    try:
        is_for = access is not None and parse(url.partition("?")[0]).authority in access.hosts
    except BadUrl:
        return {}
    if access is None or not access.token or not is_for:
        return {}
    pair = f"{access.username}:{access.token}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
