"""Sessions in the admin: a window. State is read only; the actions call the services."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import pluralize
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from accounts.requests import user_of
from notebooks import adoption, orphans, reports, services
from notebooks.models import NotebookSession, OrphanedRun, Run, SessionEvent
from notebooks.states import SessionStatus
from notebooks.tasks import settle_ledger
from submarine_site.core.admin_base import ReadOnly


class RunInline(ReadOnly, TabularInline):
    model = Run
    fk_name = "session"
    fields = (
        "number",
        "profile_name",
        "environment_name",
        "created_at",
        "ready_at",
        "ended_at",
        "exit_code",
    )
    extra = 0


class EventInline(ReadOnly, TabularInline):
    model = SessionEvent
    fk_name = "session"
    fields = ("created_at", "from_status", "to_status", "code", "message", "actor")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[SessionEvent]:
        events: QuerySet[SessionEvent] = super().get_queryset(request)
        return events.select_related("actor")


@admin.register(NotebookSession)
class NotebookSessionAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "name",
        "owner",
        "state",
        "reason_code",
        "profile",
        "environment_version",
        "created_at",
        "last_activity_at",
        "deleted_at",
    )
    list_filter = (
        "status",
        "profile",
        "environment_version__environment",
        "reason_code",
        "created_at",
        "deleted_at",
    )
    list_select_related = ("owner", "profile", "environment_version__environment")
    list_per_page = 50
    search_fields = ("name", "owner__username", "id")
    date_hierarchy = "created_at"
    inlines = (RunInline, EventInline)
    actions = ("stop", "delete_sessions")
    actions_list = ("reports",)

    def has_recompute_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("quotas.change_limit")

    @action(  # type: ignore[untyped-decorator]
        description="Reports", url_path="reports", icon="bar_chart", permissions=["view"]
    )
    def reports(self, request: HttpRequest) -> HttpResponse:
        """Show who holds what; by POST have a worker put the ledger right."""
        may_recompute = self.has_recompute_permission(request)
        if request.method == "POST":
            if not may_recompute:
                raise PermissionDenied
            try:
                settle_ledger.delay()
            except (OperationalError, RedisError, OSError):
                messages.error(request, "The queue of tasks is away. Try again.")
            else:
                messages.success(request, "A worker looks at it. Here stands soon what it found.")
            return redirect("admin:notebooks_notebooksession_reports")
        try:
            found = reports.last_found()
        except (RedisError, OSError):
            found = None
        context = {
            **self.admin_site.each_context(request),
            "title": "Reports",
            "opts": self.opts,
            "top": reports.top_users(),
            "idle": reports.idle_gpu_holders(),
            "unused": reports.unused_volumes(),
            "found": found,
            "may_recompute": may_recompute,
        }
        return render(request, "admin/notebooks/reports.html", context)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="status",
        label={
            SessionStatus.RUNNING: "success",
            SessionStatus.FAILED: "danger",
            SessionStatus.REQUESTED: "warning",
            SessionStatus.STARTING: "warning",
            SessionStatus.STOPPING: "warning",
        },
    )
    def state(self, session: NotebookSession) -> str:
        return session.status

    @admin.action(description="Stop", permissions=["act"])
    def stop(self, request: HttpRequest, sessions: QuerySet[NotebookSession]) -> None:
        actor = user_of(request)
        self._each(
            request,
            sessions,
            "Stopping",
            lambda session: services.stop_session(
                session=session,
                actor=actor,
                code="stopped_by_operator",
                message="Stopped by an operator.",
            ),
        )

    @admin.action(description="Delete", permissions=["act"])
    def delete_sessions(
        self, request: HttpRequest, sessions: QuerySet[NotebookSession]
    ) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": "Delete sessions",
                "opts": self.opts,
                "sessions": sessions.select_related("owner"),
            }
            return render(request, "admin/notebooks/delete_sessions.html", context)
        actor = user_of(request)
        self._each(
            request,
            sessions,
            "Deleting",
            lambda session: services.delete_session(session=session, actor=actor),
        )
        return None

    def _each(
        self,
        request: HttpRequest,
        sessions: QuerySet[NotebookSession],
        doing: str,
        service: Callable[[NotebookSession], object],
    ) -> None:
        count = 0
        for session in sessions:
            service(session)
            count += 1
        messages.success(request, f"{doing} {count} session{pluralize(count)}.")


@admin.register(SessionEvent)
class SessionEventAdmin(ReadOnly, ModelAdmin):
    list_display = ("created_at", "session", "from_status", "to_status", "code", "message", "actor")
    list_filter = ("to_status", "code", "created_at")
    list_select_related = ("session", "actor")
    list_per_page = 50
    search_fields = ("session__name", "session__owner__username", "message", "session__id")
    date_hierarchy = "created_at"


_HELD = {
    OrphanedRun.Hold.NEWER.value: "Held, newer than the database",
    OrphanedRun.Hold.MANY.value: "Held, one of many",
}


@admin.register(OrphanedRun)
class OrphanedRunAdmin(ReadOnly, ModelAdmin):
    """Runs that the database lacks. Whoever may end sessions decides about them."""

    list_display = ("__str__", "owner_name", "state", "began_at", "first_seen_at", "session_id")
    list_filter = ("hold", "began_at")
    list_per_page = 100
    search_fields = ("name", "owner_name", "session_id", "run_id")
    fields = (
        "name",
        "owner_name",
        "state",
        "session_id",
        "run_id",
        "began_at",
        "first_seen_at",
        "removal_requested_at",
        "removal_began_at",
    )
    readonly_fields = fields
    actions = ("adopt", "remove")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrphanedRun]:
        rows: QuerySet[OrphanedRun] = super().get_queryset(request)
        return rows.filter(gone_at=None)

    def has_view_permission(
        self,
        request: HttpRequest,
        obj: OrphanedRun | None = None,  # noqa: ARG002
    ) -> bool:
        return request.user.has_perm("notebooks.view_notebooksession")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notebooks.delete_notebooksession")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        label={
            **dict.fromkeys(_HELD.values(), "warning"),
            "Removing": "danger",
        },
    )
    def state(self, orphan: OrphanedRun) -> str:
        if orphan.removal_requested_at or orphan.removal_began_at:
            return "Removing"
        return _HELD.get(orphan.hold, "Removed after 5 minutes")

    @admin.action(description="Adopt", permissions=["act"])
    def adopt(self, request: HttpRequest, chosen: QuerySet[OrphanedRun]) -> None:
        actor = user_of(request)
        adopted = 0
        for orphan in chosen:
            try:
                adoption.adopt(orphan, actor=actor)
            except adoption.CannotAdopt as refusal:
                messages.error(request, f"{orphan}: {refusal.message}")
            else:
                adopted += 1
        if adopted:
            messages.success(request, f"Adopted {adopted} session{pluralize(adopted)}.")

    @admin.action(description="Remove", permissions=["act"])
    def remove(self, request: HttpRequest, chosen: QuerySet[OrphanedRun]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": "Remove orphaned runs",
                "opts": self.opts,
                "orphans": chosen,
            }
            return render(request, "admin/notebooks/remove_orphans.html", context)
        removed = orphans.request_removal([orphan.pk for orphan in chosen], actor=user_of(request))
        messages.success(request, f"Removing {removed} run{pluralize(removed)}.")
        return None
