"""Which headers pass, in each direction, and as what. Pure, and on raw bytes.

A session never sees a credential of the gateway or the site, never sets one, never widens what its
pages may do on an origin that it may share with others, and never commands the proxy in front.
"""

from collections.abc import Iterable, Sequence

from notebooks.gateway.config import TICKET_COOKIES, GatewayConfig
from notebooks.gateway.query_tokens import without_tokens

RawHeaders = Sequence[tuple[bytes, bytes]]

OOM_KILLS = b"x-submarine-oom-kills"
"""How many processes of its session ran out of memory, as an answer says: for the gateway alone."""

USAGE = b"x-submarine-usage"
"""How full its session's volumes are: likewise."""

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# `content-length` is written anew from what the parser made of it, so that both sides agree.
# `expect` is answered by the gateway. Extensions would compress, and be paid for, at both ends.
_NOT_UPSTREAM = _HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"cookie",
    b"expect",
    b"forwarded",
    b"sec-websocket-extensions",
    b"x-real-ip",
    b"x-rewrite-url",
    b"x-scheme",
}
# What a proxy in front says of the request; the original address may have a token in its query.
_NOT_UPSTREAM_PREFIXES = (b"x-forwarded-", b"x-original-")
# These act on the whole origin or host, or on all of its cookies, not on one session.
_ORIGIN_WIDE = frozenset(
    {
        b"accept-ch",
        b"alt-svc",
        b"clear-site-data",
        b"critical-ch",
        b"expect-ct",
        b"nel",
        b"public-key-pins",
        b"public-key-pins-report-only",
        b"report-to",
        b"service-worker-allowed",
        b"set-cookie",
        b"set-cookie2",
        b"strict-transport-security",
    }
)
# Reverse proxies and caches take these from the server behind them as commands: to serve a file of
# theirs, to fetch another address, to keep a response for others, to take the server out of use.
_PROXY_COMMANDS = frozenset(
    {
        b"cache-tag",
        b"cdn-cache-control",
        b"edge-cache-tag",
        b"edge-control",
        b"xkey",
    }
)
_PROXY_COMMAND_PREFIXES = (
    b"surrogate-",
    b"x-accel-",  # nginx
    b"x-archive-",  # nginx's mod_zip
    b"x-envoy-",
    b"x-lighttpd-",
    b"x-litespeed-",
    b"x-reproxy-",  # Perlbal
    b"x-sendfile",  # Apache, lighttpd, uWSGI: X-Sendfile2 and X-Sendfile-Temporary as well
)
_PROXY_COMMAND_SUFFIX = b"-cdn-cache-control"  # by the name of the network
_NOT_DOWNSTREAM = (
    _HOP_BY_HOP
    | _ORIGIN_WIDE
    | _PROXY_COMMANDS
    | {b"content-length", b"referrer-policy", b"x-content-type-options", OOM_KILLS, USAGE}
)
# Several policies all apply, so this one holds whatever the session's own says.
_ADDED_DOWNSTREAM = (
    b"Content-Security-Policy: frame-ancestors 'self'\r\n"
    b"Referrer-Policy: strict-origin-when-cross-origin\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)


class HeaderPolicy:
    """The rules, for the cookie names of one configuration."""

    def __init__(self, config: GatewayConfig) -> None:
        self._proto = b"https" if config.secure else b"http"
        self._token_prefix = config.token_prefix
        self._ticket = config.ticket_cookie.encode()
        self._reserved = frozenset(
            name.lower().encode() for name in (*config.site_cookies, *TICKET_COOKIES)
        )

    def tickets(self, cookies: Iterable[str]) -> list[str]:
        """The values of the ticket cookie in these Cookie headers.

        There may be several: a page can set a second one with a longer path.
        """
        return [
            value.decode("ascii", "replace")
            for header in cookies
            for name, value in _pairs(header.encode("utf-8", "surrogateescape"))
            if name == self._ticket
        ]

    def upstream(self, headers: RawHeaders, *, token: str, client: str, host: str) -> list[bytes]:
        """A request's header lines for the session, without those that frame the body."""
        dropped = _dropped(_NOT_UPSTREAM, headers)
        lines = []
        cookies = []
        for name, value in headers:
            lower = name.lower()
            if lower == b"cookie":
                cookies.append(value)
            elif lower == b"referer":
                lines.append(b"%b: %b\r\n" % (name, self._bare(value)))
            elif lower not in dropped and not lower.startswith(_NOT_UPSTREAM_PREFIXES):
                lines.append(b"%b: %b\r\n" % (name, value))
        if cookies and (kept := self._kept(cookies)):
            lines.append(b"Cookie: %b\r\n" % kept)
        lines.append(
            b"Authorization: token %b\r\n"
            b"X-Forwarded-For: %b\r\n"
            b"X-Forwarded-Host: %b\r\n"
            b"X-Forwarded-Proto: %b\r\n"
            % (token.encode(), client.encode(), host.encode(), self._proto)
        )
        return lines

    def downstream(self, headers: RawHeaders, *, base: str) -> list[bytes]:
        """A response's header lines for the client, without those that frame the body."""
        dropped = _dropped(_NOT_DOWNSTREAM, headers)
        lines = []
        for name, value in headers:
            lower = name.lower()
            if lower not in dropped:
                if not _commands_proxy(lower):
                    lines.append(b"%b: %b\r\n" % (name, value))
            elif lower == b"set-cookie":
                if cookie := self._scoped(value, base.encode()):
                    lines.append(b"Set-Cookie: %b\r\n" % cookie)
            elif lower == b"service-worker-allowed" and _inside(value, base.encode()):
                lines.append(b"%b: %b\r\n" % (name, value))
        lines.append(_ADDED_DOWNSTREAM)
        return lines

    def _bare(self, address: bytes) -> bytes:
        """An address without API tokens in its query."""
        text = address.decode("latin-1")
        bare = without_tokens(text, lambda token: token.startswith(self._token_prefix))
        return bare.encode("latin-1")

    def _kept(self, cookies: Iterable[bytes]) -> bytes:
        return b"; ".join(
            name + b"=" + value
            for header in cookies
            for name, value in _pairs(header)
            if name.lower() not in self._reserved
        )

    def _scoped(self, cookie: bytes, base: bytes) -> bytes | None:
        """The cookie, limited to the session's host and path; None if its name is reserved."""
        pair, *attributes = cookie.split(b";")
        name = pair.partition(b"=")[0].strip()
        if b"=" not in pair or not name or name.lower() in self._reserved:
            return None
        kept = [pair.strip()]
        path = base
        for attribute in attributes:
            key, _, value = (part.strip() for part in attribute.partition(b"="))
            match key.lower():
                case b"domain":
                    pass
                case b"path":
                    path = value if _inside(value, base) else base
                case _:
                    kept.append(attribute.strip())
        # No cookie of a path has this prefix, and browsers would drop it without a word.
        if name.lower().startswith(b"__host-") and path != b"/":
            return None
        return b"; ".join((*kept, b"Path=" + path))


def _commands_proxy(name: bytes) -> bool:
    """Whether a header's name, in lower case, is of a family of commands to proxies."""
    # Some proxies map names to variables, in which a dash and an underscore are the same.
    name = name.replace(b"_", b"-")
    return (
        name.startswith(_PROXY_COMMAND_PREFIXES)
        or name.endswith(_PROXY_COMMAND_SUFFIX)
        or name in _PROXY_COMMANDS
    )


def _pairs(header: bytes) -> Iterable[tuple[bytes, bytes]]:
    for pair in header.split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name:
            yield name.strip(), value.strip()


def _inside(path: bytes, base: bytes) -> bool:
    return path.startswith(base) and b".." not in path and b"%" not in path


def _dropped(names: frozenset[bytes], headers: RawHeaders) -> frozenset[bytes]:
    """These names, and those that `Connection` says are for this hop only: not the Host."""
    for name, value in headers:
        if name.lower() == b"connection":
            listed = {each.strip().lower() for each in value.split(b",")}
            names |= listed - {b"host"}
    return names
