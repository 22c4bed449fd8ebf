"""A session's own Jupyter, reached through the gateway with the API token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from submarine_client.models import Opened
from submarine_client.requests import Site, ask, persist, read
from submarine_client.steps import Steps
from submarine_client.transport import Reply, Request


class Jupyter:
    """Where a session's Jupyter is: asked for when it is first needed."""

    def __init__(self, site: Site, session_id: str) -> None:
        self.site = site
        self._session_id = session_id
        self._base = ""

    def base(self) -> Steps[str]:
        """Its address, with a slash at the end."""
        if not self._base:
            path = f"sessions/{self._session_id}/open/"
            said = yield from ask(self.site, "POST", path, body={}, repeatable=True)
            self._base = Opened.of(said).base_url.rstrip("/") + "/"
        return self._base

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Steps[Any]:
        """Call Jupyter's own API; the answer, read from JSON."""
        request = Request(
            method,
            (yield from self.base()) + path,
            headers={**self.site.credentials(), "Content-Type": "application/json"},
            params=params,
            content=None if body is None else json.dumps(body).encode(),
        )
        reply: Reply = yield from persist(
            request, request, retries=self.site.retries, repeatable=repeatable
        )
        return read(reply, request.url, of_jupyter=True)


def quoted(path: str) -> str:
    """A path below the home, as addresses have it."""
    return quote(path.strip("/"))
