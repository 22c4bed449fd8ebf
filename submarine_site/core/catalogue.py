"""What the entries of the catalogues (profiles, environments) have in common."""

import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from submarine_site.core.rows import QuickRow

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser
    from django.db.models.sql.compiler import SQLCompiler

CATALOGUE_NAME = RegexValidator(
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z",
    "Small letters, digits and hyphens, at most 63, with a letter or digit at both ends.",
)

E = TypeVar("E", bound="CatalogueEntry")

EVERYONE = models.Value(True)  # noqa: FBT003


class CatalogueQuerySet(models.QuerySet[E, E]):
    """Entries that operators offer, to everyone or to some groups."""

    def visible_to(self, user: "AbstractUser") -> Self:
        """Return what the user may choose: enabled, and for everyone or for a group of theirs."""
        return self.filter(self.granted_to(user), enabled=True)

    def granted_to(
        self, user: "AbstractUser", *, else_if: models.Q | models.Value = EVERYONE
    ) -> "Granted":
        """The condition that an entry is for a group of the user's, or where it has no groups that
        `else_if` holds.
        """
        return Granted(self.model, user, else_if)

    def called(self, name: str) -> E | None:
        """Return the entry of this name."""
        try:
            # PostgreSQL cannot even be asked for a NUL.
            return None if "\0" in name else self.get(name=name)
        except self.model.DoesNotExist:
            return None


class Granted(models.Func):
    """Whether an entry has a group that a user is in, or none and something else holds.

    In SQL because every start asks it: of joins, the ORM takes longer to write the question than
    the database to answer it.
    """

    output_field = models.BooleanField()
    sql = (
        "COALESCE((SELECT bool_or(EXISTS ("
        "SELECT FROM {members} AS member"
        " WHERE member.group_id = granted.group_id AND member.user_id = {user}"
        ")) FROM {grants} AS granted WHERE granted.{entry_id} = {entry}), {otherwise})"
    )

    def __init__(
        self,
        model: type["CatalogueEntry"],
        user: "AbstractUser",
        otherwise: models.Q | models.Value,
    ) -> None:
        super().__init__(models.Value(user.pk), models.F("pk"), otherwise)
        groups = model.groups.field
        self._names = {
            "members": get_user_model().groups.field.m2m_db_table(),
            "grants": groups.m2m_db_table(),
            "entry_id": groups.m2m_column_name(),
        }

    def as_sql(self, compiler: "SQLCompiler", *_: object, **__: object) -> Any:
        """The condition, with the user's id as its parameter."""
        parts = zip(("user", "entry", "otherwise"), self.source_expressions, strict=True)
        compiled = {name: compiler.compile(part) for name, part in parts}
        sql = self.sql.format(**{name: sql for name, (sql, _) in compiled.items()}, **self._names)
        return sql, [each for _, values in compiled.values() for each in values]


class CatalogueEntry(QuickRow):
    """An entry that operators keep and users choose from."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(
        max_length=63,
        unique=True,
        validators=[CATALOGUE_NAME],
        help_text="How programs call it.",
    )
    display_name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField(default=0, help_text="Smaller numbers stand first.")
    enabled = models.BooleanField(
        default=True, help_text="Unless set, nobody can choose it for a new start."
    )
    groups = models.ManyToManyField(
        Group, blank=True, related_name="+", help_text="Who may use it. None: everyone."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.display_name


class TransientEntry(CatalogueEntry):
    """An entry that gives way to another in the end, and stays for the sessions that have it."""

    hidden = models.BooleanField(
        default=False,
        help_text="If set, people do not see it; sessions that have it can be started.",
    )
    deprecated = models.BooleanField(
        default=False, help_text="If set, people are told not to use it for new work."
    )
    deprecation = models.CharField(
        "why deprecated", max_length=200, blank=True, help_text="What people are told then."
    )
    successor = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="What to use in its place.",
    )

    class Meta(CatalogueEntry.Meta):
        abstract = True
