"""What is yours beside sessions: tokens, secrets, git credentials, bookmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from submarine_client.models import Bookmark, GitCredential, NewToken, Secret, Token
from submarine_client.requests import Site, ask, create, pages
from submarine_client.steps import Bound, Call, Flow, Items, M, Runner, Steps


class Owned(Bound[M]):
    """Things on a list of yours."""

    def __init__(self, runner: Runner, site: Site) -> None:
        super().__init__(runner)
        self._site = site


class Tokens(Owned[M]):
    """Your API tokens."""

    @Flow
    def list(self) -> Items[Token]:
        return pages(self._site, "tokens/", Token.of)

    @Call
    def create(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        expires_in_days: int | None = None,
    ) -> Steps[NewToken]:
        """Make one; its `token` is told this once. It gets no scope that you have not got; without
        `scopes`, those that working with sessions takes.
        """
        body: dict[str, Any] = {"name": name}
        if scopes is not None:
            body["scopes"] = list(scopes)
        if expires_in_days is not None:
            body["expires_in_days"] = expires_in_days
        return NewToken.of((yield from create(self._site, "tokens/", body)))

    @Call
    def revoke(self, token_id: str) -> Steps[None]:
        yield from ask(self._site, "DELETE", f"tokens/{token_id}/")

    @Call
    def revoke_all(self) -> Steps[int]:
        """End all of yours, that of this client too; returns how many there were."""
        said = yield from ask(self._site, "POST", "tokens/revoke-all/")
        return int(said["revoked"])


class Secrets(Owned[M]):
    """What sessions can be given at their start. Values go in and never come out."""

    @Flow
    def list(self) -> Items[Secret]:
        return pages(self._site, "secrets/", Secret.of)

    @Call
    def get(self, secret_id: str) -> Steps[Secret]:
        return Secret.of((yield from ask(self._site, "GET", f"secrets/{secret_id}/")))

    @Call
    def create(self, name: str, value: str, *, kind: str = "variable") -> Steps[Secret]:
        """Store one, as a `variable` or a `file`."""
        body = {"name": name, "kind": kind, "value": value}
        return Secret.of((yield from create(self._site, "secrets/", body)))

    @Call
    def replace(self, secret_id: str, value: str) -> Steps[Secret]:
        path = f"secrets/{secret_id}/"
        return Secret.of((yield from ask(self._site, "PUT", path, body={"value": value})))

    @Call
    def delete(self, secret_id: str) -> Steps[None]:
        yield from ask(self._site, "DELETE", f"secrets/{secret_id}/")


class GitCredentials(Owned[M]):
    """With what sessions fetch code from private repositories."""

    @Flow
    def list(self) -> Items[GitCredential]:
        return pages(self._site, "git-credentials/", GitCredential.of)

    @Call
    def create(
        self,
        name: str,
        *,
        kind: str,
        hosts: Sequence[str],
        username: str | None = None,
        secret: str | None = None,
    ) -> Steps[GitCredential]:
        """Store one: a `token`, or an `ssh_key`, which is made if none is given."""
        given = {"username": username, "secret": secret}
        body = {"name": name, "kind": kind, "hosts": list(hosts)}
        body.update({key: value for key, value in given.items() if value is not None})
        return GitCredential.of((yield from create(self._site, "git-credentials/", body)))

    @Call
    def delete(self, credential_id: str) -> Steps[None]:
        yield from ask(self._site, "DELETE", f"git-credentials/{credential_id}/")


class Bookmarks(Owned[M]):
    """What you start sessions with time and again."""

    @Flow
    def list(self) -> Items[Bookmark]:
        return pages(self._site, "bookmarks/", Bookmark.of)

    @Call
    def create(
        self, /, name: str, *, profile: str, environment: str, **setup: Any
    ) -> Steps[Bookmark]:
        """Keep one. `setup` is what else a session may be made with."""
        body = {"name": name, "profile": profile, "environment": environment, **setup}
        return Bookmark.of((yield from create(self._site, "bookmarks/", body)))

    @Call
    def delete(self, bookmark_id: str) -> Steps[None]:
        yield from ask(self._site, "DELETE", f"bookmarks/{bookmark_id}/")
