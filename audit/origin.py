"""Where what is being done comes from: a request, a command, or the service itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpRequest

from audit.models import Channel

if TYPE_CHECKING:
    from accounts.models import User

_CLI_AGENT = "subnb/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    channel: Channel
    request: HttpRequest | None = None

    @property
    def address(self) -> str | None:
        """Where the request came from, behind trusted proxies."""
        return self.request.META.get("REMOTE_ADDR") or None if self.request else None

    @property
    def person(self) -> "User | None":
        """Who sent the request: by now REST framework has set who the token's owner is."""
        user = getattr(self.request, "user", None)
        return user if user is not None and user.is_authenticated else None


COMMAND = Origin(channel=Channel.COMMAND)
SERVICE = Origin(channel=Channel.SERVICE)

_current: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current() -> Origin:
    """Return where what is being done comes from."""
    return _current.get() or SERVICE


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """Have what is done in this block come from there."""
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)


def of_request(request: HttpRequest) -> Origin:
    """Return the origin that a request is."""
    if request.path.startswith("/admin/"):
        channel = Channel.ADMIN
    elif not request.path.startswith("/api/"):
        channel = Channel.PAGE
    elif request.headers.get("User-Agent", "").startswith(_CLI_AGENT):
        channel = Channel.CLI
    else:
        channel = Channel.API
    return Origin(channel=channel, request=request)
