"""What the entries of the catalogues (profiles, environments) have in common."""

import uuid
from typing import TYPE_CHECKING, Self, TypeVar

from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

CATALOGUE_NAME = RegexValidator(
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z",
    "Small letters, digits and hyphens, at most 63, with a letter or digit at both ends.",
)

E = TypeVar("E", bound="CatalogueEntry")


class CatalogueQuerySet(models.QuerySet[E, E]):
    """Entries that operators offer, to everyone or to some groups."""

    def visible_to(self, user: "AbstractUser") -> Self:
        """Return what the user may choose: enabled, and for everyone or for a group of theirs."""
        offered = models.Q(groups=None) | models.Q(groups__in=user.groups.all())
        # distinct: someone in two of the groups would meet the entry twice.
        return self.filter(offered, enabled=True).distinct()

    def called(self, name: str) -> E | None:
        """Return the entry of this name."""
        # PostgreSQL cannot even be asked for a NUL.
        return None if "\0" in name else self.filter(name=name).first()


class CatalogueEntry(models.Model):
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
