"""Volumes in the admin: a window, with the verbs that their owners have, and adopting."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from accounts.models import User
from accounts.requests import user_of
from audit.audited import Audited
from submarine_site.core.admin_base import CatalogueAdmin, ReadOnly
from submarine_site.core.errors import DomainError
from submarine_site.core.sizes import about, of_size, size
from volumes import services
from volumes.host import host, largest_mib
from volumes.models import MAX_CLAIM, Volume, VolumeClass
from volumes.states import VolumeState


@admin.register(VolumeClass)
class VolumeClassAdmin(Audited, CatalogueAdmin):
    audit_kind = "volume_class"
    list_display = (
        "display_name",
        "name",
        "storage_class",
        "access_mode",
        "growable",
        "usual_mib",
        "largest_mib",
        "enabled",
        "position",
    )
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
        ("Size", {"fields": (("usual_mib", "largest_mib"), "growable")}),
        (
            "Storage",
            {
                "description": "Of new volumes: those there are stay as they are.",
                "fields": ("storage_class", "access_mode"),
            },
        ),
    )


class _ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a service does in place of the model's own checks and saving: what it refuses is told
    at the field, in its words.
    """

    actor: ClassVar[User]
    instance: Volume

    def ask(self) -> Volume:
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            self.instance = self.ask()
        except DomainError as refusal:
            at = {name: said for name, said in refusal.fields.items() if name in self.fields}
            self.add_error(None, at or refusal.message)

    def save(self, commit: bool = True) -> Volume:  # noqa: ARG002, FBT001, FBT002
        """Return what the service has saved."""
        return self.instance


class AdoptForm(_ServiceForm):
    """What is there already, and whose it is to be."""

    claim = forms.CharField(
        max_length=MAX_CLAIM,
        widget=UnfoldAdminTextInputWidget,
        help_text="The name of a PersistentVolumeClaim where the sessions are or, without a "
        "cluster, the absolute path of a folder.",
    )
    as_home = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="If set, it is the home of all of the owner's sessions.",
    )

    def ask(self) -> Volume:
        return services.adopt_volume(actor=self.actor, **self.cleaned_data)


class GrowForm(_ServiceForm):
    """A volume, of which the size alone may change."""

    def ask(self) -> Volume:
        if "size_mib" not in self.changed_data:
            return self.instance
        return services.grow_volume(volume=self.instance, size_mib=self.cleaned_data["size_mib"])


class UnusedFilter(admin.SimpleListFilter):
    title = "use"
    parameter_name = "use"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("none", "No session has it")]

    def queryset(self, _: HttpRequest, volumes: QuerySet[Volume]) -> QuerySet[Volume]:
        if self.value() != "none":
            return volumes
        attached = host().attachments(list(volumes))
        return volumes.exclude(pk__in=[pk for pk, sessions in attached.items() if sessions])


@admin.register(Volume)
class VolumeAdmin(ModelAdmin):
    list_display = (
        "name",
        "owner",
        "kind",
        "state_label",
        "size_label",
        "used",
        "volume_class",
        "created_at",
    )
    list_filter = ("state", "kind", UnusedFilter, "access_mode", "volume_class")
    list_select_related = ("owner", "volume_class")
    search_fields = ("name", "owner__username", "claim", "id")
    date_hierarchy = "created_at"
    autocomplete_fields = ("owner",)
    actions = ("trash", "restore", "remove", "retry")
    fieldsets = (
        (None, {"fields": ("name", "owner", "kind", "state_label", "reason", "attached")}),
        ("Size", {"fields": (("size_mib", "wanted_mib"), ("capacity_mib", "used_mib", "seen_at"))}),
        ("Storage", {"fields": ("id", "volume_class", "storage_class", "access_mode", "claim")}),
        ("When", {"fields": (("created_at", "updated_at", "trashed_at"),)}),
    )
    add_fieldsets = (
        (
            None,
            {
                "description": "Adopt what is there already. It is never changed, and stays when "
                "the volume is removed.",
                "fields": ("owner", "name", "claim", "as_home"),
            },
        ),
    )

    def has_delete_permission(self, *_: Any) -> bool:
        """Whether rows may go: what they say is kept goes by way of the trash."""
        return False

    has_act_permission = ReadOnly.has_act_permission

    def get_fieldsets(self, request: HttpRequest, obj: Volume | None = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def get_form(
        self,
        request: HttpRequest,
        obj: Volume | None = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> Any:
        kwargs["form"] = GrowForm if obj else AdoptForm
        form = super().get_form(request, obj, change, **kwargs)
        # A class of this request's own.
        form.actor = user_of(request)
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Volume | None = None) -> list[str]:
        """All but the size of one that can grow."""
        if obj is None:
            return []
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        return [name for name in shown if name != "size_mib" or largest_mib(obj) is None]

    def save_model(self, *_: Any) -> None:
        """Do nothing: the form's service has."""

    save_related = save_model

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={
            VolumeState.READY: "success",
            VolumeState.FAILED: "danger",
            VolumeState.REQUESTED: "warning",
            VolumeState.REMOVING: "warning",
        },
    )
    def state_label(self, volume: Volume) -> str:
        return volume.state

    @admin.display(description="size", ordering="size_mib")
    def size_label(self, volume: Volume) -> str:
        return size(volume.size_mib) if volume.size_mib else ""

    @admin.display(description="used", ordering="used_mib")
    def used(self, volume: Volume) -> str:
        whole = volume.capacity_mib or volume.size_mib
        if volume.used_mib is None:
            return ""
        return of_size(volume.used_mib, whole) if whole else about(volume.used_mib)

    @admin.display(description="sessions")
    def attached(self, volume: Volume) -> str:
        attachments = host().attachments([volume]).get(volume.pk, ())
        return ", ".join(f"{each.session} ({each.status})" for each in attachments)

    @admin.action(description="Move to the trash", permissions=["act"])
    def trash(self, request: HttpRequest, volumes: QuerySet[Volume]) -> None:
        self._each(request, volumes, "In the trash", services.trash_volume)

    @admin.action(description="Bring back from the trash", permissions=["act"])
    def restore(self, request: HttpRequest, volumes: QuerySet[Volume]) -> None:
        self._each(request, volumes, "Brought back", services.restore_volume)

    @admin.action(description="Remove what is in the trash now", permissions=["act"])
    def remove(self, request: HttpRequest, volumes: QuerySet[Volume]) -> None:
        self._each(request, volumes, "To be removed", services.remove_volume)

    @admin.action(description="Try again what failed", permissions=["act"])
    def retry(self, request: HttpRequest, volumes: QuerySet[Volume]) -> None:
        self._each(request, volumes, "To be looked at", services.retry_volume)

    def _each(
        self,
        request: HttpRequest,
        volumes: QuerySet[Volume],
        done: str,
        service: Callable[..., object],
    ) -> None:
        for volume in volumes:
            try:
                service(volume=volume)
            except DomainError as refusal:
                messages.error(request, f"{volume}: {refusal.message}")
            else:
                messages.success(request, f"{done}: “{volume}”.")
