"""Setting limits: the one way for all that set several at once, and what is recorded of each."""

from collections.abc import Collection, Mapping, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry
from audit.services import entry, record_all
from quotas.models import Limit
from quotas.overview import key_of
from submarine_site.core.errors import DomainError

_SAID = ("amount", "expires_at", "reason")


def set_limits(limits: Sequence[Limit], *, actor: User) -> int:
    """Have these limits, in the place of those for the same: all of them or none. Requires each
    to be valid and for something else. How many there are that were not so before.

    Raises `DomainError` with `conflict` where somebody else set one of them at the same time.
    """
    try:
        with transaction.atomic():
            return _set(limits, actor)
    except IntegrityError as error:
        raise DomainError(
            "Somebody else has set one of these limits just now. Look again.", code="conflict"
        ) from error


def _set(limits: Sequence[Limit], actor: User) -> int:
    present = {key_of(limit): limit for limit in same_as(limits).select_for_update(of=("self",))}
    added, changed, before = [], [], {}
    for wanted in limits:
        limit = present.get(key_of(wanted))
        if limit is None:
            limit = wanted
            added.append(limit)
        elif differs(limit, wanted):
            before[limit.pk] = said_of(limit)
            for name in _SAID:
                setattr(limit, name, getattr(wanted, name))
            changed.append(limit)
        limit.set_by, limit.set_at = actor, timezone.now()
    Limit.objects.bulk_create(added)
    Limit.objects.bulk_update(changed, (*_SAID, "set_by", "set_at"), batch_size=500)
    record_all(
        *[entry_of(limit, before=before.get(limit.pk), actor=actor) for limit in added + changed]
    )
    return len(added) + len(changed)


def said_of(limit: Limit) -> dict[str, str]:
    """Return what a limit says, as the audit log keeps it."""
    return {
        "amount": limit.shown,
        "until": limit.expires_at.isoformat() if limit.expires_at else "",
        "reason": limit.reason,
    }


def entry_of(
    limit: Limit, *, before: Mapping[str, str] | None, actor: User | None = None
) -> AuditEntry:
    """Return the entry, to be saved, of a limit that was saved; `before` None: it is new."""
    after = said_of(limit)
    if before is None:
        return entry("limit.created", limit, actor=actor, after=after)
    names = [name for name in after if before[name] != after[name]]
    return entry(
        "limit.changed",
        limit,
        actor=actor,
        before={name: before[name] for name in names},
        after={name: after[name] for name in names},
    )


def same_as(limits: Collection[Limit]) -> QuerySet[Limit]:
    """Return those there are that are for a user, group and resource among these."""
    return (
        Limit.objects.filter(
            Q(user=None) | Q(user__in={limit.user_id for limit in limits if limit.user_id}),
            Q(group=None) | Q(group__in={limit.group_id for limit in limits if limit.group_id}),
            resource__in={limit.resource for limit in limits},
        )
        .select_related("user", "group")
        .order_by()
    )


def differs(limit: Limit, wanted: Limit) -> bool:
    """Whether a limit says something else than one that is for the same."""
    return any(getattr(limit, name) != getattr(wanted, name) for name in _SAID)
