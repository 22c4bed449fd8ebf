"""Environments and builds in the admin. What an environment runs changes by versions."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.requests import user_of
from accounts.rights import WORKLOADS_RIGHT, may_configure_workloads
from audit.audited import Audited
from environments import builds, services
from environments.models import Build, Environment, EnvironmentVersion
from environments.services import Draft
from environments.sharing import refuse_taken
from submarine_site.core.admin_base import CatalogueAdmin, ReadOnly
from submarine_site.core.errors import DomainError
from submarine_site.core.image_references import NOT_A_REFERENCE, is_image_reference

# An environment without an owner is the site's: to take its owner away makes its image everybody's.
WORKLOAD_FIELDS = ("image", "owner")


class EnvironmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """An environment, and the image of its newest version."""

    image = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="Another one makes a new version. Kernels are declared on the pages.",
    )

    class Meta:
        model = Environment
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets say which

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Who may not change the image is shown it alone.
        if "image" in self.fields and self.instance.newest is not None:
            self.fields["image"].initial = self.instance.newest.image

    def clean_image(self) -> str:
        """Refuse what is no name of an image."""
        image: str = self.cleaned_data["image"]
        if not is_image_reference(image):
            raise ValidationError(NOT_A_REFERENCE)
        return image

    def clean(self) -> dict[str, Any]:
        """Refuse to share it with a group that has another of its name."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        was = self.instance
        groups = {group.pk for group in cleaned.get("groups", ())}
        is_new = was._state.adding  # noqa: SLF001 - it is documented
        # What is neither renamed nor another's keeps what it has.
        if not is_new and not {"name", "owner"} & set(self.changed_data):
            groups -= set(was.groups.values_list("pk", flat=True))
        if cleaned.get("owner", was.owner) is not None and groups:
            try:
                refuse_taken(cleaned.get("name", was.name), groups, but=was.pk)
            except DomainError as refusal:
                self.add_error("groups", refusal.message)
        return cleaned


class VersionInline(ReadOnly, TabularInline):
    model = EnvironmentVersion
    fields = ("number", "image", "note", "created_by", "created_at")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[EnvironmentVersion]:
        versions: QuerySet[EnvironmentVersion] = super().get_queryset(request)
        return versions.select_related("environment", "created_by")


@admin.register(Environment)
class EnvironmentAdmin(Audited, CatalogueAdmin):
    audit_kind = "environment"
    form = EnvironmentForm
    list_display = (
        "display_name",
        "name",
        "owner",
        "image",
        "enabled",
        "hidden",
        "position",
    )
    list_filter = ("enabled", "hidden", "deprecated", "groups")
    list_select_related = ("owner", "newest")
    autocomplete_fields = ("owner",)
    readonly_fields = ("created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("name", "display_name", "description", "groups")}),
        (
            "What sessions run",
            {
                "description": f"To change these takes the permission “{WORKLOADS_RIGHT}”.",
                "fields": WORKLOAD_FIELDS,
            },
        ),
        ("In the catalogue", {"fields": (("position", "enabled", "hidden"),)}),
        ("Deprecated", {"fields": ("deprecated", "deprecation", "successor")}),
        ("When", {"fields": (("created_at", "updated_at"),)}),
    )
    inlines = (VersionInline,)
    actions = ("delete_unused",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Environment]:
        environments: QuerySet[Environment] = super().get_queryset(request)
        return environments.filter(deleted_at=None)

    def has_delete_permission(self, *_: Any) -> bool:
        """Whether the rows themselves may go: runs speak of them. There is an action instead."""
        return False

    has_act_permission = ReadOnly.has_act_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An environment begins with an image."""
        return may_configure_workloads(user_of(request)) and super().has_add_permission(request)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Environment | None = None
    ) -> tuple[str, ...]:
        own: tuple[str, ...] = tuple(super().get_readonly_fields(request, obj))
        return own if may_configure_workloads(user_of(request)) else (*own, *WORKLOAD_FIELDS)

    @admin.display(description="image")
    def image(self, environment: Environment) -> str:
        return environment.newest.image if environment.newest else ""

    def save_model(
        self,
        request: HttpRequest,
        obj: Environment,
        form: EnvironmentForm,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Save it, with a new version if the image is another."""
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)
        if "image" in form.changed_data:
            services.add_version(
                environment=obj,
                actor=user_of(request),
                draft=Draft.like(obj.newest, image=form.cleaned_data["image"]),
            )

    @admin.action(description="Delete, where no session has it", permissions=["act"])
    def delete_unused(self, request: HttpRequest, environments: QuerySet[Environment]) -> None:
        actor = user_of(request)
        for environment in environments:
            try:
                services.delete_environment(environment=environment, actor=actor)
            except DomainError as refusal:
                messages.error(request, f"{environment}: {refusal.message}")
            else:
                messages.success(request, f"Deleted “{environment}”.")


@admin.register(Build)
class BuildAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "__str__",
        "state_label",
        "image",
        "size",
        "attempt",
        "error_code",
        "finished_at",
        "last_used_at",
    )
    list_filter = ("state", "error_code", "image")
    search_fields = ("digest", "kernel__name", "image")
    date_hierarchy = "created_at"
    actions = ("retry", "rebuild", "discard")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Build]:
        rows: QuerySet[Build] = super().get_queryset(request)
        return rows.defer("log_tail", "lock")

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={
            Build.State.BUILT: "success",
            Build.State.FAILED: "danger",
            Build.State.QUEUED: "warning",
            Build.State.BUILDING: "warning",
        },
    )
    def state_label(self, build: Build) -> str:
        return build.state

    @admin.display(description="size", ordering="size_bytes")
    def size(self, build: Build) -> str:
        return build.size

    @admin.action(description="Try again what failed", permissions=["act"])
    def retry(self, request: HttpRequest, chosen: QuerySet[Build]) -> None:
        self._each(request, chosen, "To be built again", builds.retry)

    @admin.action(description="Build from its lock what the store has no more", permissions=["act"])
    def rebuild(self, request: HttpRequest, chosen: QuerySet[Build]) -> None:
        self._each(request, chosen, "Looked for", builds.rebuild)

    @admin.action(description="Discard what no session has", permissions=["act"])
    def discard(self, request: HttpRequest, chosen: QuerySet[Build]) -> None:
        self._each(request, chosen, "To be removed", builds.discard)

    def _each(
        self,
        request: HttpRequest,
        chosen: QuerySet[Build],
        done: str,
        service: Callable[[Build], bool],
    ) -> None:
        count = sum(service(build) for build in chosen)
        messages.success(request, f"{done}: {count} build{pluralize(count)}.")
