"""Drops cookies that are not of this service and take quadratic time to read.

`http.cookies` in Python before 3.11.10 and 3.12.6 reads a cookie with backslashes in a time that
grows with the square of its length (CVE-2024-7592): seconds for one request of anybody's.
"""

from django.contrib.messages.storage.cookie import CookieStorage

from submarine_site.core.bodies import Application, Receive, Scope, Send

MAX_COOKIE = 4096
"""Bytes of a cookie that browsers keep."""

_COOKIE = b"cookie"
_QUOTED = CookieStorage.cookie_name.encode()


class PlainCookies:
    """Of cookies with backslashes, passes on the one that Django's messages are kept in."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request's cookies, wherever there is a backslash in them."""
        headers = scope.get("headers", ())
        if any(name == _COOKIE and b"\\" in value for name, value in headers):
            scope = {**scope, "headers": _plain(headers)}
        await self._app(scope, receive, send)


def _plain(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    is_there = False
    kept = []
    for header, value in headers:
        cookies = []
        for cookie in value.split(b";") if header == _COOKIE else ():
            if b"\\" in cookie:
                name = cookie.partition(b"=")[0].strip()
                if is_there or name != _QUOTED or len(cookie) > MAX_COOKIE:
                    continue
                is_there = True
            cookies.append(cookie)
        kept.append((header, b";".join(cookies) if header == _COOKIE else value))
    return kept
