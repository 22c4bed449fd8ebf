"""Limits: set one by one, in the list, and as a file; what would come of it; and why."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.defaultfilters import pluralize
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import User
from accounts.requests import user_of
from audit.audited import Audited
from audit.services import record_all
from quotas import sheet
from quotas.admin.fields import SET, LimitFields, set_now
from quotas.admin.forms import ImportForm, LimitForm
from quotas.amounts import label
from quotas.inspector import inspect, pools_of
from quotas.models import Limit, ResourceProfile
from quotas.overview import foresee, key_of
from quotas.services import differs, entry_of, said_of, same_as, set_limits
from submarine_site.core.errors import DomainError


class UntilFilter(admin.SimpleListFilter):
    title = "until"
    parameter_name = "until"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("good", "For good"), ("boost", "For a time"), ("over", "Over")]

    def queryset(self, _: HttpRequest, limits: QuerySet[Limit]) -> QuerySet[Limit]:
        now = timezone.now()
        match self.value():
            case "good":
                return limits.filter(expires_at=None)
            case "boost":
                return limits.filter(expires_at__gt=now)
            case "over":
                return limits.filter(expires_at__lte=now)
            case _:
                return limits


class InspectForm(forms.Form):
    """Who, and what they would start."""

    user = forms.ModelChoiceField(
        User.objects.all(),
        widget=AutocompleteSelect(
            Limit._meta.get_field("user"),  # noqa: SLF001
            admin.site,
            attrs={"class": "unfold-admin-autocomplete"},
        ),
    )
    profile = forms.ModelChoiceField(
        ResourceProfile.objects.all(), label="Size", widget=UnfoldAdminSelectWidget
    )
    pool = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any, *, user: User | None) -> None:
        super().__init__(data, initial={"user": user})
        pool = self.fields["pool"]
        assert isinstance(pool, forms.ChoiceField)
        # Where there are pools, a start is charged to one of them.
        pool.choices = list(pools_of(user).items() if user else ()) or [("", "None")]


def _asked_for(data: QueryDict) -> User | None:
    raw = data.get("user", "")
    return User.objects.filter(pk=raw).first() if raw.isascii() and raw.isdigit() else None


@admin.register(Limit)
class LimitAdmin(LimitFields, Audited, ModelAdmin):
    audit_kind = "limit"
    form = LimitForm
    list_display = (
        "subject",
        "resource_label",
        "amount",
        "expires_at",
        "reason",
        "set_by",
        "set_at",
    )
    list_display_links = ("subject",)
    list_editable = ("amount", "reason")
    list_filter = ("scope", UntilFilter, "resource", ("group", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "group", "set_by")
    list_per_page = 50
    search_fields = ("user__username", "group__name", "resource", "reason")
    autocomplete_fields = ("user", "group")
    conditional_fields = {
        "user": "scope == 'user'",
        "group": "scope == 'group' || scope == 'pool'",
    }
    fieldsets = (
        (
            None,
            {
                "description": "A user's own limit decides; else the largest of their groups'; "
                "else that for each user. A limit with an end stands before one without.",
                "fields": (
                    "scope",
                    "user",
                    "group",
                    "resource",
                    "amount",
                    "expires_at",
                    "reason",
                ),
            },
        ),
    )
    change_form_after_template = "admin/quotas/check.html"
    actions_list = ("inspect", "export", "import_file")

    def has_set_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(SET)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Whoever cannot change an amount reads it with its unit."""
        may = self.has_change_permission(request)
        return tuple(
            "shown" if name == "amount" and not may else name for name in self.list_display
        )

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, **{**kwargs, "form": LimitForm})

    def save_model(
        self,
        request: HttpRequest,
        obj: Limit,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        was = Limit.objects.get(pk=obj.pk) if change else None
        set_now(obj, request)
        super().save_model(request, obj, form, change)
        record_all(entry_of(obj, before=said_of(was) if was else None))

    def construct_change_message(self, *args: Any, **kwargs: Any) -> Any:
        """What is saved is recorded with it, amounts as people read them."""
        return ModelAdmin.construct_change_message(self, *args, **kwargs)

    @admin.display(description="for", ordering="scope")
    def subject(self, limit: Limit) -> str:
        return limit.subject

    @admin.display(description="of", ordering="resource")
    def resource_label(self, limit: Limit) -> str:
        return label(limit.resource)

    @admin.display(description="amount", ordering="amount")
    def shown(self, limit: Limit) -> str:
        return limit.shown

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.check_view)
        return [path("check/", view, name="quotas_limit_check"), *super().get_urls()]

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Say what would come of saving the form, which is sent as it is."""
        pk = request.GET.get("limit", "")
        limit = self.get_object(request, pk) if pk else None
        if not self.has_set_permission(request) or request.method != "POST":
            raise PermissionDenied
        form = self.get_form(request, limit, change=limit is not None)(request.POST, instance=limit)
        if form.is_valid():
            said = foresee([form.instance], removed=[limit.pk] if limit else []).sentence
        else:
            said = " ".join(text for texts in form.errors.values() for text in texts)
        return HttpResponse(said, content_type="text/plain; charset=utf-8")

    @action(  # type: ignore[untyped-decorator]
        description="Why may they?", url_path="inspect", icon="search", permissions=["view"]
    )
    def inspect(self, request: HttpRequest) -> HttpResponse:
        # Who is not there is asked for again, like nobody.
        user = _asked_for(request.GET)
        given = request.GET.dict() | {"user": user.pk if user else ""}
        is_asked = "profile" in request.GET
        form = InspectForm(given if is_asked else None, user=user)
        verdict = None
        if is_asked and form.is_valid():
            chosen = form.cleaned_data
            verdict = inspect(chosen["user"], chosen["profile"], chosen["pool"])
        return self._page(request, "inspect", "Why may they, or not?", form=form, verdict=verdict)

    @action(  # type: ignore[untyped-decorator]
        description="Export CSV", url_path="export", icon="download", permissions=["view"]
    )
    def export(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        live = Limit.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        return HttpResponse(
            sheet.write(live.select_related("user", "group")),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="limits.csv"'},
        )

    @action(  # type: ignore[untyped-decorator]
        description="Import CSV", url_path="import", icon="upload", permissions=["set"]
    )
    def import_file(self, request: HttpRequest) -> HttpResponse:
        """Read a file, show what it would do, and do that once it was seen."""
        if request.method != "POST":
            return self._page(request, "import", "Import limits", form=ImportForm())
        form = ImportForm(request.POST, request.FILES)
        is_seen = "text" in request.POST
        if is_seen:
            raw = request.POST["text"].encode()
        elif form.is_valid():
            # One more byte than there may be is enough to know.
            raw = form.cleaned_data["file"].read(sheet.MAX_KIB * 1024 + 1)
        else:
            return self._page(request, "import", "Import limits", form=form)
        read = sheet.read(raw)
        if read.faults:
            return self._page(
                request, "import", "Import limits", form=ImportForm(), faults=read.faults
            )
        if is_seen:
            try:
                count = set_limits(read.limits, actor=user_of(request))
            except DomainError as refusal:
                messages.error(request, refusal.message)
            else:
                messages.success(request, f"Set {count} limit{pluralize(count)}.")
            return redirect("admin:quotas_limit_changelist")
        return self._page(
            request,
            "import",
            "Import limits",
            text=raw.decode("utf-8-sig"),
            foreseen=foresee(read.limits),
            **_compared(read.limits),
        )

    def _page(self, request: HttpRequest, name: str, title: str, **context: Any) -> HttpResponse:
        every = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return render(request, f"admin/quotas/{name}.html", every | context)


def _compared(limits: Sequence[Limit]) -> dict[str, Any]:
    """What a file would add and change."""
    present = {key_of(limit): limit for limit in same_as(limits)}
    changes = [
        (limit, present.get(key_of(limit)))
        for limit in limits
        if key_of(limit) not in present or differs(present[key_of(limit)], limit)
    ]
    return {"changes": changes, "unchanged": len(limits) - len(changes)}
