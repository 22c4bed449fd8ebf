"""The pages of environments: fetch what the user may see, call one service, render."""

import json
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.requests import user_of
from environments import selectors, services
from environments.forms import VersionForm, posted_metadata
from environments.models import Build, Environment, EnvironmentVersion
from environments.services import NEEDS_RIGHT, Metadata
from environments.states import UNFINISHED
from environments.usage import usage_of
from submarine_site.core.errors import DomainError
from submarine_site.core.pages import answered, question

PAGE_SIZE = 50
VERSIONS_SHOWN = 50


def _visible(request: HttpRequest, name: str) -> Environment:
    """The environment if the user may see it; a stranger's and a missing one look the same."""
    environment = selectors.visible_named(name, user_of(request))
    if environment is None:
        raise Http404
    return environment


def _managed(request: HttpRequest, name: str) -> Environment:
    try:
        return selectors.managed(_visible(request, name), user_of(request))
    except DomainError as refusal:
        raise PermissionDenied from refusal


@login_required
@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    """What can I run on."""
    user = user_of(request)
    words = request.GET.get("q", "")
    found = selectors.shown(
        Environment.objects.listed_for(user).found_by(words).reachable_by_name(user)
    )
    context = {
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "words": words,
        "may_create": services.may_create(user, for_site=False),
    }
    return render(request, "environments/catalogue.html", context)


@login_required
@require_GET
def environment_page(request: HttpRequest, name: str) -> HttpResponse:
    """What is in it, is it built, who uses it."""
    user = user_of(request)
    environment = _visible(request, name)
    version = _version(environment, request.GET.get("version"))
    offered = Environment.objects.offered_to(user).filter(pk=environment.pk)
    context = {
        "environment": environment,
        "version": version,
        "parts": selectors.parts_of(version),
        "seen": _seen(version),
        "is_unfinished": _is_unfinished(version),
        "versions": environment.versions.select_related("created_by")[:VERSIONS_SHOWN],
        "usage": usage_of(environment, viewer=user),
        "needs_right": "" if services.may_add_version(user, environment) else NEEDS_RIGHT,
        "is_managed": Environment.objects.managed_by(user).filter(pk=environment.pk).exists(),
        "is_offered": offered.exists(),
    }
    return render(request, "environments/environment.html", context)


@login_required
@require_GET
def version_builds(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """The part of an environment's page that changes while it is built; nothing if it has not."""
    environment = _visible(request, name)
    version = _version(environment, str(number))
    seen = _seen(version)
    if request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    context = {
        "environment": environment,
        "version": version,
        "parts": selectors.parts_of(version),
        "seen": seen,
        "is_unfinished": _is_unfinished(version),
    }
    return render(request, "environments/_builds.html", context)


def _version(environment: Environment, number: str | None) -> EnvironmentVersion:
    versions = environment.versions.select_related("created_by").prefetch_related(
        Prefetch("builds", Build.objects.defer("lock"))
    )
    if number is None:
        return get_object_or_404(versions, pk=environment.newest_id)
    # Longer ones are out of the column's range.
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0  # noqa: PLR2004
    return get_object_or_404(versions, number=wanted)


def _is_unfinished(version: EnvironmentVersion) -> bool:
    return any(build.state in UNFINISHED for build in version.builds.all())


def _seen(version: EnvironmentVersion) -> str:
    """Names what the page shows of the builds: while it is the same, nothing is shown anew."""
    return ".".join(
        f"{build.state}-{build.attempt}-{crc32(build.log_tail.encode()):x}"
        for build in version.builds.all()
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_environment(request: HttpRequest) -> HttpResponse:
    """Declare an environment with its first version. What was typed survives an error."""
    user = user_of(request)
    form = VersionForm.of(None)
    values = {"name": "", "for_site": False, "display_name": "", "description": "", "groups": ()}
    refusal: DomainError | None = None
    if request.method == "POST":
        form = VersionForm.posted(request)
        values = {
            "name": request.POST.get("name", "").strip(),
            "for_site": "for_site" in request.POST,
            **posted_metadata(request),
        }
        try:
            environment = services.create_environment(
                actor=user,
                name=str(values["name"]),
                metadata=Metadata(
                    display_name=str(values["display_name"]),
                    description=str(values["description"]),
                    groups=tuple(request.POST.getlist("groups")),
                ),
                draft=form.draft(name=str(values["name"])),
                for_site=bool(values["for_site"]),
            )
        except DomainError as error:
            refusal = error
        else:
            return redirect("environment", name=environment.name)
    context = {
        "values": values,
        "all_groups": _groups_for(user, for_site=services.may_create(user, for_site=True)),
        "may_create": services.may_create(user, for_site=False),
        "may_create_for_site": services.may_create(user, for_site=True),
        **_form_context(form, user, refusal),
        "back": reverse("environments"),
    }
    return answered(request, "environments/new.html", context, refusal)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_version(request: HttpRequest, name: str) -> HttpResponse:
    """Declare the next version, beginning with what the newest has."""
    environment = _managed(request, name)
    form = VersionForm.of(environment.newest)
    etag = request.POST.get("etag", environment.etag)
    refusal: DomainError | None = None
    if request.method == "POST":
        form = VersionForm.posted(request)
        try:
            version = services.add_version(
                environment=environment,
                actor=user_of(request),
                draft=form.draft(name=environment.name),
                expected=etag,
            )
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, f"Made version {version.number}.")
            return redirect("environment", name=environment.name)
    context = {
        "environment": environment,
        "etag": etag,
        **_form_context(form, user_of(request), refusal),
        "back": reverse("environment", kwargs={"name": environment.name}),
    }
    return answered(request, "environments/new_version.html", context, refusal)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_environment(request: HttpRequest, name: str) -> HttpResponse:
    """Change what it is called and for whom it is."""
    user = user_of(request)
    environment = _managed(request, name)
    values: Any = Metadata.of(environment)
    etag = request.POST.get("etag", environment.etag)
    refusal: DomainError | None = None
    if request.method == "POST":
        values = posted_metadata(request)
        try:
            services.update_environment(
                environment=environment, actor=user, changes=values, expected=etag
            )
        except DomainError as error:
            refusal = error
        else:
            return redirect("environment", name=environment.name)
    successors = Environment.objects.visible_to(user).exclude(pk=environment.pk)
    context = {
        "environment": environment,
        "values": values,
        "etag": etag,
        "refusal": refusal,
        "all_groups": _groups_for(user, for_site=environment.owner_id is None),
        "successors": successors,
        "back": reverse("environment", kwargs={"name": environment.name}),
    }
    return answered(request, "environments/edit.html", context, refusal)


@question
def delete_environment(request: HttpRequest, name: str) -> HttpResponse:
    """Ask, then delete; or say where it is in use."""
    user = user_of(request)
    environment = _managed(request, name)
    back = reverse("environment", kwargs={"name": environment.name})
    if request.method == "POST":
        try:
            services.delete_environment(environment=environment, actor=user)
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return redirect(back)
        messages.success(request, f"Deleted “{environment}”.")
        return redirect("environments")
    context = {
        "environment": environment,
        "usage": usage_of(environment, viewer=user),
        "back": back,
    }
    return render(request, "environments/delete.html", context)


@login_required
def retry_build(request: HttpRequest, digest: str) -> HttpResponse:
    """Try again, and go back to the page that the button stands on."""
    if request.method != "POST":
        # Whoever had to sign in first is led here by GET.
        return redirect("environments")
    services.retry_build(build=_build(request, digest))
    environment = _visible(request, request.POST.get("environment", ""))
    number = request.POST.get("version", "")
    query = f"?{urlencode({'version': number})}" if number else ""
    return redirect(reverse("environment", kwargs={"name": environment.name}) + query)


@login_required
@require_GET
def build_lock(request: HttpRequest, digest: str) -> HttpResponse:
    """What was installed, as a file."""
    build = _build(request, digest)
    if build.lock is None:
        return redirect("environments")
    response = HttpResponse(
        json.dumps(selectors.lock_of(build), indent=2), content_type="application/json"
    )
    response["Content-Disposition"] = f'attachment; filename="{build.kernel["name"]}.lock.json"'
    return response


def _build(request: HttpRequest, digest: str) -> Build:
    return get_object_or_404(selectors.builds_of(user_of(request)), digest=digest)


def _groups_for(user: User, *, for_site: bool) -> list[Group]:
    """The groups that the user may choose."""
    groups = Group.objects.all() if for_site else user.groups.all()
    return list(groups.order_by("name"))


def _form_context(form: VersionForm, user: User, refusal: DomainError | None) -> dict[str, Any]:
    return {
        "form": form,
        "images": services.images_for(user),
        "names_images": services.may_name_images(user),
        "rules": services.site_rules(),
        "refusal": refusal,
    }
