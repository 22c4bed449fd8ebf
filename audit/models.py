"""Who did what to what, from where, on whose behalf. Written once: the database refuses changes."""

from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from audit.actions import ACTIONS
from audit.querysets import AuditQuerySet, may_see_all

if TYPE_CHECKING:
    from accounts.models import User

MAX_LABEL = 200


class Channel(models.TextChoices):
    PAGE = "page", "Page"
    API = "api", "API"
    CLI = "cli", "Command-line client"
    ADMIN = "admin", "Admin"
    COMMAND = "command", "Management command"
    SERVICE = "service", "The service itself"


class AuditEntry(models.Model):
    """One act. It refers to no other row, so that what is deleted later changes nothing here.

    `before` and `after` hold what of the object changed, never a secret.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField("actor", max_length=150, blank=True)
    # Whose the object is, where that is another than the actor.
    on_behalf_of_id = models.BigIntegerField(null=True)
    on_behalf_of_name = models.CharField("on behalf of", max_length=150, blank=True)
    action = models.CharField(max_length=50)
    object_kind = models.CharField("kind", max_length=30)
    object_id = models.CharField("id", max_length=64)
    object_label = models.CharField("name", max_length=MAX_LABEL, blank=True)
    channel = models.CharField(max_length=16, choices=Channel)
    address = models.GenericIPAddressField(null=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        # As they were written.
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["action", "-id"], name="audit_by_action"),
            models.Index(fields=["actor_id", "-id"], name="audit_by_actor"),
            models.Index(fields=["on_behalf_of_id", "-id"], name="audit_by_owner"),
            models.Index(fields=["object_kind", "object_id", "-id"], name="audit_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_label}"

    @property
    def meaning(self) -> str:
        """What was done, in a sentence."""
        return ACTIONS[self.action]

    def address_for(self, user: "User") -> str | None:
        """Where it came from, for those who may know: who it was, and operators."""
        return self.address if self.actor_id == user.pk or may_see_all(user) else None
