"""Sharing with groups: to the members of a group, a name stands for one environment."""

from collections.abc import Collection
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Q

from environments.models import Environment
from submarine_site.core.errors import DomainError


def refuse_taken(name: str, groups: Collection[int], *, but: UUID) -> None:
    """Refuse to share a user's environment of this name with groups that have another of it: what a
    name stands for is not taken over. `but` is the environment itself.

    Holds the groups until the transaction ends, so of two who share at the same time one is
    refused. Raises `DomainError` with `name_taken`.
    """
    rows = Group.objects.filter(pk__in=groups).order_by("pk").select_for_update(no_key=True)
    names = {group.pk: group.name for group in rows}
    # One of another user that is disabled keeps its name, for when it is enabled again; one of the
    # site comes before those of users then.
    shared = Q(groups__in=names) & (Q(owner__isnull=False) | Q(enabled=True))
    for_everyone = Q(owner=None, enabled=True, groups=None)
    others = Environment.objects.filter(shared | for_everyone, name=name, deleted_at=None)
    having = set(others.exclude(pk=but).values_list("groups", flat=True))
    if names and having:
        # What is for everyone, every group has.
        group = min(names[pk] for pk in (names if None in having else having))
        message = (
            f"The group “{group}” has an environment named “{name}” already. "
            "Share one of another name."
        )
        raise DomainError(message, code="name_taken", fields={"groups": message})
