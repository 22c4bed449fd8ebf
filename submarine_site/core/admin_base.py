"""What the pages of the admin have in common."""

from typing import Any

from unfold.admin import ModelAdmin


class ReadOnly:
    """Records that the service alone writes: to look at, and to act on by actions."""

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        return False


class CatalogueAdmin(ModelAdmin):
    """Entries of a catalogue."""

    list_editable = ("enabled", "position")
    list_filter = ("enabled", "groups")
    search_fields = ("name", "display_name", "description")
    filter_horizontal = ("groups",)
    readonly_fields = ("created_at",)
