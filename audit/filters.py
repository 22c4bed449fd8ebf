"""How entries are looked for, on page and API alike."""

from typing import TYPE_CHECKING

import django_filters

from audit.actions import ACTIONS, KINDS
from audit.models import AuditEntry, Channel
from audit.querysets import AuditQuerySet


class AuditFilter(django_filters.FilterSet):
    """Which entries to list."""

    actor = django_filters.CharFilter(
        field_name="actor_name", label="Who did it: a user's name", max_length=150
    )
    action = django_filters.ChoiceFilter(choices=[(code, code) for code in ACTIONS])
    kind = django_filters.ChoiceFilter(
        field_name="object_kind", choices=[(kind, kind) for kind in KINDS]
    )
    object = django_filters.CharFilter(
        field_name="object_id", label="The id of what it was done to", max_length=64
    )
    channel = django_filters.ChoiceFilter(choices=Channel.choices)
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    if TYPE_CHECKING:
        qs: AuditQuerySet
