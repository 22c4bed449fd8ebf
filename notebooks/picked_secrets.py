"""The secrets that sessions pick: whether their owners have them, and what a start is given."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models.functions import Length

from accounts.models import SecretKind, User, UserSecret
from accounts.vault import SecretUnreadable, open_secret
from notebooks.models import NotebookSession, SessionEvent
from notebooks.setup import Setup
from submarine_site.core.errors import InvalidInput

MAX_PICKED_BYTES = 512 * 1024
"""Of all values: a Secret of a cluster holds 1 MiB, and more than these is in it."""
_TOO_LARGE = f"The secrets that were picked have more than {MAX_PICKED_BYTES // 1024} KiB."


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Secrets in plain, by their names. `missing` are those that were picked and are gone."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    missing: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.variables, *self.files)


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Why a run cannot be given its secrets, with a code of the catalogue in `failures`."""

    code: str
    message: str


def refuse_others(owner: User, setup: Setup) -> None:
    """Raise `InvalidInput` unless its secrets are the owner's, and go with its variables."""
    if not setup.secrets:
        return
    # PostgreSQL cannot even be asked for a NUL.
    possible = [name for name in setup.secrets if "\0" not in name]
    found = (
        UserSecret.objects.visible_to(owner)
        .filter(name__in=possible)
        .annotate(size=Length("sealed"))
        .values_list("name", "kind", "size")
    )
    kinds = {name: kind for name, kind, _ in found}
    if missing := [name for name in setup.secrets if name not in kinds]:
        raise InvalidInput.field("secrets", f"You have no secret named “{missing[0]}”.")
    for name in setup.variables:
        if kinds.get(name) == SecretKind.VARIABLE:
            raise InvalidInput.field(
                "variables", f"{name} is a secret that you picked. Leave one of the two out."
            )
    if sum(size for _, _, size in found) > MAX_PICKED_BYTES:
        raise InvalidInput.field("secrets", _TOO_LARGE)


def give(sessions: Sequence[NotebookSession]) -> dict[UUID, Given | Withheld]:
    """What the runs of these sessions are given, of those that picked secrets; or why they cannot
    be. Requires current runs.
    """
    picked = {
        session.pk: (session.owner_id, session.current_run.setup["secrets"])
        for session in sessions
        if session.current_run is not None and session.current_run.setup.get("secrets")
    }
    if not picked:
        return {}
    owned: defaultdict[int, dict[str, UserSecret]] = defaultdict(dict)
    for secret in UserSecret.objects.filter(
        owner__in={owner_id for owner_id, _ in picked.values()},
        name__in={name for _, names in picked.values() for name in names},
    ):
        owned[secret.owner_id][secret.name] = secret
    return {pk: _opened(names, owned[owner_id]) for pk, (owner_id, names) in picked.items()}


def missing_of(session: NotebookSession) -> SessionEvent | None:
    """What was said of secrets that its present run had to do without."""
    if not session.is_launched or not session.setup.get("secrets"):
        return None
    return session.events.filter(run=session.current_run, code="secret_missing").first()


def _opened(names: Sequence[str], owned: Mapping[str, UserSecret]) -> Given | Withheld:
    found = [owned[name] for name in names if name in owned]
    # Values may have grown since they were picked.
    if sum(len(secret.sealed) for secret in found) > MAX_PICKED_BYTES:
        return Withheld(code="secrets_too_large", message=_TOO_LARGE)
    plain: dict[str, dict[str, str]] = {kind: {} for kind in SecretKind.values}
    try:
        for secret in found:
            plain[secret.kind][secret.name] = open_secret(secret)
    except SecretUnreadable as unreadable:
        return Withheld(code="secret_unreadable", message=unreadable.message)
    UserSecret.objects.filter(pk__in=[secret.pk for secret in found]).stamp()
    return Given(
        variables=plain[SecretKind.VARIABLE],
        files=plain[SecretKind.FILE],
        missing=tuple(name for name in names if name not in owned),
    )
