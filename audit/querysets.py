"""Who sees which entries."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from accounts.models import User
    from audit.models import AuditEntry


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def concerning(self, user: "User") -> Self:
        """Return what the user did, and what was done to what is theirs."""
        return self.filter(Q(actor_id=user.pk) | Q(on_behalf_of_id=user.pk))

    def visible_to(self, user: "User") -> Self:
        """Return all to operators who may view the log, to anyone else what concerns them."""
        return self.all() if may_see_all(user) else self.concerning(user)


def may_see_all(user: "User") -> bool:
    """Whether the user is an operator who may view the whole log."""
    return user.is_staff and user.has_perm("audit.view_auditentry")
