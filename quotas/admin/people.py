"""Users and groups with their limits: how they stand, and limits for many at once."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import pluralize
from django.urls import reverse
from unfold.decorators import action
from unfold.views import ChangeList

from accounts.admin import GroupAdmin, UserAdmin
from accounts.models import User
from accounts.requests import user_of
from audit.services import entry, record_all
from quotas.admin.fields import SET, OfMembers, OfPool, OfUser, bars, set_now
from quotas.admin.forms import BulkForm, BulkOfGroupsForm
from quotas.models import Limit, QuotaRequest, Scope
from quotas.overview import foresee, pools, standings
from quotas.services import entry_of, said_of, set_limits
from submarine_site.core.errors import DomainError

admin.site.unregister(User)
admin.site.unregister(Group)


class _List(ChangeList):
    """A page of users or groups, with how each of them stands."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        self.model_admin.add_standings(self.result_list)


class _WithLimits:
    """What users and groups have in common. Actions ask for a limit, say what would come of it,
    and set it once that was seen.
    """

    bulk_form: ClassVar[type[BulkForm]]
    opts: Any
    admin_site: Any

    def has_set_limits_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(SET)

    def get_changelist(self, *_: Any, **__: Any) -> type[ChangeList]:
        return _List

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Of somebody who is there: limits are for those."""
        return super().get_inlines(request, obj) if obj else ()  # type: ignore[misc]

    def save_formset(
        self,
        request: HttpRequest,
        form: Any,
        formset: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        limits = [
            each.instance
            for each in formset.forms
            if isinstance(each.instance, Limit) and each.has_changed()
        ]
        was = Limit.objects.in_bulk([limit.pk for limit in limits if limit.pk])
        removed = {each.instance for each in formset.deleted_forms if each.instance.pk}
        entries = [entry("limit.deleted", limit) for limit in removed]
        for limit in limits:
            set_now(limit, request)
        super().save_formset(request, form, formset, change)  # type: ignore[misc]
        entries += [
            entry_of(limit, before=said_of(was[limit.pk]) if limit.pk in was else None)
            for limit in limits
            if limit.pk and limit not in removed
        ]
        record_all(*entries)

    @admin.display(description="use")
    def use(self, one: Any) -> str:
        if not hasattr(one, "standings"):
            self.add_standings([one])
        return bars(one.standings)

    def add_standings(self, of: Sequence[Any]) -> None:
        raise NotImplementedError

    def scope_of(self, form: BulkForm) -> Scope:
        raise NotImplementedError

    @admin.action(description="Set a limit", permissions=["set_limits"])
    def set_limit(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        return self._ask(request, chosen, name="set_limit", is_boost=False)

    @admin.action(description="Give more for a time", permissions=["set_limits"])
    def boost(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        return self._ask(request, chosen, name="boost", is_boost=True)

    def _ask(
        self, request: HttpRequest, chosen: QuerySet[Any], *, name: str, is_boost: bool
    ) -> HttpResponse | None:
        form = self.bulk_form(request.POST if "asked" in request.POST else None, is_boost=is_boost)
        context: dict[str, Any] = {}
        if form.is_valid():
            limits = [form.limit(self.scope_of(form), one) for one in chosen]
            seen = repr(sorted((key, str(said)) for key, said in form.cleaned_data.items()))
            if request.POST.get("seen") == seen:
                try:
                    set_limits(limits, actor=user_of(request))
                except DomainError as refusal:
                    messages.error(request, refusal.message)
                else:
                    whom = f"{len(limits)} {self.opts.verbose_name}{pluralize(len(limits))}"
                    messages.success(request, f"Set the limit for {whom}.")
                return None
            context = {"foreseen": foresee(limits), "seen": seen, "limit": limits[0]}
        every = self.admin_site.each_context(request)
        own = {
            "title": "Give more for a time" if is_boost else "Set a limit",
            "opts": self.opts,
            "form": form,
            "action": name,
            "chosen": chosen,
            "across": request.POST.get("select_across") == "1",
        }
        return render(request, "admin/quotas/bulk.html", every | own | context)


@admin.register(User)
class UserWithLimitsAdmin(_WithLimits, UserAdmin):
    bulk_form = BulkForm
    list_per_page = 50
    inlines = (OfUser,)
    list_display = ("username", "use", "is_active", "is_staff", "active_sessions", "last_login")
    actions: tuple[str, ...] = ("sign_out", "revoke_tokens", "set_limit", "boost")
    actions_detail = ("why",)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (_UsersOver, *super().get_list_filter(request))

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        own = super().get_fieldsets(request, obj)
        return (own[0], ("Use", {"fields": ("use",)}), *own[1:]) if obj else own

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), "use")

    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Limits and requests go with their user, though nobody may delete them one by one."""
        shown, counts, lacking, protected = super().get_deleted_objects(objs, request)
        lacking -= {str(model._meta.verbose_name) for model in (Limit, QuotaRequest)}  # noqa: SLF001
        return shown, counts, lacking, protected

    def add_standings(self, of: Sequence[User]) -> None:
        """Have each know how it stands."""
        known = standings([user.pk for user in of])
        for user in of:
            user.standings = known.of(user.pk)  # type: ignore[attr-defined]

    def scope_of(self, _: BulkForm) -> Scope:
        return Scope.USER

    def has_view_limits_permission(self, request: HttpRequest, _: Any = None) -> bool:
        return request.user.has_perm("quotas.view_limit")

    @action(  # type: ignore[untyped-decorator]
        description="Why may they?",
        url_path="why",
        icon="search",
        permissions=["view_limits"],
    )
    def why(self, _: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(f"{reverse('admin:quotas_limit_inspect')}?user={object_id}")


@admin.register(Group)
class GroupWithLimitsAdmin(_WithLimits, GroupAdmin):
    bulk_form = BulkOfGroupsForm
    list_per_page = 50
    inlines = (OfMembers, OfPool)
    list_display = ("name", "members", "of_each", "use")
    actions = ("set_limit", "boost")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(members=Count("user"))

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (_PoolsOver, *super().get_list_filter(request))

    def add_standings(self, of: Sequence[Group]) -> None:
        """Have each know how its pool stands, and what each member may have."""
        known = pools([group.pk for group in of])
        limits = list(Limit.objects.filter(scope=Scope.GROUP, group__in=of))
        for group in of:
            group.standings = known.get(group.pk, [])  # type: ignore[attr-defined]
            group.of_each = ", ".join(  # type: ignore[attr-defined]
                limit.shown for limit in limits if limit.group_id == group.pk and not limit.is_over
            )

    def scope_of(self, form: BulkForm) -> Scope:
        return Scope(form.cleaned_data["scope"])

    @admin.display(ordering="members")
    def members(self, group: Group) -> int:
        return group.members  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="each member may have")
    def of_each(self, group: Group) -> str:
        return group.of_each  # type: ignore[attr-defined, no-any-return]

    @admin.display(description="use of the pool")
    def use(self, one: Group) -> str:
        return bars(one.standings)  # type: ignore[attr-defined]


class _Over(admin.SimpleListFilter):
    title = "limits"
    parameter_name = "limits"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("over", "Over the limit")]

    def queryset(self, _: HttpRequest, all_of: QuerySet[Any]) -> QuerySet[Any]:
        return all_of.filter(pk__in=self.over()) if self.value() == "over" else all_of

    def over(self) -> set[int]:
        raise NotImplementedError


class _UsersOver(_Over):
    def over(self) -> set[int]:
        return standings().over()


class _PoolsOver(_Over):
    def over(self) -> set[int]:
        return {pk for pk, all_of in pools().items() if any(each.is_over for each in all_of)}
