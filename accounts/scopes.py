"""What a credential lets its bearer do, of all that its user may.

Every request has scopes: those of the credential that it shows; or all, where its user signed in
themselves. Every endpoint needs one of them (`accounts.permissions`). No scope holds another.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.http import HttpRequest
from rest_framework.request import Request

if TYPE_CHECKING:
    from accounts.models import User


class Scope(TextChoices):
    """As pages name them, and in the order in which they do."""

    READ = "read", "Read"
    LAUNCH = "launch", "Launch"
    ACCESS = "access", "Access sessions"
    MANAGE = "manage", "Manage"
    ADMIN = "admin", "Administer"

    @property
    def meaning(self) -> str:
        """What it lets do, for people who choose."""
        return MEANINGS[self]


MEANINGS = {
    Scope.READ: "See your sessions, environments, volumes, quota and the rest of what is listed.",
    Scope.LAUNCH: "Start, change, stop and delete sessions, and keep bookmarks.",
    Scope.ACCESS: "Get into sessions: run code, read and write files, read logs.",
    Scope.MANAGE: "Change volumes, environments, secrets, git credentials and tokens, "
    "and ask for more quota.",
    Scope.ADMIN: "Do what operators alone may do, and see what they alone may see.",
}

ALL_SCOPES = frozenset(Scope)
DEFAULT_SCOPES = (Scope.READ, Scope.LAUNCH, Scope.ACCESS)
"""Of a token for which nobody chose: enough to work with sessions."""


def scopes_of(request: HttpRequest | Request) -> frozenset[str]:
    """What this request may do; a credential that does not say lets do nothing."""
    credential = getattr(request, "auth", None)
    return ALL_SCOPES if credential is None else frozenset(getattr(credential, "scopes", ()))


def limited_to(scopes: Collection[str], user: "User") -> "User":
    """The user as one who shows a credential with these scopes: an operator only by that for it.

    The rights are withheld from this very object, which must not be saved.
    """
    if Scope.ADMIN not in scopes:
        user.is_staff = user.is_superuser = False
    return user


def grantable(user: "User", within: Collection[str] = ALL_SCOPES) -> list[Scope]:
    """What the user may give to a token, by a credential with these scopes."""
    return in_order(each for each in within if user.is_staff or each != Scope.ADMIN)


def in_order(scopes: Iterable[str]) -> list[Scope]:
    """These scopes, each once. Raises `ValueError` for what is none."""
    given = {Scope(each) for each in scopes}
    return [each for each in Scope if each in given]
