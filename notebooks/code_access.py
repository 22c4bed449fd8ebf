"""The git credentials that sessions' code names: whether they are its owner's, and in plain."""

from collections.abc import Iterable
from uuid import UUID

from accounts.models import GitCredential, GitCredentialKind, User
from accounts.vault import SecretUnreadable, git_credential_for, serves
from notebooks.backends.contract import CodeSource, GitAccess
from notebooks.backends.fetcher.urls import Remote, parse
from submarine_site.core.errors import InvalidInput

_KINDS = {"https": GitCredentialKind.TOKEN, "ssh": GitCredentialKind.SSH_KEY}


def refuse_other_credentials(owner: User, sources: tuple[CodeSource, ...]) -> None:
    """Raise `InvalidInput` unless each credential is the owner's, and for where the code is."""
    named = {source.credential for source in sources if source.credential}
    if not named:
        return
    found = GitCredential.objects.visible_to(owner).defer("sealed").in_bulk(list(named))
    for n, source in enumerate(sources):
        if source.credential:
            _check(found.get(source.credential), parse(source.url), f"code.{n}.credential")


def _check(credential: GitCredential | None, remote: Remote, field: str) -> None:
    if credential is None:
        raise InvalidInput.field(field, "You have no such git credential.")
    if credential.kind != _KINDS[remote.scheme]:
        raise InvalidInput.field(
            field, "A URL by https takes a token, and one by ssh takes an SSH key."
        )
    if not serves(credential, remote.authority):
        raise InvalidInput.field(
            field, f"The git credential “{credential.name}” is not for {remote.authority}."
        )


def git_access(owner: User, sources: Iterable[CodeSource]) -> dict[UUID, GitAccess]:
    """Those that can be had, in plain, by their ids: of what is gone the code alone is missed."""
    found = {}
    for source in sources:
        if source.credential and source.credential not in found:
            access = _opened(owner, source.credential, parse(source.url))
            if access is not None:
                found[source.credential] = access
    return found


def _opened(owner: User, credential_id: UUID, remote: Remote) -> GitAccess | None:
    try:
        opened = git_credential_for(user=owner, credential_id=credential_id, host=remote.authority)
    except SecretUnreadable:
        return None
    if opened is None:
        return None
    if opened.kind == GitCredentialKind.SSH_KEY:
        return GitAccess(hosts=opened.hosts, ssh_key=opened.secret)
    return GitAccess(hosts=opened.hosts, username=opened.username, token=opened.secret)
