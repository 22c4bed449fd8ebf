"""Where the gateway and the pages are, as browsers know them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

TICKET_COOKIES = ("submarine-ticket", "__Secure-submarine-ticket", "__Host-submarine-ticket")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """URLs are `scheme://host[:port]`, without a path.

    With `subdomains` a session is at `<session id>.<gateway host>/`; without, at
    `/session/<session id>/`. Prefer them: only an origin of its own keeps a page of one session
    from acting in another that the same person has open. `site_cookies` are the names of the
    cookies that the pages set: no session ever sees one or sets one. API tokens begin with
    `token_prefix`: no session ever sees one that came in an address.
    """

    pages_url: str
    gateway_url: str
    subdomains: bool
    site_cookies: frozenset[str] = frozenset({"sessionid", "csrftoken"})
    token_prefix: str = "subnb_"  # noqa: S105 - of tokens, not one

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
        plain, secure, host = TICKET_COOKIES
        if not self.secure:
            return plain
        return host if self.subdomains else secure
