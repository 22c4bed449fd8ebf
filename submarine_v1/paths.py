"""Credentials in paths, for clients that cannot send a header: `/s/<credential>/api/v1/…`.

The command line client puts a port behind all that it is given, so `/u/<credential>:32080/…` is
the same. Both are taken at once to where credentials belong, so that no log and no report of an
error has them.
"""

import json
import re

from submarine_site.core.bodies import Application, Receive, Scope, Send
from submarine_site.core.envelope import is_enveloped
from submarine_site.core.responses import error_told

_WITH_CREDENTIAL = re.compile(r"/[su]/(?P<credential>[^/]*?)(?::[0-9]*)?(?P<rest>/.*)?", re.DOTALL)
_ELSEWHERE = "/s/-"
_CREDENTIALS_DIFFER = (
    "Two credentials were sent that differ: one in the path, one in the Authorization header. "
    "Send one of them."
)


class PathCredentials:
    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lead on to what the path names. Changes the scope itself, which the server logs."""
        if found := _WITH_CREDENTIAL.fullmatch(scope.get("path", "")):
            rest, credential = found["rest"] or "", found["credential"].encode()
            # Nothing but this API takes them.
            path = rest if is_enveloped(rest) else _ELSEWHERE
            scope["path"] = path
            scope["raw_path"] = path.encode()
            others = [value for name, value in scope["headers"] if name == b"authorization"]
            if scope["type"] == "http" and any(
                value.partition(b" ")[2].strip() != credential for value in others
            ):
                await _refuse(path, send)
                return
            scope["headers"] = [
                *(each for each in scope["headers"] if each[0] != b"authorization"),
                (b"authorization", b"Bearer " + credential),
            ]
        await self._app(scope, receive, send)


async def _refuse(path: str, send: Send) -> None:
    told = error_told(path, "credentials_differ", _CREDENTIALS_DIFFER, status=400)
    headers = [(b"content-type", b"application/json; charset=utf-8")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
