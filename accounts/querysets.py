"""Which tokens, sign-ins and secrets are whose, and which still hold."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from submarine_site.core.cases import by_key

if TYPE_CHECKING:
    from accounts.models import ApiToken, GitCredential, SignIn, User, UserSecret

STAMP_EVERY = timedelta(minutes=1)

V = TypeVar("V", "UserSecret", "GitCredential")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, user: "User") -> "ApiTokenQuerySet":
        """Return the user's own tokens that are not revoked."""
        return self.filter(user=user, revoked_at=None)

    def live(self, at: datetime | None = None) -> "ApiTokenQuerySet":
        """Return the tokens that let their program in at this time; None: now."""
        at = at or timezone.now()
        return self.filter(revoked_at=None, expires_at__gt=at, user__is_active=True)

    def stamp(self, token: "ApiToken", *, address: str) -> None:
        """Note the use of a token, at most once a minute: a read must not cost a write."""
        now = timezone.now()
        if token.last_used_at is None or token.last_used_at < now - STAMP_EVERY:
            # Of many at the same time, one writes.
            unchanged = self.filter(pk=token.pk, last_used_at=token.last_used_at)
            unchanged.update(last_used_at=now, last_used_from=address or None)

    def stamp_all(self, uses: Mapping[UUID, tuple[datetime, str]]) -> None:
        """Note when and from which addresses tokens were used, where a minute has gone by since."""
        at = by_key({pk: at for pk, (at, _) in uses.items()}, models.DateTimeField())
        address = by_key(
            {pk: address or None for pk, (_, address) in uses.items()},
            models.GenericIPAddressField(null=True),
        )
        due = self.filter(pk__in=uses).filter(
            Q(last_used_at=None) | Q(last_used_at__lt=at - STAMP_EVERY)
        )
        due.update(last_used_at=at, last_used_from=address)

    def revoke(self) -> int:
        """End these tokens; returns how many were not ended before."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())


class SignInQuerySet(models.QuerySet["SignIn"]):
    def live(self) -> "SignInQuerySet":
        """Return the sign-ins that have neither ended nor expired, and whose user may sign in."""
        oldest = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
        return self.filter(ended_at=None, created_at__gt=oldest, user__is_active=True)

    def stamp(self, sign_in: "SignIn") -> None:
        """Note that the browser was seen, at most once a minute."""
        now = timezone.now()
        if sign_in.last_seen_at < now - STAMP_EVERY:
            self.filter(pk=sign_in.pk).update(last_seen_at=now)

    def end(self) -> int:
        """End these sign-ins; returns how many had not ended before."""
        return self.filter(ended_at=None).update(ended_at=timezone.now())


class VaultQuerySet(models.QuerySet[V, V]):
    """What users entrusted to the service."""

    def visible_to(self, user: "User") -> Self:
        """Return the user's own: nobody else sees even the names."""
        return self.filter(owner=user)

    def stamp(self) -> None:
        """Note that a session is started with them."""
        self.update(last_used_at=timezone.now())
