"""The audit log in the admin: to look at, to filter, to export. Nobody changes it."""

import json
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from audit.actions import ACTIONS, KINDS
from audit.export import as_csv
from audit.models import AuditEntry
from submarine_site.core.admin_base import ReadOnly

MOST = 10_000
"""How many entries the list has pages for; what is older is found by filters, and exported."""


class _ChoiceFilter(admin.SimpleListFilter):
    """A column of which the values are known: it asks the log, which may be long, for none."""

    values: tuple[str, ...]

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def queryset(self, _: HttpRequest, entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return (
            entries.filter(**{str(self.parameter_name): self.value()}) if self.value() else entries
        )


class ActionFilter(_ChoiceFilter):
    title = "action"
    parameter_name = "action"
    values = tuple(ACTIONS)


class KindFilter(_ChoiceFilter):
    title = "kind"
    parameter_name = "object_kind"
    values = KINDS


class _Newest(Paginator):  # type: ignore[type-arg]
    """Pages of the newest: to count a log that grows for years takes longer than to look at it."""

    @cached_property
    def count(self) -> int:
        """How many there are, if not more than can be paged through."""
        most: int = self.object_list[:MOST].count()  # type: ignore[attr-defined]
        return most


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "at",
        "actor",
        "on_behalf_of_name",
        "action",
        "object",
        "channel",
        "address",
        "changes",
    )
    list_filter = (ActionFilter, KindFilter, "channel", "at")
    search_fields = ("actor_name", "on_behalf_of_name", "object_label", "=object_id", "=address")
    search_help_text = "Search by person, name, id or address"
    show_full_result_count = False
    paginator = _Newest
    change_list_template = "admin/audit/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export)
        own = [path("export/", export, name="audit_auditentry_export")]
        return [*own, *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Send what the list shows with these filters, all pages of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        entries = self.get_changelist_instance(request).get_queryset(request)
        return as_csv(entries, cast("Any", request.user))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the way to the export of what is shown."""
        export = f"{reverse('admin:audit_auditentry_export')}?{request.GET.urlencode()}"
        more = {**(extra_context or {}), "export": export}
        shown: HttpResponse = super().changelist_view(request, more)
        return shown

    @admin.display(description="actor", ordering="actor_name")
    def actor(self, entry: AuditEntry) -> str:
        """Who did it, as a way to all that they did."""
        if entry.actor_id is None:
            return ""
        return format_html('<a href="?actor_id__exact={}">{}</a>', entry.actor_id, entry.actor_name)

    @admin.display(description="object", ordering="object_label")
    def object(self, entry: AuditEntry) -> str:
        """What it was done to, as a way to all that was done to it."""
        return format_html(
            '<a href="?object_kind={}&object_id__exact={}">{}</a>',
            entry.object_kind,
            entry.object_id,
            entry.object_label or entry.object_id,
        )

    @admin.display(description="changes")
    def changes(self, entry: AuditEntry) -> str:
        names = dict.fromkeys([*entry.before, *entry.after])
        return "; ".join(
            f"{name}: {_short(entry.before[name])} → {_short(entry.after.get(name))}"
            if name in entry.before
            else f"{name}: {_short(entry.after[name])}"
            for name in names
        )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - what a cell can show
