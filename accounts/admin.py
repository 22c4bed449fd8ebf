"""People in the admin: users, groups, their tokens and sign-ins."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import UserChangeForm, UserCreationForm

from accounts import services
from accounts.models import ApiToken, SignIn, User
from accounts.password_forms import ResetPasswordForm
from audit.audited import Audited
from submarine_site.core.admin_base import ReadOnly, SaysWhatProtects

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(Audited, DjangoGroupAdmin, ModelAdmin):
    audit_kind = "group"

    def get_readonly_fields(
        self, request: HttpRequest, obj: Group | None = None
    ) -> tuple[str, ...]:
        """Rights are given by superusers, by way of a group too."""
        own = super().get_readonly_fields(request, obj)
        return tuple(own) if request.user.is_superuser else (*own, "permissions")


def _below(request: HttpRequest, person: User | None) -> bool:
    return request.user.is_superuser or person is None or not person.is_staff


@admin.register(User)
class UserAdmin(Audited, SaysWhatProtects, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    audit_kind = "user"
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = ResetPasswordForm
    change_user_password_template = "accounts/admin/reset_password.html"  # noqa: S105 - no password
    list_display = ("username", "email", "is_active", "is_staff", "active_sessions", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    actions: tuple[str, ...] = ("sign_out", "revoke_tokens")

    def user_change_password(self, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            changed: HttpResponse = super().user_change_password(*args, **kwargs)
        return changed

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        active = Count("sessions", filter=~Q(sessions__status__in=["stopped", "failed"]))
        users: QuerySet[User] = super().get_queryset(request)
        return users.annotate(active_sessions=active)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody becomes more than they are (CVE-2024-41942): staff are changed by superusers."""
        return _below(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _below(request, obj) and super().has_delete_permission(request, obj)

    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Tokens and sign-ins go with their user, though nobody may delete them one by one."""
        shown, counts, lacking, protected = super().get_deleted_objects(objs, request)
        lacking -= {str(model._meta.verbose_name) for model in (ApiToken, SignIn)}  # noqa: SLF001
        return shown, counts, lacking, protected

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Rights are given by superusers."""
        own = super().get_readonly_fields(request, obj)
        if request.user.is_superuser:
            return tuple(own)
        return (*own, "is_staff", "is_superuser", "groups", "user_permissions")

    @admin.display(description="active sessions", ordering="active_sessions")
    def active_sessions(self, user: User) -> int:
        return user.active_sessions  # type: ignore[attr-defined, no-any-return]

    @admin.action(description="Sign out everywhere", permissions=["change"])
    def sign_out(self, request: HttpRequest, users: QuerySet[User]) -> None:
        below = [person for person in users if _below(request, person)]
        ended = services.end_sign_ins(SignIn.objects.filter(user__in=below))
        messages.success(request, f"Ended {ended} sign-ins.")

    @admin.action(description="Revoke all API tokens", permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, users: QuerySet[User]) -> None:
        below = [person for person in users if _below(request, person)]
        ended = sum(services.revoke_all_tokens(user=person) for person in below)
        messages.success(request, f"Revoked {ended} tokens.")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "name",
        "user",
        "hint",
        "may",
        "created_at",
        "expires_at",
        "last_used_at",
        "last_used_from",
        "revoked_at",
    )
    list_filter = ("created_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "hint", "last_used_from")
    date_hierarchy = "created_at"
    actions = ("revoke",)

    @admin.display(description="may")
    def may(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.action(description="Revoke", permissions=["act"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        ended = services.revoke_tokens(ApiToken.objects.filter(pk__in=tokens))
        messages.success(request, f"Revoked {ended} tokens.")


@admin.register(SignIn)
class SignInAdmin(ReadOnly, ModelAdmin):
    list_display = ("user", "created_at", "last_seen_at", "address", "user_agent", "ended_at")
    list_filter = ("created_at", "ended_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "address", "user_agent")
    actions = ("end",)

    @admin.action(description="Sign out", permissions=["act"])
    def end(self, request: HttpRequest, sign_ins: QuerySet[SignIn]) -> None:
        ended = services.end_sign_ins(SignIn.objects.filter(pk__in=sign_ins))
        messages.success(request, f"Ended {ended} sign-ins.")
