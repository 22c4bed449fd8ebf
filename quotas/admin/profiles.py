"""Resource profiles."""

from django.contrib import admin
from django.http import HttpRequest

from accounts.requests import user_of
from accounts.rights import WORKLOADS_RIGHT, may_configure_workloads
from audit.audited import Audited
from quotas.models import ResourceProfile
from submarine_site.core.admin_base import CatalogueAdmin

# What these say ends as code, or as rights in the cluster, in everybody's sessions.
WORKLOAD_FIELDS = ("priority_class", "service_account", "pod_patch")


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
                ),
            },
        ),
        (
            "What runs in its sessions, on Kubernetes",
            {
                "classes": ("collapse",),
                "description": f"To change these takes the permission “{WORKLOADS_RIGHT}”.",
                "fields": WORKLOAD_FIELDS,
            },
        ),
    )

    def get_readonly_fields(
        self, request: HttpRequest, obj: ResourceProfile | None = None
    ) -> tuple[str, ...]:
        own: tuple[str, ...] = tuple(super().get_readonly_fields(request, obj))
        return own if may_configure_workloads(user_of(request)) else (*own, *WORKLOAD_FIELDS)
