"""Resource profiles."""

from django.contrib import admin

from audit.audited import Audited
from quotas.models import ResourceProfile
from submarine_site.core.admin_base import CatalogueAdmin


@admin.register(ResourceProfile)
class ResourceProfileAdmin(Audited, CatalogueAdmin):
    audit_kind = "profile"
    list_display = (
        "display_name",
        "name",
        "cpu_milli",
        "memory_mib",
        "gpus",
        "enabled",
        "hidden",
        "deprecated",
        "position",
    )
    autocomplete_fields = ("successor",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "display_name",
                    "description",
                    ("position", "enabled"),
                    "groups",
                    "created_at",
                )
            },
        ),
        (
            "Size",
            {
                "fields": (
                    ("cpu_milli", "memory_mib"),
                    ("gpus", "accelerator"),
                    "shared_memory_mib",
                )
            },
        ),
        (
            "How long sessions of it last",
            {"fields": (("longest_life_minutes", "idle_limit_minutes"),)},
        ),
        (
            "Taking it out of use",
            {"fields": ("hidden", "deprecated", ("deprecation", "successor"))},
        ),
        (
            "Placement on Kubernetes",
            {
                "classes": ("collapse",),
                "description": "Other backends have no use for these.",
                "fields": (
                    ("cpu_overcommit", "memory_overcommit"),
                    "gpu_resource",
                    "node_selector",
                    "preferred_nodes",
                    "tolerations",
                    ("priority_class", "service_account"),
                    "pod_patch",
                ),
            },
        ),
    )
