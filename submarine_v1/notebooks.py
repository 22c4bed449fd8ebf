"""Submarine's notebooks: sessions, by the services that v2 calls."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.requests import user_of
from accounts.scopes import Scope
from environments.models import Environment
from notebooks import services
from notebooks.api.runs import sessions_for
from notebooks.backends.contract import CodeSource
from notebooks.models import NotebookSession
from notebooks.mounts import Mount
from notebooks.querysets import NotebookSessionQuerySet
from notebooks.selectors import sessions_of
from notebooks.setup import Setup
from quotas.models import ResourceProfile
from submarine_site.core.idempotency import HEADER
from submarine_site.core.numbers import number_in
from submarine_v1 import shapes, sizes
from submarine_v1.base import V1View, given, not_found, ok
from submarine_v1.serializers import NotebookInput, PodInput

NOTHING = "Invalid. Notebook Spec object is null."


class Ping(V1View):
    """Open to everybody; a credential that is shown has to be right all the same."""

    allowed_to_runs = frozenset({"get"})
    permission_classes = []

    def get(self, request: Request) -> Response:  # noqa: ARG002
        return ok("Pong")


class NotebookList(V1View):
    """Whose they are is the caller's identity: `?id=` is sent by clients that know no better."""

    allowed_to_runs = frozenset({"get"})
    needs = {"post": Scope.LAUNCH}
    fields = {
        "name": "meta.name",
        "environment": "environment.name",
        "variables": "spec.envVars",
        "mounts": "spec.volumes",
        **{
            name: f"spec.{name}"
            for name in ("profile", "resources", "cpu", "memory", "gpu", "code")
        },
        "code.0": "spec.code.git",
        "code.0.ref": "spec.code.git.branch",
    }

    def get(self, request: Request) -> Response:
        found = [shapes.notebook(session) for session in sessions_for(request)]
        return ok(found, message="List all notebook instances")

    def post(self, request: Request) -> Response:
        asked = given(NotebookInput, request, nothing=NOTHING)
        user, spec = user_of(request), asked.get("spec") or PodInput().run_validation({})
        permitted = list(ResourceProfile.objects.offered_to(user))
        wanted = sizes.read_wanted(spec, permitted)
        environment = _offered(user, asked["environment"]["name"])
        assert environment.newest is not None
        size = sizes.choose(permitted, environment.newest, wanted, profile=spec["profile"])
        created = services.create_session(
            owner=user,
            profile=size.name,
            environment=environment.name,
            name=asked["meta"]["name"].lower(),
            setup=_setup(spec),
            idempotency_key=request.headers.get(HEADER, ""),
        )
        # What the database has given is read with the rest.
        session = get_object_or_404(sessions_of(user), pk=created.session.pk)
        return ok(shapes.notebook(session), message="Create a notebook instance")


class NotebookDetail(V1View):
    allowed_to_runs = frozenset({"get"})
    needs = {"delete": Scope.LAUNCH}

    def get(self, request: Request, notebook_id: str) -> Response:
        session = _one(sessions_for(request), notebook_id)
        return ok(shapes.notebook(session), message="Get the notebook instance")

    def delete(self, request: Request, notebook_id: str) -> Response:
        session = _one(sessions_for(request), notebook_id)
        services.delete_session(session=session, actor=user_of(request))
        deleted = shapes.notebook(session, deleted_at=timezone.now())
        return ok(deleted, message="Delete the notebook instance")


@login_required
@require_GET
def lab(request: HttpRequest, notebook_id: str) -> HttpResponse:
    """Where a notebook's `url` leads: on to open it, which the pages do."""
    session = get_object_or_404(
        sessions_of(user_of(request)), number=number_in(notebook_id, "notebook")
    )
    return redirect("session-open", pk=session.pk)


def _one(sessions: NotebookSessionQuerySet, notebook_id: str) -> NotebookSession:
    number = number_in(notebook_id, "notebook")
    found = None if number is None else sessions.filter(number=number).first()
    if found is None or found.notebook_id != notebook_id:
        raise not_found("Notebook")
    return found


def _offered(user: User, name: str) -> Environment:
    offered = Environment.objects.offered_to(user).select_related("newest")
    found = offered.named(name, user).first()
    if found is None or found.newest is None:
        raise not_found("Environment")
    return found


def _setup(spec: dict[str, Any]) -> Setup:
    return Setup(
        code=_code(spec),
        variables=spec["envVars"],
        mounts=tuple(
            Mount(volume=each["volume"], path=each["path"], read_only=each["readOnly"])
            for each in spec.get("volumes", ())
        ),
    )


def _code(spec: dict[str, Any]) -> tuple[CodeSource, ...]:
    if "code" not in spec:
        return ()
    git = spec["code"]["git"]
    return (CodeSource(url=git["url"], ref=git["branch"], credential=git["credential"]),)
