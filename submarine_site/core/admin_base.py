"""What the pages of the admin have in common."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from django.db.models.options import Options
from django.http import HttpRequest
from unfold.admin import ModelAdmin


class ReadOnly:
    """Records that the service alone writes: to look at, and to act on by actions."""

    opts: "Options[Any]"

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Who may use the actions that end something: Django's own right to delete it."""
        right = get_permission_codename("delete", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{right}")


class SaysWhatProtects:
    """Records that others may hold on to: what does is named, whatever one may do with it."""

    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Django would say first that it may not be deleted either, and name nothing."""
        shown, counts, lacking, protected = super().get_deleted_objects(  # type: ignore[misc]
            objs, request
        )
        return shown, counts, set() if protected else lacking, protected


class CatalogueAdmin(SaysWhatProtects, ModelAdmin):
    """Entries of a catalogue."""

    list_editable = ("enabled", "position")
    list_filter: tuple[str, ...] = ("enabled", "groups")
    search_fields = ("name", "display_name", "description")
    filter_horizontal = ("groups",)
    readonly_fields: tuple[str, ...] = ("created_at",)
