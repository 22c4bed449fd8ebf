"""How the entries of a catalogue are kept in the admin."""

from unfold.admin import ModelAdmin


class CatalogueAdmin(ModelAdmin):
    list_editable = ("enabled", "position")
    list_filter = ("enabled", "groups")
    search_fields = ("name", "display_name", "description")
    filter_horizontal = ("groups",)
    readonly_fields = ("created_at",)
