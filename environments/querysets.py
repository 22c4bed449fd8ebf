"""Which environments are whose, and who may do what with them."""

from typing import TYPE_CHECKING, Self

from django.db.models import Case, Func, OuterRef, Q, Subquery, TextField, Value, When, Window
from django.db.models.functions import RowNumber

from submarine_site.core.catalogue import CatalogueQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from environments.models import Environment  # noqa: F401


MAX_WORDS = 8
"""Of a search: more of them find nothing new."""


class _Content(Func):
    """The names and packages of kernels, as one text."""

    template = "jsonb_path_query_array(%(expressions)s, '$[*].*[*]')::text"
    output_field = TextField()


class EnvironmentQuerySet(CatalogueQuerySet["Environment"]):
    """Environments of the site and of users. Those that are deleted are nobody's.

    One of the site is for everyone or for its groups; a user's for that user and its groups. Names
    are unique among the site's and among each user's own: `named` says which one is meant.
    """

    def startable_by(self, user: "AbstractUser") -> Self:
        """Return those that a session of the user's may be started with."""
        return self.filter(self._startable_by(user))

    def offered_to(self, user: "AbstractUser") -> Self:
        """Return those that the user may choose for a new session."""
        return self.startable_by(user).filter(Q(hidden=False) | Q(owner=user.pk))

    def managed_by(self, user: "AbstractUser") -> Self:
        """Return those that the user may change: their own, and to operators the site's."""
        return self.filter(_managed_by(user))

    def listed_for(self, user: "AbstractUser") -> Self:
        """Return those that stand in the user's catalogue."""
        offered = self._startable_by(user) & Q(hidden=False)
        return self.filter(offered | _managed_by(user))

    def named(self, name: str, user: "AbstractUser") -> Self:
        """Return those of this name, first the one that the user means by it: their own, else the
        site's, else of others' the one that was shared with them first.
        """
        # PostgreSQL cannot even be asked for a NUL.
        named = self.none() if "\0" in name else self.filter(name=name)
        return named.order_by(*self._precedence(user))

    def reachable_by_name(self, user: "AbstractUser") -> Self:
        """Return of each name the one that the user means by it."""
        place = Window(RowNumber(), partition_by="name", order_by=self._precedence(user))
        return self.alias(place=place).filter(place=1)

    def found_by(self, words: str) -> Self:
        """Return those of which each word is in the name, the description or a package."""
        found = self
        for word in words.replace("\0", " ").split()[:MAX_WORDS]:
            found = found.alias(content=_Content("newest__kernels")).filter(
                Q(name__icontains=word)
                | Q(display_name__icontains=word)
                | Q(description__icontains=word)
                | Q(content__icontains=word)
            )
        return found

    def visible_to(self, user: "AbstractUser") -> Self:
        """Return those that the user may read: what they may start or change."""
        return self.filter(self._startable_by(user) | _managed_by(user))

    def _startable_by(self, user: "AbstractUser") -> Q:
        granted = self.granted_to(user, else_if=Q(owner=None))
        return Q(enabled=True, deleted_at=None) & (Q(owner=user.pk) | Q(granted))

    def _precedence(self, user: "AbstractUser") -> tuple[Case | Subquery | str, ...]:
        whose = Case(When(owner=user.pk, then=Value(0)), When(owner=None, then=Value(1)), default=2)
        # Not by their age: one that was kept back would take the name of one that people use.
        grants = self.model.groups.through.objects.filter(
            environment=OuterRef("pk"), group__user=user.pk
        )
        return whose, Subquery(grants.order_by("pk").values("pk")[:1]), "pk"


def _managed_by(user: "AbstractUser") -> Q:
    managed = Q(owner=user.pk)
    if user.is_staff and user.has_perm("environments.change_environment"):
        managed |= Q(owner=None)
    return managed & Q(deleted_at=None)
