"""Writes the audit log, within the transaction of what it tells of: both are kept, or neither."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.db.models import Model
from django.db.transaction import TransactionManagementError

from audit.actions import ACTIONS
from audit.models import MAX_LABEL, AuditEntry
from audit.origin import current

if TYPE_CHECKING:
    from accounts.models import User

# What rows call whose they are.
_OWNERS = ("owner", "user")


def entry(
    action: str,
    what: Model,
    *,
    actor: "User | None" = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Return an entry that is not saved yet, for whoever saves it with other rows.

    `actor` is who did it, unless that is who sent the request, if anyone did. `before` and `after`
    are what of the object changed, and may hold nothing secret.
    """
    assert action in ACTIONS
    origin = current()
    actor = actor or origin.person
    owner = _other_owner(what, actor)
    return AuditEntry(
        actor_id=actor.pk if actor else None,
        actor_name=actor.get_username() if actor else "",
        on_behalf_of_id=owner.pk if owner else None,
        on_behalf_of_name=owner.get_username() if owner else "",
        action=action,
        object_kind=action.partition(".")[0],
        object_id=str(what.pk),
        object_label=str(what)[:MAX_LABEL],
        channel=origin.channel,
        address=origin.address,
        before=dict(before or {}),
        after=dict(after or {}),
    )


def record(
    action: str,
    what: Model,
    *,
    actor: "User | None" = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Record what this transaction does, as `entry` has it, by one INSERT.

    Raises `TransactionManagementError` outside of a transaction.
    """
    record_all(entry(action, what, actor=actor, before=before, after=after))


def record_all(*entries: AuditEntry) -> None:
    """Record entries by one INSERT; of none, nothing. Requires a transaction, as `record` does."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("What is done and its audit entry are one transaction.")
    AuditEntry.objects.bulk_create(entries)


def _other_owner(what: Model, actor: "User | None") -> "User | None":
    """Whose it is, if that is another than the actor: only then it may take a query to know."""
    if isinstance(what, AbstractBaseUser):
        owner_id, name = what.pk, ""
    else:
        name = next((each for each in _OWNERS if hasattr(what, f"{each}_id")), "")
        owner_id = getattr(what, f"{name}_id") if name else None
    if owner_id is None or (actor is not None and owner_id == actor.pk):
        return None
    return cast("User", getattr(what, name) if name else what)
