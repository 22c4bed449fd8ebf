"""What users entrust to the service for their sessions: secrets and git credentials.

Values go in by the functions that begin with `keep`, encrypted, and come out by those that begin
with `open`, for a worker that starts a session. Nothing else reads them.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import ssh_keys
from accounts.models import GitCredential, GitCredentialKind, SecretKind, User, UserSecret
from accounts.sealing import Unreadable, is_current, seal, unseal
from audit.services import record
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.etags import refuse_changed
from submarine_site.core.responses import NOT_FOUND
from submarine_site.core.text import clean_name
from submarine_site.core.variables import clean_value, clean_variable

MAX_SECRETS = 100
MAX_GIT_CREDENTIALS = 50
MAX_HOSTS = 20
MAX_HOST = 253
MAX_TOKEN = 4096
DEFAULT_USERNAME = "git"

_FILE_NAME = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9._]{0,99}")
# The beginning too: what begins with a hyphen is an option to many a program.
_USERNAME = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9._@+]{0,99}")
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(
    rf"(?P<name>{_LABEL}(\.{_LABEL})*|\[(?P<v6>[0-9a-f:.]+)\])(:(?P<port>[0-9]{{1,5}}))?"
)
_PORTS = {GitCredentialKind.TOKEN: 443, GitCredentialKind.SSH_KEY: 22}
_LAST_PORT = 65535


class SecretUnreadable(DomainError):
    """It was encrypted under a key that the service no longer has, or was tampered with."""

    code = "secret_unreadable"

    def __init__(self, name: str) -> None:
        super().__init__(f"“{name}” cannot be decrypted: the key for it is not there any more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedCredential:
    """A git credential in plain, for these hosts alone, written as `clean_host` has them. `secret`
    is the token, or the private key in OpenSSH's format.
    """

    kind: GitCredentialKind
    hosts: tuple[str, ...]
    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """How many were encrypted anew, and the ids of those that could not be."""

    resealed: int
    unreadable: tuple[UUID, ...]


def keep_secret(*, owner: User, name: str, kind: str, value: str) -> UserSecret:
    """Store a secret under a name that the owner's sessions pick it by.

    Raises `InvalidInput`, or `DomainError` with `name_taken` or `too_many_secrets`.
    """
    if kind == SecretKind.VARIABLE:
        clean_variable(name, field="name")
    elif kind == SecretKind.FILE:
        _clean_file_name(name)
    else:
        raise InvalidInput.field("kind", "A secret is a variable or a file.")
    _refuse_empty(value, field="value")
    clean_value(value, field="value")
    if UserSecret.objects.filter(owner=owner).count() >= MAX_SECRETS:
        raise DomainError(
            f"You have {MAX_SECRETS} secrets. Delete one that no session needs.",
            code="too_many_secrets",
        )
    pk = uuid4()
    secret = UserSecret(id=pk, owner=owner, name=name, kind=kind, sealed=seal(value, row=pk))
    _insert(secret, "secret.created", after={"kind": kind})
    return secret


def keep_new_value(*, secret: UserSecret, value: str, expected: str = "") -> UserSecret:
    """Replace the value. Sessions that run keep the old one until they are started again.

    `expected` is the etag of what the user saw. Raises `InvalidInput`, or `DomainError` with
    `changed_meanwhile`, or `not_found` if it was deleted meanwhile.
    """
    _refuse_empty(value, field="value")
    sealed = seal(clean_value(value, field="value"), row=secret.pk)
    rows = UserSecret.objects.filter(pk=secret.pk)
    with transaction.atomic():
        held = rows.defer("sealed").select_for_update(no_key=True).first()
        if held is None:
            raise DomainError(NOT_FOUND, code="not_found", status=404)
        refuse_changed("secret", held.etag, expected)
        held.updated_at = timezone.now()
        rows.update(sealed=sealed, updated_at=held.updated_at)
        record("secret.changed", held)
    return held


def forget(row: UserSecret | GitCredential) -> None:
    """Delete a secret or a git credential; sessions that pick it start without it."""
    kind = "secret" if isinstance(row, UserSecret) else "git_credential"
    with transaction.atomic():
        if type(row).objects.filter(pk=row.pk).delete()[0]:
            record(f"{kind}.deleted", row)


def open_secret(secret: UserSecret) -> str:
    """The value. Raises `SecretUnreadable`."""
    try:
        return unseal(bytes(secret.sealed), row=secret.pk)
    except Unreadable:
        raise SecretUnreadable(secret.name) from None


def keep_git_credential(
    *,
    owner: User,
    name: str,
    kind: str,
    hosts: Iterable[str],
    username: str = "",
    secret: str = "",
) -> GitCredential:
    """Store a token or an SSH key for these hosts; without a `secret` an SSH key is made.

    Raises `InvalidInput`, or `DomainError` with `name_taken` or `too_many_git_credentials`.
    """
    if kind not in GitCredentialKind.values:
        raise InvalidInput.field("kind", "A git credential is a token or an SSH key.")
    known = GitCredentialKind(kind)
    pair = None
    if known is GitCredentialKind.SSH_KEY:
        pair = ssh_keys.read(secret, field="secret") if secret else ssh_keys.generate()
    if GitCredential.objects.filter(owner=owner).count() >= MAX_GIT_CREDENTIALS:
        raise DomainError(
            f"You have {MAX_GIT_CREDENTIALS} git credentials. Delete one that no session needs.",
            code="too_many_git_credentials",
        )
    pk = uuid4()
    credential = GitCredential(
        id=pk,
        owner=owner,
        name=clean_name(name),
        kind=known,
        hosts=_clean_hosts(hosts, known),
        username=_clean_username(username),
        sealed=seal(pair.private if pair else _clean_token(secret), row=pk),
        public_key=pair.public if pair else "",
        fingerprint=pair.fingerprint if pair else "",
    )
    _insert(credential, "git_credential.created", after={"kind": kind, "hosts": credential.hosts})
    return credential


def git_credential_for(*, user: User, credential_id: UUID, host: str) -> OpenedCredential | None:
    """The user's credential in plain, if it is for this host (`host` or `host:port`); else None.

    Raises `SecretUnreadable`.
    """
    rows = GitCredential.objects.visible_to(user).filter(pk=credential_id)
    credential = rows.first()
    if credential is None or not serves(credential, host):
        return None
    try:
        secret = unseal(bytes(credential.sealed), row=credential.pk)
    except Unreadable:
        raise SecretUnreadable(credential.name) from None
    rows.stamp()
    return OpenedCredential(
        kind=GitCredentialKind(credential.kind),
        hosts=tuple(credential.hosts),
        username=credential.username,
        secret=secret,
    )


def serves(credential: GitCredential, host: str) -> bool:
    """Whether the credential may be sent to this host."""
    try:
        return clean_host(host, GitCredentialKind(credential.kind)) in credential.hosts
    except InvalidInput:
        return False


def clean_host(raw: str, kind: GitCredentialKind) -> str:
    """Return a host in the one form it is compared in, with its port unless that is the usual one.

    Raises `InvalidInput`.
    """
    host = raw.lower()
    match = _HOST.fullmatch(host)
    if not raw.isascii() or match is None or not _is_possible(match):
        raise InvalidInput.field(
            "hosts",
            "A host is a name such as git.example.com, with a port where that is not the usual "
            "one: git.example.com:8443. No scheme, no path, no wildcard.",
        )
    if match["port"] is None:
        return host
    port = int(match["port"])
    if not 0 < port <= _LAST_PORT:
        raise InvalidInput.field("hosts", f"There is no port {match['port']}.")
    return match["name"] if port == _PORTS[kind] else f"{match['name']}:{port}"


def reseal() -> Resealed:
    """Encrypt everything under the first key that is not yet. May be called again at any time."""
    resealed = 0
    unreadable = []
    for model in (UserSecret, GitCredential):
        for pk, stored in model.objects.values_list("pk", "sealed").iterator():
            sealed = bytes(stored)
            if is_current(sealed):
                continue
            try:
                anew = seal(unseal(sealed, row=pk), row=pk)
            except Unreadable:
                unreadable.append(pk)
            else:
                # Unless its owner has stored another value meanwhile.
                resealed += model.objects.filter(pk=pk, sealed=sealed).update(sealed=anew)
    return Resealed(resealed=resealed, unreadable=tuple(unreadable))


def _is_possible(host: re.Match[str]) -> bool:
    if host["v6"] is None:
        return len(host["name"]) <= MAX_HOST
    try:
        ipaddress.IPv6Address(host["v6"])
    except ValueError:
        return False
    return True


def _clean_hosts(raw: Iterable[str], kind: GitCredentialKind) -> list[str]:
    hosts = list(dict.fromkeys(clean_host(host.strip(), kind) for host in raw))
    if not 0 < len(hosts) <= MAX_HOSTS:
        raise InvalidInput.field("hosts", f"A credential is for 1 to {MAX_HOSTS} hosts.")
    return hosts


def _clean_username(raw: str) -> str:
    username = raw.strip() or DEFAULT_USERNAME
    if not _USERNAME.fullmatch(username):
        raise InvalidInput.field(
            "username",
            "A user name has at most 100 letters, digits and . _ - @ +, and begins with a letter "
            "or digit.",
        )
    return username


def _clean_token(raw: str) -> str:
    token = raw.strip()
    _refuse_empty(token, field="secret")
    if len(token) > MAX_TOKEN or not (token.isascii() and token.isprintable()):
        raise InvalidInput.field(
            "secret", f"A token is one line of at most {MAX_TOKEN} printable ASCII characters."
        )
    return token


def _clean_file_name(name: str) -> None:
    if not _FILE_NAME.fullmatch(name):
        raise InvalidInput.field(
            "name",
            "A file is named by at most 100 letters, digits and . _ -, and begins with a letter "
            "or digit. It has no folders.",
        )


def _refuse_empty(value: str, *, field: str) -> None:
    if not value:
        raise InvalidInput.field(field, "A value is needed.")


def _insert(row: UserSecret | GitCredential, action: str, *, after: Mapping[str, Any]) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            record(action, row, actor=row.owner, after=after)
    except IntegrityError:
        message = f"You have one named “{row.name}” already."
        raise DomainError(message, code="name_taken", fields={"name": message}) from None
