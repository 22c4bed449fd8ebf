"""Where the gateway and the pages are, as browsers know them."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """URLs are `scheme://host[:port]`, without a path.

    With `subdomains` a session is at `<session id>.<gateway host>/`, which gives each its own
    origin; without, at `/session/<session id>/`. `site_cookies` are the names of the cookies that
    the pages set: no session ever sees one or sets one.
    """

    pages_url: str
    gateway_url: str
    subdomains: bool
    site_cookies: frozenset[str] = frozenset({"sessionid", "csrftoken"})

    def __post_init__(self) -> None:
        for url in (self.pages_url, self.gateway_url):
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or url != (f"{parts.scheme}://{parts.netloc}"):
                raise ValueError(f"Not scheme://host[:port]: {url!r}")

    @property
    def secure(self) -> bool:
        """Whether browsers reach the gateway over TLS."""
        return self.gateway_url.startswith("https:")

    @property
    def host(self) -> str:
        """What a browser sends as Host: host[:port], in lower case."""
        return urlsplit(self.gateway_url).netloc.lower()

    @property
    def ticket_cookie(self) -> str:
        """The ticket cookie's name, with the strongest prefix whose rules it can keep.

        `__Host-` demands the path `/`, which only a session with its own host can have.
        """
        if not self.secure:
            return "submarine-ticket"
        prefix = "__Host-" if self.subdomains else "__Secure-"
        return f"{prefix}submarine-ticket"
