"""Credentials in paths, for clients that cannot send a header: `/s/<credential>/api/v1/…`.

The command line client puts a port behind all that it is given, so `/u/<credential>:32080/…` is
the same. Both are taken at once to where credentials belong, so that no log and no report of an
error has them.
"""

import re

from submarine_site.core.bodies import Application, Receive, Scope, Send
from submarine_site.core.envelope import is_enveloped

_WITH_CREDENTIAL = re.compile(r"/[su]/(?P<credential>[^/]*?)(?::[0-9]*)?(?P<rest>/.*)?", re.DOTALL)
_ELSEWHERE = "/s/-"


class PathCredentials:
    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lead on to what the path names. Changes the scope itself, which the server logs."""
        if found := _WITH_CREDENTIAL.fullmatch(scope.get("path", "")):
            rest = found["rest"] or ""
            # Nothing but this API takes them.
            path = rest if is_enveloped(rest) else _ELSEWHERE
            scope["path"] = path
            scope["raw_path"] = path.encode()
            scope["headers"] = [
                *(each for each in scope["headers"] if each[0] != b"authorization"),
                (b"authorization", b"Bearer " + found["credential"].encode()),
            ]
        await self._app(scope, receive, send)
