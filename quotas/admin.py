"""Resource profiles in the admin."""

from django.contrib import admin

from quotas.models import ResourceProfile
from submarine_site.core.admin_base import CatalogueAdmin


@admin.register(ResourceProfile)
class ResourceProfileAdmin(CatalogueAdmin):
    list_display = (
        "display_name",
        "name",
        "cpu_milli",
        "memory_mib",
        "gpus",
        "enabled",
        "position",
    )
