"""The pages of sessions: fetch what the user may see, call one service, render.

A page includes the fragment that it later swaps, so first paint and update are one template.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import connection
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.middleware import sign_in_id
from accounts.models import User
from environments.models import Environment
from notebooks import launch_view, selectors, services
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus
from notebooks.tickets import Credential
from quotas.models import ResourceProfile
from submarine_site.core.errors import DomainError
from submarine_site.core.live import changes

P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponse]

PAGE_SIZE = 50
EVENTS_SHOWN = 50


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _own(request: HttpRequest, pk: UUID) -> NotebookSession:
    """The session if the user may see it; a stranger's and a missing one look the same."""
    return get_object_or_404(selectors.sessions_of(_user(request)), pk=pk)


def verb(view: View[[UUID]]) -> View[[UUID]]:
    """A button's view: signed in, by POST; a refusal is told on the page the button stands on."""

    @login_required
    @require_POST
    @wraps(view)
    def call(request: HttpRequest, pk: UUID) -> HttpResponse:
        try:
            return view(request, pk)
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return _back(request, pk)

    return call


def _back(request: HttpRequest, pk: UUID) -> HttpResponse:
    if request.POST.get("from") == "home":
        return redirect("home")
    return redirect("session", pk=pk)


def _home_context(request: HttpRequest) -> dict[str, Any]:
    sessions = Paginator(selectors.sessions_of(_user(request)), PAGE_SIZE)
    return {"page": sessions.get_page(request.GET.get("page"))}


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What do I have, and what is it doing."""
    return render(request, "notebooks/home.html", _home_context(request))


@login_required
@require_GET
def rows(request: HttpRequest) -> HttpResponse:
    """The list of home, as it is now."""
    return render(request, "notebooks/_rows.html", _home_context(request))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_session(request: HttpRequest) -> HttpResponse:
    """Choose a size and an environment, and launch. What was chosen survives an error."""
    user = _user(request)
    profiles = list(ResourceProfile.objects.visible_to(user))
    environments = list(Environment.objects.visible_to(user))
    chosen = {
        "name": request.POST.get("name", ""),
        "profile": request.POST.get("profile", profiles[0].name if profiles else ""),
        "environment": request.POST.get(
            "environment", environments[0].name if environments else ""
        ),
    }
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            created = services.create_session(
                owner=user, idempotency_key=request.POST.get("key", ""), **chosen
            )
        except DomainError as error:
            refusal = error
        else:
            page = reverse("session", kwargs={"pk": created.session.pk})
            return HttpResponseRedirect(f"{page}?launched")
    else:
        chosen["name"] = services.suggest_name(user)
    context = {
        "profiles": profiles,
        "environments": environments,
        "chosen": chosen,
        "refusal": refusal,
        # Two clicks on one form are one session.
        "key": secrets.token_urlsafe(16),
    }
    return render(request, "notebooks/new.html", context, status=refusal.status if refusal else 200)


def _session_context(request: HttpRequest, session: NotebookSession) -> dict[str, Any]:
    return {
        "session": session,
        "steps": launch_view.steps(session),
        "events": session.events.select_related("actor")[:EVENTS_SHOWN],
        "runs": session.runs.all()[:10],
        # The notebook opens by itself in the tab that launched it.
        "launched": "launched" in request.GET,
    }


@login_required
@require_GET
def session_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Is it ready; if not, where is it and why; what happened before."""
    session = _own(request, pk)
    return render(request, "notebooks/session.html", _session_context(request, session))


@login_required
@require_GET
def session_state(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The part of a session's page that changes, as it is now."""
    session = _own(request, pk)
    return render(request, "notebooks/_session.html", _session_context(request, session))


@login_required
@require_GET
def session_log(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The end of the log, for the page to put in."""
    run = _own(request, pk).current_run
    try:
        text, refusal = (selectors.log_of(run) if run else ""), ""
    except DomainError as error:
        text, refusal = "", error.message
    return render(request, "notebooks/_log.html", {"text": text, "refusal": refusal})


@login_required
@require_GET
def open_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let this browser into the session: on to the gateway with a code that works once.

    A GET, so that the gateway can lead here too, when a ticket has run out. Nothing changes but
    that the user's own browser is let in.
    """
    session = _own(request, pk)
    try:
        url = services.open_session(
            session=session,
            user=_user(request),
            credential=Credential.SIGN_IN,
            credential_id=sign_in_id(request),
            path=request.GET.get("next") or "lab",
        )
    except DomainError as refusal:
        if session.status != SessionStatus.RUNNING:
            return redirect("session", pk=pk)
        messages.error(request, refusal.message)
        return redirect("session", pk=pk)
    response = HttpResponseRedirect(url)
    response["Cache-Control"] = "no-store"
    return response


@verb
def start_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.start_session(session=_own(request, pk), actor=_user(request))
    if request.POST.get("from") == "home":
        return redirect("home")
    page = reverse("session", kwargs={"pk": pk})
    return HttpResponseRedirect(f"{page}?launched")


@verb
def stop_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.stop_session(session=_own(request, pk), actor=_user(request))
    return _back(request, pk)


@verb
def rename_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.rename_session(
        session=_own(request, pk), name=request.POST.get("name", ""), actor=_user(request)
    )
    return _back(request, pk)


@verb
def delete_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    session = _own(request, pk)
    services.delete_session(session=session, actor=_user(request))
    messages.success(request, f"Deleted “{session.name}”.")
    return redirect("home")


async def live(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Server-sent events: the ids of the user's sessions as they change."""
    user = await request.auser()
    if not isinstance(user, User):
        raise Http404
    # The stream outlives the look at the user by hours; its connection goes back to the pool.
    await sync_to_async(connection.close)()
    response = StreamingHttpResponse(_events(user.pk), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(user_id: int) -> AsyncIterator[str]:
    async for what in changes(user_id):
        yield f"event: change\ndata: {what}\n\n" if what else ": still here\n\n"
