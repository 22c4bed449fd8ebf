"""The pages of sessions: fetch what the user may see, call one service, render.

A page includes the fragment that it later swaps, so first paint and update are one template.
"""

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias
from urllib.parse import quote, urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from accounts.middleware import sign_in_id
from accounts.models import GitCredential, User, UserSecret
from accounts.requests import user_of
from environments.models import Environment
from environments.selectors import shown
from notebooks import launch_links, launch_view, memory, selectors, services
from notebooks.addresses import session_url
from notebooks.bookmarks import keep_bookmark
from notebooks.code_view import code_of
from notebooks.logs import log_of
from notebooks.models import Bookmark, NotebookSession
from notebooks.mounts import Mount
from notebooks.picked_secrets import missing_of
from notebooks.setup import NOTHING, Setup
from notebooks.setup_form import SetupForm
from notebooks.sizes import fit_of_start, sizes_for
from notebooks.states import SessionStatus
from notebooks.tickets import Credential
from notebooks.volumes_view import choices_for, full_home_of, volumes_of
from quotas.ledger import QuotaExceeded
from quotas.models import ResourceProfile
from quotas.standing import standing_of
from submarine_site.core.errors import DomainError
from submarine_site.core.live import changes
from submarine_site.core.pages import question
from submarine_site.core.streams import Stream
from volumes.models import Volume

P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponse]

PAGE_SIZE = 50
EVENTS_SHOWN = 50
RUNS_SHOWN = 10
RESCUE_HELPS = frozenset({"home_full", "server_exited", "server_never_answered"})
"""The reasons that what is in the home may be at fault for."""
STARTABLE = frozenset({SessionStatus.STOPPED, SessionStatus.FAILED})
STOPS = frozenset({"stop", "stop-now"})
"""What the buttons of the form are called that stop another session: to ask, and to do it."""
_WHAT = {"profile": "size", "environment": "environment"}
"""What people call that which is chosen in a field."""


def _own(request: HttpRequest, pk: UUID) -> NotebookSession:
    """The session if the user may see it; a stranger's and a missing one look the same."""
    return get_object_or_404(selectors.sessions_of(user_of(request)), pk=pk)


def verb(view: View[[UUID]]) -> View[[UUID]]:
    """A button's view: signed in, by POST; a refusal is told on the page the button stands on."""

    @login_required
    @wraps(view)
    def call(request: HttpRequest, pk: UUID) -> HttpResponse:
        if request.method != "POST":
            # Whoever had to sign in first is led here by GET.
            return redirect("session", pk=pk)
        try:
            return view(request, pk)
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return _back(request, pk)

    return call


def _back(request: HttpRequest, pk: UUID) -> HttpResponse:
    return redirect(_back_url(request, pk))


def _back_url(request: HttpRequest, pk: UUID) -> str:
    """The page that the button or link stood on, as it says itself."""
    said = request.GET if "from" in request.GET else request.POST
    match said.get("from"):
        case "quota":
            return reverse("quota")
        case "home":
            return _home_url(said.get("page", "1"))
        case str() as other if _is_id(other):
            # It stood on the page of another session, in whose way this one was.
            return reverse("session", kwargs={"pk": UUID(other)})
        case _:
            return reverse("session", kwargs={"pk": pk})


def _home_url(page: str) -> str:
    return reverse("home") if page == "1" else f"{reverse('home')}?{urlencode({'page': page})}"


def _home_context(request: HttpRequest) -> dict[str, Any]:
    user = user_of(request)
    sessions = Paginator(selectors.sessions_of(user), PAGE_SIZE)
    return {
        "page": sessions.get_page(request.GET.get("page")),
        "bars": standing_of(user.pk).of_sessions,
    }


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
    """Choose a size and an environment, and launch. What was chosen survives an error, and that
    another session is stopped to make room.
    """
    user = user_of(request)
    asks_to_stop = _asks_to_stop(request)
    sizes = sizes_for(user, charge_to=request.POST.get("charge_to", ""))
    profiles = [size.profile for size in sizes.choices]
    environments = list(shown(Environment.objects.offered_to(user).reachable_by_name(user)))
    chosen = {
        "name": request.POST.get("name", ""),
        "profile": request.POST.get("profile", sizes.usual),
        "environment": request.POST.get(
            "environment", environments[0].name if environments else ""
        ),
    }
    form = SetupForm.of_post(request.POST)
    refusal: DomainError | None = None
    if request.method == "POST" and not STOPS & request.POST.keys():
        try:
            setup = form.setup()
            if "bookmark" in request.POST:
                kept = keep_bookmark(owner=user, setup=setup, **chosen)
                messages.success(request, f"Kept the bookmark “{kept.name}”.")
                return redirect(f"{reverse('session-new')}?{urlencode({'bookmark': kept.pk})}")
            created = services.create_session(
                owner=user,
                idempotency_key=request.POST.get("key", ""),
                setup=setup,
                charge_to=request.POST.get("charge_to", ""),
                **chosen,
            )
        except DomainError as error:
            refusal = error
            form = form.refused(error.fields)
        else:
            return redirect(_launched_url(created.session.pk))
    elif request.method != "POST":
        filled = _filled_in(request)
        chosen |= filled.choices
        chosen["name"] = services.suggest_name(user)
        form = SetupForm.of_setup(filled.setup)
    context = {
        **_setup_context(user, form, refusal),
        "sizes": sizes,
        "environments": environments,
        "chosen": chosen,
        "fit": sizes.fit_of(chosen["profile"]),
        "asks_to_stop": asks_to_stop,
        "bookmarks": Bookmark.objects.visible_to(user),
        # Who followed a link did not write what it fills in.
        "linked_hosts": launch_links.hosts(request.GET) if request.method == "GET" else (),
        "not_offered": _not_offered(chosen, profile=profiles, environment=environments),
        "deprecated": [
            {"what": _WHAT[field], "entry": entry}
            for field, entry in _chosen(chosen, profile=profiles, environment=environments)
            if entry.deprecated and field in request.GET
        ],
        # Two clicks on one form are one session.
        "key": secrets.token_urlsafe(16),
    }
    return render(request, "notebooks/new.html", context, status=refusal.status if refusal else 200)


def _asks_to_stop(request: HttpRequest) -> NotebookSession | None:
    """Stop the session that is to make room, if that was confirmed; return it if it was not."""
    confirmed = request.POST.get("stop-now")
    if confirmed is not None:
        session = _own(request, _id(confirmed))
        services.stop_session(session=session, actor=user_of(request))
        messages.success(request, f"“{session.name}” is stopping.")
        return None
    # Empty: it was let run.
    asked = request.POST.get("stop")
    return _own(request, _id(asked)) if asked else None


@login_required
@require_GET
def sizes(request: HttpRequest) -> HttpResponse:
    """The sizes of the form, as they are now."""
    found = sizes_for(user_of(request), charge_to=request.GET.get("charge_to", ""))
    chosen = {"profile": request.GET.get("profile", found.usual)}
    return render(request, "notebooks/_sizes.html", {"sizes": found, "chosen": chosen})


def _setup_context(
    user: User,
    form: SetupForm,
    refusal: DomainError | None,
    *,
    session: NotebookSession | None = None,
) -> dict[str, Any]:
    """What the form for a setup shows: as it was filled in, and what can be chosen from."""
    return {
        "setup": form,
        "choices": choices_for(user, session=session),
        "secrets": UserSecret.objects.visible_to(user).defer("sealed"),
        "credentials": GitCredential.objects.visible_to(user).defer("sealed"),
        "refusal": refusal,
        "refused_as_a_whole": refusal and not any(map(_has_a_place, refusal.fields)),
    }


def _not_offered(
    chosen: Mapping[str, str], **offered: Sequence[ResourceProfile | Environment]
) -> list[dict[str, str]]:
    """What a link, a bookmark or another session asks for and the user cannot choose."""
    return [
        {"what": _WHAT[field], "name": chosen[field]}
        for field, entries in offered.items()
        if chosen[field] and chosen[field] not in {entry.name for entry in entries}
    ]


def _chosen(
    chosen: Mapping[str, str], **offered: Sequence[ResourceProfile | Environment]
) -> list[tuple[str, ResourceProfile | Environment]]:
    return [
        (field, entry)
        for field, entries in offered.items()
        for entry in entries
        if entry.name == chosen[field]
    ]


def _has_a_place(field: str) -> bool:
    """Whether the form says at this field itself what is wrong with it."""
    places = {
        "name",
        "profile",
        "charge_to",
        "environment",
        "code",
        "opens",
        "mounts",
        "variables",
        "secrets",
    }
    return field.partition(".")[0] in places


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """What the form for a new session comes filled in with: names by their fields, and the rest."""

    choices: dict[str, str] = field(default_factory=dict)
    setup: Setup = NOTHING


def _filled_in(request: HttpRequest) -> _Filled:
    """By another session, a bookmark or a link."""
    asked = request.GET
    if "from" in asked:
        session = _own(request, _id(asked["from"]))
        return _Filled(
            choices={"profile": session.profile.name, "environment": session.environment.name},
            setup=Setup.from_json(session.setup),
        )
    if "bookmark" in asked:
        bookmarks = Bookmark.objects.visible_to(user_of(request))
        bookmark = get_object_or_404(bookmarks, pk=_id(asked["bookmark"]))
        return _Filled(
            choices={"profile": bookmark.profile, "environment": bookmark.environment},
            setup=Setup.from_json(bookmark.setup),
        )
    if "volume" in asked:
        return _Filled(setup=_with_volume(user_of(request), _id(asked["volume"])))
    choices = {name: asked[name] for name in ("profile", "environment") if name in asked}
    return _Filled(choices=choices, setup=launch_links.setup_of(asked))


def _with_volume(user: User, pk: UUID) -> Setup:
    """A setup with this volume, at the path of its name if that can be one."""
    volume = get_object_or_404(Volume.objects.visible_to(user).live(), pk=pk)
    return Setup(mounts=(Mount(volume=volume.pk, path=slugify(volume.name, allow_unicode=True)),))


def _id(written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError:
        raise Http404 from None


def _is_id(written: str) -> bool:
    try:
        UUID(written)
    except ValueError:
        return False
    return True


@login_required
def delete_bookmark(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete it; what was started with it goes on."""
    # Whoever had to sign in first is led here by GET.
    if request.method == "POST":
        bookmark = get_object_or_404(Bookmark.objects.visible_to(user_of(request)), pk=pk)
        bookmark.delete()
        messages.success(request, f"Deleted the bookmark “{bookmark.name}”.")
    return redirect("session-new")


def _launched_url(pk: UUID) -> str:
    """The session's page, in the tab in which the notebook then opens by itself."""
    return reverse("session", kwargs={"pk": pk}) + "?launched"


def _session_context(request: HttpRequest, session: NotebookSession) -> dict[str, Any]:
    return {
        "session": session,
        "steps": launch_view.steps(session),
        "notice": memory.notice_of(session),
        "events": session.events.select_related("actor")[:EVENTS_SHOWN],
        "runs": session.runs.all()[:RUNS_SHOWN],
        "address": session_url(session.pk),
        # As pairs: of a dict a template would take one named “items” for its method.
        "variables": list(session.setup.get("variables", {}).items()),
        "picked_secrets": session.setup.get("secrets", []),
        "missing_secrets": missing_of(session),
        "volumes": volumes_of(session),
        "full_home": full_home_of(session),
        "start": fit_of_start(session) if session.status in STARTABLE else None,
        "offers_rescue": session.reason_code in RESCUE_HELPS,
        "code": code_of(session),
        "open_path": _open_path(session),
        "link": launch_links.link_of(session),
        "badge": launch_links.badge_of(session),
        # The notebook opens by itself in the tab that launched it.
        "launched": "launched" in request.GET,
    }


def _open_path(session: NotebookSession) -> str:
    """Where in Jupyter the pages lead: to the file that was asked for, unless its code is not
    there.
    """
    opens = session.setup.get("opens", "")
    if not opens or any(each.reason for each in code_of(session)):
        return ""
    return f"lab/tree/{quote(opens)}"


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
        text, refusal = (log_of(run) if run else ""), ""
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
            user=user_of(request),
            credential=Credential.SIGN_IN,
            credential_id=sign_in_id(request),
            path=request.GET.get("next") or "lab",
        )
    except DomainError as refusal:
        if session.status == SessionStatus.RUNNING:
            messages.error(request, refusal.message)
        return redirect("session", pk=pk)
    response = HttpResponseRedirect(url)
    response["Cache-Control"] = "no-store"
    return response


@verb
def start_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    try:
        services.start_session(
            session=_own(request, pk), actor=user_of(request), rescue="rescue" in request.POST
        )
    except QuotaExceeded as refusal:
        # Its page says what could stop first.
        messages.error(request, refusal.message)
        page = reverse("session", kwargs={"pk": pk})
        return (
            HttpResponseClientRedirect(page) if "HX-Request" in request.headers else redirect(page)
        )
    if request.POST.get("from") == "home":
        return _back(request, pk)
    return redirect(_launched_url(pk))


@verb
def update_environment(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.take_newest_environment(session=_own(request, pk), actor=user_of(request))
    return _back(request, pk)


@verb
def stop_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.stop_session(session=_own(request, pk), actor=user_of(request))
    return _back(request, pk)


@question
def rename_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for the name, then give it. What was typed survives an error."""
    session = _own(request, pk)
    name = request.POST.get("name", session.name)
    refusal: DomainError | None = None
    if request.method == "POST":
        try:
            services.rename_session(session=session, name=name, actor=user_of(request))
        except DomainError as error:
            refusal = error
        else:
            return _back(request, pk)
    context = {
        "session": session,
        "name": name,
        "refusal": refusal,
        "back": _back_url(request, pk),
    }
    status = refusal.status if refusal else 200
    return render(request, "notebooks/rename.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change what its next start begins with. What was filled in survives an error."""
    session = _own(request, pk)
    form = SetupForm.of_setup(Setup.from_json(session.setup))
    etag = request.POST.get("etag", session.etag)
    refusal: DomainError | None = None
    if request.method == "POST":
        form = SetupForm.of_post(request.POST)
        try:
            setup = form.setup()
            services.change_setup(
                session=session,
                changes={each.name: getattr(setup, each.name) for each in fields(setup)},
                actor=user_of(request),
                expected=etag,
            )
        except DomainError as error:
            refusal, form = error, form.refused(error.fields)
        else:
            messages.success(request, "The next start takes what you saved.")
            return redirect("session", pk=pk)
    context = {
        "session": session,
        "etag": etag,
        **_setup_context(user_of(request), form, refusal, session=session),
        "back": reverse("session", kwargs={"pk": pk}),
    }
    status = refusal.status if refusal else 200
    return render(request, "notebooks/edit.html", context, status=status)


@question
def delete_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete."""
    session = _own(request, pk)
    if request.method == "POST":
        services.delete_session(session=session, actor=user_of(request))
        messages.success(request, f"Deleted “{session.name}”.")
        return redirect("home")
    context = {
        "session": session,
        "volumes": volumes_of(session),
        "back": _back_url(request, pk),
    }
    return render(request, "notebooks/delete.html", context)


@require_GET
def live(request: HttpRequest) -> Stream:
    """Server-sent events: the ids of the user's sessions as they change."""
    if not isinstance(request.user, User):
        raise Http404
    response = Stream(
        _events(request.user.pk),
        user_id=request.user.pk,
        content_type="text/event-stream",
        is_endless=True,
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(user_id: int) -> AsyncGenerator[str, None]:
    # One without an id comes first and now and then: anything may have changed before it.
    async with aclosing(changes(user_id)) as ids:
        async for what in ids:
            yield f"event: change\ndata: {what}\n\n"
