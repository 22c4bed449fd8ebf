"""`Client` and `AsyncClient`: the ways in."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

from submarine_client.account import Bookmarks, GitCredentials, Secrets, Tokens
from submarine_client.config import settings
from submarine_client.config import timeout as usual_timeout
from submarine_client.environments import Environments, Profiles
from submarine_client.errors import ConfigurationError
from submarine_client.models import Me, NewToken
from submarine_client.quota import Quotas
from submarine_client.requests import Site, ask
from submarine_client.sessions import Session, Sessions
from submarine_client.steps import Async, Bound, Call, M, Runner, Steps, Sync
from submarine_client.transport import AsyncTransport, SyncTransport
from submarine_client.version import __version__
from submarine_client.volumes import Volumes

if TYPE_CHECKING:
    from typing_extensions import Self

RETRIES = 4
USER_AGENT = f"submarine-client/{__version__} python/{platform.python_version()}"


class Api(Bound[M]):
    """Everything that can be asked of the service."""

    def __init__(self, runner: Runner, site: Site) -> None:
        super().__init__(runner)
        self._site = site
        self.sessions: Sessions[M] = Sessions(runner, site)
        self.profiles: Profiles[M] = Profiles(runner, site)
        self.environments: Environments[M] = Environments(runner, site)
        self.volumes: Volumes[M] = Volumes(runner, site)
        self.quota: Quotas[M] = Quotas(runner, site)
        self.secrets: Secrets[M] = Secrets(runner, site)
        self.git_credentials: GitCredentials[M] = GitCredentials(runner, site)
        self.bookmarks: Bookmarks[M] = Bookmarks(runner, site)
        self.tokens: Tokens[M] = Tokens(runner, site)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._site.url

    @Call
    def me(self) -> Steps[Me]:
        """Who you are to the service."""
        return Me.of((yield from ask(self._site, "GET", "me/")))

    @Call
    def redeem_login(self, code: str, verifier: str) -> Steps[NewToken]:
        """Change a code of the page on which a user lets a program in for a token."""
        body = {"code": code, "verifier": verifier}
        return NewToken.of(
            (yield from ask(self._site, "POST", "login/", body=body, anonymous=True))
        )

    @Call
    def this_session(self) -> Steps[Session[M]]:
        """The session that this program runs in."""
        session_id = os.environ.get("SUBMARINE_SESSION_ID", "")
        if not session_id:
            raise ConfigurationError("This program does not run in a session.", code="no_session")
        # Not `get`: what it is bound to decides what that gives.
        return (yield from self.sessions.by_id(session_id))


class Client(Api[Sync]):
    """The service, for programs that wait for each answer. It finds address and token by itself if
    they are not given. May be shared by threads.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float | None = None,
        retries: int = RETRIES,
        verify: Any = True,
        user_agent: str = USER_AGENT,
    ) -> None:
        found = settings(url, token)
        self._transport = SyncTransport(
            timeout=timeout or usual_timeout(), user_agent=user_agent, verify=verify
        )
        super().__init__(self._transport, Site(found.url, found.token, retries))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()


class AsyncClient(Api[Async]):
    """The service, for programs of asyncio; else as `Client`."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float | None = None,
        retries: int = RETRIES,
        verify: Any = True,
        user_agent: str = USER_AGENT,
    ) -> None:
        found = settings(url, token)
        self._transport = AsyncTransport(
            timeout=timeout or usual_timeout(), user_agent=user_agent, verify=verify
        )
        super().__init__(self._transport, Site(found.url, found.token, retries))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._transport.close()
