"""Every address and method of the service, with what each kind of person is answered, and what of
the admin the docs say that the group Operators reaches.

Sessions, tokens and sign-ins in the addresses are Ada's. An address that is not in the table fails
the tests, so that nobody adds one without deciding who may use it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts.models import ApiToken, GitCredential, SignIn, User, UserSecret
from accounts.scopes import Scope, grantable
from accounts.services import create_token
from accounts.vault import keep_git_credential, keep_secret
from audit.models import AuditEntry
from environments.models import Build, Environment, EnvironmentVersion
from notebooks.bookmarks import keep_bookmark
from notebooks.credentials import run_credential
from notebooks.models import Bookmark, NotebookSession, OrphanedRun, Run, SessionEvent
from notebooks.states import SessionStatus as S
from quotas.models import QuotaRequest, Reservation, ResourceProfile
from tests.conftest import browser_of
from tests.factories import (
    BuildFactory,
    EnvironmentFactory,
    LimitFactory,
    SessionFactory,
    UserFactory,
    VolumeClassFactory,
    VolumeFactory,
)
from tests.quotas.conftest import log, operators
from volumes.models import Volume

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("anonymous", "stranger", "owner", "operator")

Answers: TypeAlias = tuple[int, int, int, int]
"""To anonymous, stranger, owner, operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    path: str
    answers: dict[str, Answers]
    """By method. Every other method is refused with 405, or before it is looked at."""


MINE: Answers = (401, 200, 200, 200)
HIS_ALONE: Answers = (401, 404, 200, 404)
PUBLIC: Answers = (200, 200, 200, 200)
PAGE: Answers = (302, 200, 200, 200)
HIS_PAGE: Answers = (302, 404, 200, 404)
HIS_BUTTON: Answers = (302, 404, 302, 404)


def button(post: Answers) -> dict[str, Answers]:
    """Who had to sign in before a button did its work comes back by GET, and is led to a page."""
    return dict.fromkeys(METHODS, (302, 302, 302, 302)) | {"POST": post}


SESSION = "/api/v2/sessions/{session}"
VOLUME = "/api/v2/volumes/{volume}"
API = {
    "api-root": Address(path="/api/v2", answers={"GET": MINE}),
    "api:api-root": Address(path="/api/v2/", answers={"GET": MINE}),
    "api:me": Address(path="/api/v2/me", answers={"GET": MINE}),
    # Who has a code and its verifier needs nothing else; these are none.
    "api:login": Address(path="/api/v2/login", answers={"POST": (400, 400, 400, 400)}),
    "api:schema": Address(path="/api/v2/schema/", answers={"GET": PUBLIC}),
    "api:docs": Address(path="/api/v2/docs/", answers={"GET": PUBLIC}),
    "api:session-list": Address(
        path="/api/v2/sessions", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:session-detail": Address(
        path=SESSION,
        answers={"GET": HIS_ALONE, "PATCH": HIS_ALONE, "DELETE": (401, 404, 204, 404)},
    ),
    "api:session-start": Address(path=f"{SESSION}/start", answers={"POST": (401, 404, 202, 404)}),
    "api:session-stop": Address(path=f"{SESSION}/stop", answers={"POST": (401, 404, 202, 404)}),
    "api:session-open": Address(path=f"{SESSION}/open", answers={"POST": HIS_ALONE}),
    "api:session-events": Address(path=f"{SESSION}/events", answers={"GET": HIS_ALONE}),
    "api:session-logs": Address(path=f"{SESSION}/logs", answers={"GET": HIS_ALONE}),
    "api:profile-list": Address(path="/api/v2/profiles", answers={"GET": MINE}),
    "api:profile-detail": Address(path="/api/v2/profiles/small", answers={"GET": MINE}),
    "api:session-update-environment": Address(
        path=f"{SESSION}/update-environment", answers={"POST": HIS_ALONE}
    ),
    # All ask for the same name, of which there is one: the stranger's, who asks first.
    "api:environment-list": Address(
        path="/api/v2/environments", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:environment-detail": Address(
        path="/api/v2/environments/hers",
        answers={"GET": HIS_ALONE, "PATCH": HIS_ALONE, "DELETE": (401, 404, 204, 404)},
    ),
    "api:environment-versions": Address(
        path="/api/v2/environments/hers/versions",
        answers={"GET": HIS_ALONE, "POST": (401, 404, 201, 404)},
    ),
    "api:environment-version": Address(
        path="/api/v2/environments/hers/versions/1", answers={"GET": HIS_ALONE}
    ),
    "api:build-detail": Address(path="/api/v2/builds/{build}", answers={"GET": HIS_ALONE}),
    "api:build-build-log": Address(path="/api/v2/builds/{build}/log", answers={"GET": HIS_ALONE}),
    "api:build-lock": Address(path="/api/v2/builds/{build}/lock", answers={"GET": HIS_ALONE}),
    "api:build-retry": Address(
        path="/api/v2/builds/{build}/retry", answers={"POST": (401, 404, 202, 404)}
    ),
    "api:volume-list": Address(
        path="/api/v2/volumes", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:volume-detail": Address(
        path=VOLUME,
        answers={"GET": HIS_ALONE, "PATCH": HIS_ALONE, "DELETE": (401, 404, 204, 404)},
    ),
    "api:volume-restore": Address(
        path="/api/v2/volumes/{trashed_volume}/restore", answers={"POST": HIS_ALONE}
    ),
    "api:volume-remove": Address(
        path="/api/v2/volumes/{trashed_volume}/remove", answers={"POST": (401, 404, 202, 404)}
    ),
    "api:volume-retry": Address(path=f"{VOLUME}/retry", answers={"POST": (401, 404, 202, 404)}),
    "api:volume-adopt": Address(
        path="/api/v2/volumes/adopt", answers={"POST": (401, 403, 403, 201)}
    ),
    "api:volume-class-list": Address(path="/api/v2/volume-classes", answers={"GET": MINE}),
    "api:volume-class-detail": Address(
        path="/api/v2/volume-classes/standard", answers={"GET": MINE}
    ),
    "api:quota-list": Address(path="/api/v2/quota", answers={"GET": MINE}),
    "api:quota-check": Address(path="/api/v2/quota/check", answers={"POST": MINE}),
    "api:quota-request-list": Address(
        path="/api/v2/quota/requests", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:quota-request-detail": Address(
        path="/api/v2/quota/requests/{quota_request}",
        answers={"GET": HIS_ALONE, "DELETE": (401, 404, 204, 404)},
    ),
    "api:bookmark-list": Address(
        path="/api/v2/bookmarks", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:bookmark-detail": Address(
        path="/api/v2/bookmarks/{bookmark}",
        answers={"GET": HIS_ALONE, "DELETE": (401, 404, 204, 404)},
    ),
    "api:token-list": Address(
        path="/api/v2/tokens", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:token-revoke-all": Address(path="/api/v2/tokens/revoke-all", answers={"POST": MINE}),
    "api:token-detail": Address(
        path="/api/v2/tokens/{token}", answers={"DELETE": (401, 404, 204, 404)}
    ),
    "api:secret-list": Address(
        path="/api/v2/secrets", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:secret-detail": Address(
        path="/api/v2/secrets/{secret}",
        answers={"GET": HIS_ALONE, "PUT": HIS_ALONE, "DELETE": (401, 404, 204, 404)},
    ),
    "api:git-credential-list": Address(
        path="/api/v2/git-credentials", answers={"GET": MINE, "POST": (401, 201, 201, 201)}
    ),
    "api:audit-list": Address(path="/api/v2/audit", answers={"GET": MINE}),
    "api:audit-export": Address(path="/api/v2/audit/export", answers={"GET": MINE}),
    "api:git-credential-detail": Address(
        path="/api/v2/git-credentials/{git_credential}",
        answers={"DELETE": (401, 404, 204, 404)},
    ),
}

# Answered to the bearers of tokens alone, and as the table of its own says.
V1 = {
    "v1-ping": Address(path="/api/v1/notebook/ping", answers={"GET": PUBLIC}),
    # All ask for the same name, of which each may have one.
    "v1-notebooks": Address(path="/api/v1/notebook", answers={"GET": MINE, "POST": MINE}),
    "v1-notebook": Address(
        path="/api/v1/notebook/{notebook}", answers={"GET": HIS_ALONE, "DELETE": HIS_ALONE}
    ),
    # The stranger asks first.
    "v1-environments": Address(
        path="/api/v1/environment", answers={"GET": MINE, "POST": (401, 200, 200, 200)}
    ),
    "v1-environment": Address(
        path="/api/v1/environment/hers",
        answers={"GET": HIS_ALONE, "PATCH": HIS_ALONE, "DELETE": HIS_ALONE},
    ),
    "v1-token": Address(path="/api/auth/token", answers={"POST": (401, 401, 401, 401)}),
    "v1-login": Address(path="/api/auth/login", answers={"POST": (401, 401, 401, 401)}),
    "v1-logout": Address(path="/api/auth/logout", answers={"POST": PUBLIC}),
    "v1-user-info": Address(path="/api/sys/user/info", answers={"GET": MINE}),
}

PAGES = {
    "v1-lab": Address(path="/notebook/default/{notebook}/lab", answers={"GET": HIS_BUTTON}),
    "sign-in": Address(
        path="/sign-in",
        answers={"GET": (200, 302, 302, 302), "POST": (200, 302, 302, 302)},
    ),
    "sign-out": Address(path="/sign-out", answers={"POST": (302, 302, 302, 302)}),
    "account": Address(path="/account", answers={"GET": PAGE}),
    "sign-out-everywhere": Address(
        path="/account/sign-out-everywhere",
        answers={"GET": PAGE, "POST": (302, 302, 302, 302)},
    ),
    "program-allow": Address(
        path=f"/account/allow-program?name=subnb&challenge={'a' * 43}",
        answers={"GET": PAGE, "POST": PAGE},
    ),
    "token-create": Address(path="/account/tokens/new", answers={"GET": PAGE, "POST": PAGE}),
    "token-revoke-all": Address(
        path="/account/tokens/revoke-all",
        answers={"GET": PAGE, "POST": (302, 302, 302, 302)},
    ),
    "token-revoke": Address(
        path="/account/tokens/{token}/revoke", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "activity": Address(path="/account/activity", answers={"GET": PAGE}),
    "secret-new": Address(
        path="/account/secrets/new", answers={"GET": PAGE, "POST": (302, 302, 302, 302)}
    ),
    "secret-replace": Address(
        path="/account/secrets/{secret}/replace", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "secret-delete": Address(
        path="/account/secrets/{secret}/delete", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "git-credential-new": Address(
        path="/account/git-credentials/new", answers={"GET": PAGE, "POST": (302, 302, 302, 302)}
    ),
    "git-credential-delete": Address(
        path="/account/git-credentials/{git_credential}/delete",
        answers={"GET": HIS_PAGE, "POST": HIS_BUTTON},
    ),
    "home": Address(path="/", answers={"GET": PAGE}),
    "live": Address(path="/live", answers={"GET": (404, 200, 200, 200)}),
    "session-rows": Address(path="/sessions/rows", answers={"GET": PAGE}),
    "session-new": Address(
        path="/sessions/new", answers={"GET": PAGE, "POST": (302, 302, 302, 302)}
    ),
    "session-sizes": Address(path="/sessions/new/sizes", answers={"GET": PAGE}),
    "quota": Address(path="/quota", answers={"GET": PAGE}),
    "quota-request-new": Address(
        path="/quota/requests/new", answers={"GET": PAGE, "POST": (302, 302, 302, 302)}
    ),
    "quota-request-withdraw": Address(
        path="/quota/requests/{quota_request}/withdraw", answers=button(HIS_BUTTON)
    ),
    "bookmark-delete": Address(path="/bookmarks/{bookmark}/delete", answers=button(HIS_BUTTON)),
    "session": Address(path="/sessions/{session}", answers={"GET": HIS_PAGE}),
    "session-state": Address(path="/sessions/{session}/state", answers={"GET": HIS_PAGE}),
    "session-log": Address(path="/sessions/{session}/log", answers={"GET": HIS_PAGE}),
    "session-open": Address(path="/sessions/{session}/open", answers={"GET": HIS_BUTTON}),
    "session-start": Address(path="/sessions/{session}/start", answers=button(HIS_BUTTON)),
    "session-stop": Address(path="/sessions/{session}/stop", answers=button(HIS_BUTTON)),
    "session-update-environment": Address(
        path="/sessions/{session}/update-environment", answers=button(HIS_BUTTON)
    ),
    "environments": Address(path="/environments", answers={"GET": PAGE}),
    "environment-new": Address(
        path="/environments/new", answers={"GET": PAGE, "POST": (302, 302, 302, 302)}
    ),
    "environment": Address(path="/environments/hers", answers={"GET": HIS_PAGE}),
    "environment-edit": Address(
        path="/environments/hers/edit", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "environment-delete": Address(
        path="/environments/hers/delete", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "environment-version-new": Address(
        path="/environments/hers/versions/new", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "environment-builds": Address(
        path="/environments/hers/versions/1/builds", answers={"GET": HIS_PAGE}
    ),
    "build-retry": Address(path="/builds/{build}/retry", answers=button(HIS_BUTTON)),
    "build-lock": Address(path="/builds/{build}/lock", answers={"GET": HIS_PAGE}),
    "volumes": Address(path="/volumes", answers={"GET": PAGE}),
    "volume-new": Address(path="/volumes/new", answers={"GET": PAGE, "POST": (302, 302, 302, 302)}),
    "volume": Address(path="/volumes/{volume}", answers={"GET": HIS_PAGE}),
    "volume-grow": Address(
        path="/volumes/{volume}/grow", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "volume-rename": Address(
        path="/volumes/{volume}/rename", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "volume-delete": Address(
        path="/volumes/{volume}/delete", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "volume-restore": Address(
        path="/volumes/{trashed_volume}/restore", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "volume-remove": Address(
        path="/volumes/{trashed_volume}/remove", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "volume-retry": Address(path="/volumes/{volume}/retry", answers=button(HIS_BUTTON)),
    "session-edit": Address(
        path="/sessions/{session}/edit", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "session-rename": Address(
        path="/sessions/{session}/rename", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
    "session-delete": Address(
        path="/sessions/{session}/delete", answers={"GET": HIS_PAGE, "POST": HIS_BUTTON}
    ),
}


PROBES = {
    "health": Address(path="/health", answers={"GET": PUBLIC}),
    "metrics": Address(path="/metrics", answers={"GET": (401, 403, 403, 200)}),
}


def staff(status: int) -> Answers:
    """An answer to operators; all others are sent to sign in, where who has is refused."""
    return (302, 302, 302, status)


def of_model(name: str, pk: str, *, add: int, change: int, delete: int) -> dict[str, Address]:
    """The addresses of one model in the admin."""
    base = f"/admin/{name.replace('_', '/')}/"
    written = 403 if add == 403 else 200
    return {
        f"admin:{name}_changelist": Address(path=base, answers={"GET": staff(200)}),
        f"admin:{name}_add": Address(
            path=f"{base}add/", answers={"GET": staff(add), "POST": staff(written)}
        ),
        f"admin:{name}_history": Address(path=f"{base}{pk}/history/", answers={"GET": staff(200)}),
        f"admin:{name}_delete": Address(path=f"{base}{pk}/delete/", answers={"GET": staff(delete)}),
        f"admin:{name}_change": Address(path=f"{base}{pk}/change/", answers={"GET": staff(change)}),
        f"admin/{name.replace('_', '/')}/<path:object_id>/": Address(
            path=f"{base}{pk}/", answers={"GET": staff(302)}
        ),
    }


WINDOW = {"add": 403, "change": 200, "delete": 403}
KEPT = {"add": 200, "change": 200, "delete": 200}

ADMIN = {
    "admin/login/": Address(path="/admin/login/", answers={"GET": (302, 403, 403, 302)}),
    "admin/logout/": Address(path="/admin/logout/", answers={"POST": (302, 302, 302, 302)}),
    "monitor": Address(path="/admin/monitor/", answers={"GET": (302, 403, 403, 503)}),
    "admin/monitor/<path:rest>": Address(
        path="/admin/monitor/workers", answers={"GET": (302, 403, 403, 503)}
    ),
    "admin:index": Address(path="/admin/", answers={"GET": staff(200)}),
    "admin:search": Address(path="/admin/search/", answers={"GET": staff(200)}),
    "admin/password_change/": Address(path="/admin/password_change/", answers={"GET": staff(200)}),
    "admin:password_change_done": Address(
        path="/admin/password_change/done/", answers={"GET": staff(200)}
    ),
    "admin:autocomplete": Address(path="/admin/autocomplete/", answers={"GET": staff(403)}),
    "admin:jsi18n": Address(path="/admin/jsi18n/", answers={"GET": staff(200)}),
    "admin:view_on_site": Address(path="/admin/r/1/1/", answers={"GET": staff(404)}),
    "admin:app_list": Address(path="/admin/notebooks/", answers={"GET": staff(200)}),
    "admin/(?P<url>.*)$": Address(path="/admin/none", answers={"GET": staff(404)}),
    "admin:auth_user_password_change": Address(
        path="/admin/accounts/user/{user}/password/", answers={"GET": staff(200)}
    ),
    # The same addresses as above, which stand before them.
    "admin:login": Address(path="/admin/login/", answers={"GET": (302, 403, 403, 302)}),
    "admin:logout": Address(path="/admin/logout/", answers={"POST": (302, 302, 302, 302)}),
    "admin:password_change": Address(path="/admin/password_change/", answers={"GET": staff(200)}),
    **of_model("notebooks_notebooksession", "{session}", **WINDOW),
    **of_model("notebooks_sessionevent", "{event}", **WINDOW),
    **of_model("notebooks_orphanedrun", "{orphan}", **WINDOW),
    **of_model("accounts_apitoken", "{token}", **WINDOW),
    **of_model("accounts_signin", "{sign_in}", **WINDOW),
    **of_model("audit_auditentry", "{entry}", **WINDOW),
    "admin:audit_auditentry_export": Address(
        path="/admin/audit/auditentry/export/", answers={"GET": staff(200)}
    ),
    **of_model("accounts_user", "{user}", **KEPT),
    **of_model("auth_group", "{group}", **KEPT),
    **of_model("environments_environment", "{environment}", **{**KEPT, "delete": 403}),
    **of_model("environments_build", "{build_row}", **WINDOW),
    **of_model("quotas_resourceprofile", "{profile}", **KEPT),
    **of_model("quotas_limit", "{limit}", **KEPT),
    "admin:quotas_limit_check": Address(
        path="/admin/quotas/limit/check/", answers={"POST": staff(200)}
    ),
    "admin:quotas_limit_inspect": Address(
        path="/admin/quotas/limit/inspect/", answers={"GET": staff(200)}
    ),
    "admin:quotas_limit_export": Address(
        path="/admin/quotas/limit/export/", answers={"GET": staff(200)}
    ),
    "admin:quotas_limit_import_file": Address(
        path="/admin/quotas/limit/import/", answers={"GET": staff(200), "POST": staff(200)}
    ),
    "admin:accounts_user_why": Address(
        path="/admin/accounts/user/{user}/why/", answers={"GET": staff(302)}
    ),
    **of_model("quotas_quotarequest", "{quota_request}", **WINDOW),
    **of_model("quotas_reservation", "{reservation}", **WINDOW),
    "admin:notebooks_notebooksession_reports": Address(
        path="/admin/notebooks/notebooksession/reports/", answers={"GET": staff(200)}
    ),
    **of_model("volumes_volumeclass", "{volume_class}", **KEPT),
    **of_model("volumes_volume", "{volume}", **{**KEPT, "delete": 403}),
}

TABLE = {**API, **V1, **PAGES, **PROBES, **ADMIN}

BODIES: dict[str, dict[str, object]] = {
    "api:session-list": {"profile": "small", "environment": "notebook-env", "name": "new"},
    "api:session-detail": {"name": "renamed"},
    "api:login": {"code": "none", "verifier": "none"},
    "api:bookmark-list": {"profile": "small", "environment": "notebook-env", "name": "new"},
    "api:token-list": {"name": "ci"},
    "api:environment-list": {"name": "new-one"},
    "api:volume-list": {"name": "new", "volume_class": "standard", "size_mib": 1024},
    "api:volume-detail": {"name": "renamed"},
    "api:volume-adopt": {"owner": "mallory", "name": "adopted", "claim": "archive"},
    "api:environment-detail": {"description": "Changed."},
    "environment-new": {"name": "new-one"},
    "environment-edit": {"display_name": "Changed"},
    "build-retry": {"environment": "hers"},
    "api:secret-list": {"name": "NEW", "kind": "variable", "value": "x"},
    "api:secret-detail": {"value": "x"},
    "api:git-credential-list": {"name": "new", "kind": "ssh_key", "hosts": ["git.example.com"]},
    "v1-notebooks": {"meta": {"name": "new"}, "environment": {"name": "notebook-env"}},
    "v1-environments": {"name": "new-one"},
    "v1-environment": {"description": "Changed."},
    "v1-token": {"username": "nobody", "password": "wrong"},
    "v1-login": {"username": "nobody", "password": "wrong"},
    "session-new": {"profile": "small", "environment": "notebook-env", "name": "new"},
    "session-rename": {"name": "renamed"},
    "volume-new": {"name": "new", "volume_class": "standard", "size": "1"},
    "volume-grow": {"size": "3"},
    "volume-rename": {"name": "renamed"},
    "volume-delete": {"name": "hers"},
    "api:quota-check": {"profile": "small"},
    "api:quota-request-list": {"resource": "memory_mib", "amount": "64 GiB", "why": "Work."},
    "quota-request-new": {"resource": "memory_mib", "amount": "64 GiB", "why": "Work."},
    "token-create": {"name": "ci", "scopes": ["read"], "days": "90"},
    "program-allow": {"scopes": ["read"]},
    "secret-new": {"name": "NEW", "kind": "variable", "value": "x"},
    "secret-replace": {"value": "x"},
    "git-credential-new": {"name": "new", "kind": "new_ssh_key", "hosts": "git.example.com"},
}


def addresses(
    patterns: list[URLPattern | URLResolver], route: str = "", namespace: str = ""
) -> Iterator[str]:
    """Every address that there is: its name, or its route where it has none."""
    for pattern in patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from addresses(pattern.url_patterns, here, inner)
        else:
            yield f"{namespace}{pattern.name}" if pattern.name else here


def test_every_address_is_in_the_table() -> None:
    there = set(addresses(get_resolver().url_patterns))
    assert there - TABLE.keys() == set(), "decide who may use them, and put them into the table"
    assert TABLE.keys() - there == set(), "they are gone: take them out of the table"


@pytest.fixture
def ids(ada: User, small: ResourceProfile, plain: Environment) -> dict[str, object]:
    """What the table's addresses speak of: Ada's, with a run that has ended."""
    session = SessionFactory.create(owner=ada, status=S.STOPPED, profile=small, environment=plain)
    NotebookSession.objects.note(session, "Something happened.")
    build = BuildFactory.create(state="failed", lock={"pip": []})
    theirs = EnvironmentFactory.create(name="hers", owner=ada)
    build.versions.add(EnvironmentVersion.objects.get(environment=theirs))
    standard = VolumeClassFactory.create(name="standard", growable=True)
    volume = VolumeFactory.create(owner=ada, name="hers", volume_class=standard)
    trashed = VolumeFactory.create(owner=ada, state="trashed", trashed_at=timezone.now())
    session.refresh_from_db()
    limit = LimitFactory.create(resource="memory_mib", amount=32 * 1024)
    asked = QuotaRequest.objects.create(user=ada, resource="sessions", amount=9, why="Work.")
    return {
        "quota_request": asked.pk,
        "limit": limit.pk,
        "reservation": Reservation.objects.latest("id").pk,
        "session": session.pk,
        "notebook": session.notebook_id,
        "event": SessionEvent.objects.get().pk,
        "orphan": OrphanedRun.objects.create(run_id=uuid4(), session_id=uuid4()).pk,
        "bookmark": keep_bookmark(
            owner=ada, name="hers", profile="small", environment="notebook-env"
        ).pk,
        "token": create_token(user=ada, name="hers").record.pk,
        "secret": keep_secret(owner=ada, name="HERS", kind="variable", value="x").pk,
        "git_credential": keep_git_credential(
            owner=ada, name="hers", kind="ssh_key", hosts=["git.example.com"]
        ).pk,
        "entry": AuditEntry.objects.latest("id").pk,
        "sign_in": SignIn.objects.create(user=ada, auth_hash="x").pk,
        "user": ada.pk,
        "group": Group.objects.create(name="physics").pk,
        "profile": small.pk,
        "environment": plain.pk,
        "build": build.digest,
        "build_row": build.pk,
        "volume": volume.pk,
        "volume_class": standard.pk,
        "trashed_volume": trashed.pk,
    }


def ask(browser: Client, method: str, key: str, ids: dict[str, object]) -> int:
    path = TABLE[key].path.format(**ids)
    body = BODIES.get(key, {})
    if method == "POST" and not key.startswith(("api:", "v1-")):
        return browser.post(path, body).status_code
    sent = "" if method == "GET" else json.dumps(body)
    shown = bearer_of(browser) if key in V1 else {}
    return browser.generic(
        method, path, sent, content_type="application/json", headers=shown
    ).status_code


def bearer_of(browser: Client) -> dict[str, str]:
    """What a program shows of the one who is signed in on this browser."""
    # What is looked at of a request is its session, which a browser has too.
    user = get_user(browser)
    if not isinstance(user, User):
        return {}
    made = create_token(user=user, name="program", scopes=grantable(user))
    return {"Authorization": f"Bearer {made.secret}"}


def hers() -> list[object]:
    """All that is Ada's, to see whether it changed."""
    sessions = NotebookSession.objects.filter(owner__username="ada")
    return [
        list(sessions.order_by("pk").values()),
        list(Run.objects.filter(session__in=sessions).order_by("pk").values()),
        list(SessionEvent.objects.filter(session__in=sessions).order_by("pk").values()),
        list(Bookmark.objects.filter(owner__username="ada").order_by("pk").values()),
        list(ApiToken.objects.filter(user__username="ada").order_by("pk").values()),
        list(UserSecret.objects.filter(owner__username="ada").order_by("pk").values()),
        list(GitCredential.objects.filter(owner__username="ada").order_by("pk").values()),
        list(SignIn.objects.filter(user__username="ada", auth_hash="x").values()),
        list(User.objects.filter(username="ada").values()),
        list(Environment.objects.filter(owner__username="ada").values()),
        list(EnvironmentVersion.objects.filter(environment__name="hers").values()),
        list(Build.objects.values()),
        list(Volume.objects.filter(owner__username="ada").order_by("pk").values()),
        list(QuotaRequest.objects.filter(user__username="ada").order_by("pk").values()),
    ]


@pytest.fixture
def browsers(ada: User, mallory: User, operator: User) -> dict[str, Client]:
    people = zip(ROLES, (None, mallory, ada, operator), strict=True)
    return {role: browser_of(user) for role, user in people}


# They give their database connection back while they answer, so none may hold a transaction.
LONG = {"monitor", "admin/monitor/<path:rest>"}


@pytest.mark.parametrize(
    ("key", "method"),
    [
        pytest.param(key, method, marks=pytest.mark.django_db(transaction=key in LONG))
        for key, row in TABLE.items()
        for method in row.answers
    ],
)
def test_each_is_answered_as_the_table_says(
    key: str, method: str, ids: dict[str, object], browsers: dict[str, Client]
) -> None:
    if key in {"session-open", "api:session-open", "api:session-stop"}:
        NotebookSession.objects.update(status=S.RUNNING)
    before = hers()
    # The owner last: all before must have changed nothing of hers.
    others = ("anonymous", "stranger", "operator")
    answers = {role: ask(browsers[role], method, key, ids) for role in others}
    unchanged = hers() == before
    answers["owner"] = ask(browsers["owner"], method, key, ids)
    assert tuple(answers[role] for role in ROLES) == TABLE[key].answers[method]
    assert unchanged


@pytest.mark.parametrize(
    ("key", "method"),
    [
        (key, method)
        for key, row in {**API, **PAGES, **PROBES}.items()
        for method in METHODS
        if method not in row.answers and key != "sign-in"
    ],
)
def test_a_method_that_is_not_in_the_table_is_refused(
    key: str, method: str, ids: dict[str, object], browsers: dict[str, Client]
) -> None:
    before = hers()
    assert ask(browsers["owner"], method, key, ids) == 405
    assert hers() == before


# What runs in a session may do.
OF_RUNS = {
    ("api:session-list", "GET"): 200,
    ("api:session-detail", "GET"): 200,
    ("api:session-events", "GET"): 200,
    ("v1-notebooks", "GET"): 200,
    ("v1-notebook", "GET"): 200,
}


@pytest.mark.parametrize(
    ("key", "method"),
    [
        (key, method)
        for key, row in {**API, **V1, **PROBES}.items()
        for method, answers in row.answers.items()
        # Else nobody is asked who they are.
        if answers[0] == 401 and key not in {"v1-token", "v1-login"}
    ],
)
def test_what_runs_in_a_session_reads_that_one_alone(
    key: str, method: str, ids: dict[str, object], ada: User
) -> None:
    # Not even an operator's may do more.
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    NotebookSession.objects.update(status=S.RUNNING)
    run = Run.objects.get(session__owner=ada)
    shown = {"Authorization": f"Bearer {run_credential(run.pk)}"}
    before = hers()
    answer = Client().generic(
        method,
        TABLE[key].path.format(**ids),
        "" if method == "GET" else json.dumps(BODIES.get(key, {})),
        content_type="application/json",
        headers=shown,
    )
    assert answer.status_code == OF_RUNS.get((key, method), 403)
    assert hers() == before


@pytest.mark.parametrize("role", ["stranger", "owner"])
def test_who_is_no_operator_is_told_so_by_the_admin(role: str, browsers: dict[str, Client]) -> None:
    response = browsers[role].get("/admin/", follow=True)
    assert response.status_code == 403
    assert len(response.redirect_chain) == 1


# What it takes to do each of these; what is in no table takes `read`, and only GET may be in none.
NEEDS: dict[str, dict[str, Scope | None]] = {
    "api:me": {"GET": None},
    "api:session-list": {"POST": Scope.LAUNCH},
    "api:session-detail": {"PATCH": Scope.LAUNCH, "DELETE": Scope.LAUNCH},
    "api:session-start": {"POST": Scope.LAUNCH},
    "api:session-stop": {"POST": Scope.LAUNCH},
    "api:session-update-environment": {"POST": Scope.LAUNCH},
    "api:session-open": {"POST": Scope.ACCESS},
    "api:session-logs": {"GET": Scope.ACCESS},
    "api:bookmark-list": {"POST": Scope.LAUNCH},
    "api:bookmark-detail": {"DELETE": Scope.LAUNCH},
    "api:environment-list": {"POST": Scope.MANAGE},
    "api:environment-detail": {"PATCH": Scope.MANAGE, "DELETE": Scope.MANAGE},
    "api:environment-versions": {"POST": Scope.MANAGE},
    "api:build-retry": {"POST": Scope.MANAGE},
    "api:volume-list": {"POST": Scope.MANAGE},
    "api:volume-detail": {"PATCH": Scope.MANAGE, "DELETE": Scope.MANAGE},
    "api:volume-restore": {"POST": Scope.MANAGE},
    "api:volume-remove": {"POST": Scope.MANAGE},
    "api:volume-retry": {"POST": Scope.MANAGE},
    "api:volume-adopt": {"POST": Scope.ADMIN},
    "api:quota-check": {"POST": Scope.READ},
    "api:quota-request-list": {"POST": Scope.MANAGE},
    "api:quota-request-detail": {"DELETE": Scope.MANAGE},
    "api:token-list": {"POST": Scope.MANAGE},
    "api:token-revoke-all": {"POST": Scope.MANAGE},
    "api:token-detail": {"DELETE": Scope.MANAGE},
    "api:secret-list": {"POST": Scope.MANAGE},
    "api:secret-detail": {"PUT": Scope.MANAGE, "DELETE": Scope.MANAGE},
    "api:git-credential-list": {"POST": Scope.MANAGE},
    "api:git-credential-detail": {"DELETE": Scope.MANAGE},
    "v1-notebooks": {"POST": Scope.LAUNCH},
    "v1-notebook": {"DELETE": Scope.LAUNCH},
    "v1-environments": {"POST": Scope.MANAGE},
    "v1-environment": {"PATCH": Scope.MANAGE, "DELETE": Scope.MANAGE},
    "v1-user-info": {"GET": None},
    "metrics": {"GET": Scope.ADMIN},
}
# Who has no token yet, and what is no secret: what is shown of a token does not count.
TOKENLESS = {
    "api:login",
    "api:schema",
    "api:docs",
    "v1-ping",
    "v1-token",
    "v1-login",
    "v1-logout",
    "health",
}
BY_TOKEN = [
    (key, method)
    for key, row in {**API, **V1, **PROBES}.items()
    for method in row.answers
    if key not in TOKENLESS
]


def by_token(
    user: User, scopes: list[Scope], method: str, key: str, ids: dict[str, object]
) -> tuple[int, str, str]:
    """The status of the answer, its code and the scope it names, where it has these."""
    secret = create_token(user=user, name="program", scopes=scopes).secret
    answer = Client().generic(
        method,
        TABLE[key].path.format(**ids),
        "" if method == "GET" else json.dumps(BODIES.get(key, {})),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    said = answer.json() if answer.get("Content-Type", "").startswith("application/json") else {}
    if not isinstance(said, dict):
        said = {}
    if key in V1:
        return answer.status_code, "", said["message"] or ""
    return (
        answer.status_code,
        said.get("code", ""),
        (said.get("details") or {}).get("scope", ""),
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("mallory")
@pytest.mark.parametrize(("key", "method"), BY_TOKEN)
def test_each_takes_its_scope_and_no_other(
    key: str, method: str, ids: dict[str, object], ada: User, operator: User
) -> None:
    if key in {"session-open", "api:session-open", "api:session-stop"}:
        NotebookSession.objects.update(status=S.RUNNING)
    scope = NEEDS.get(key, {}).get(method, Scope.READ)
    user, role = (operator, "operator") if scope == Scope.ADMIN else (ada, "owner")
    answers = TABLE[key].answers[method]
    expected = answers[ROLES.index(role)]
    if expected == 409:
        # Here nobody has asked before.
        expected = answers[ROLES.index("stranger")]
    if scope is None:
        for each in Scope:
            person = operator if each == Scope.ADMIN else ada
            assert by_token(person, [each], method, key, ids)[0] == expected
        return
    others = [each for each in grantable(user) if each != scope]
    tokens = ApiToken.objects.count()
    before = hers()
    refusal = f"This takes a token with the scope “{scope}”."
    told = (403, "", refusal) if key in V1 else (403, "insufficient_scope", scope)
    assert by_token(user, others, method, key, ids) == told
    # But for the token that asked.
    ApiToken.objects.filter(name="program").delete()
    assert (hers(), ApiToken.objects.count()) == (before, tokens)
    assert by_token(user, [scope], method, key, ids)[0] == expected


def test_every_change_by_token_is_in_the_table_of_scopes() -> None:
    changes = {(key, method) for key, method in BY_TOKEN if method != "GET"}
    stated = {(key, method) for key, row in NEEDS.items() for method in row}
    assert changes - stated == set(), "decide which scope they take, and put them into the table"
    assert stated - set(BY_TOKEN) == set(), "they are gone: take them out of the table"


UNGUESSABLE = ("session", "token", "secret", "git_credential", "sign_in", "volume", "quota_request")


def test_ids_are_not_to_be_guessed(ids: dict[str, object]) -> None:
    assert all(isinstance(ids[name], UUID) for name in UNGUESSABLE)


OPERATORS_MD = Path(__file__).parents[2] / "docs/operators.md"
REACHED = re.compile(
    r"^\| (?P<model>[A-Z][^|]+?) \| (?P<view>\w+) \| (?P<add>\w+) \| (?P<change>\w+) "
    r"\| (?P<delete>\w+) \|(?P<actions>[^|]*)\|$",
    re.MULTILINE,
)


def documented() -> dict[str, dict[str, object]]:
    """The table of what Operators reach in the admin, by the model's name."""
    text = OPERATORS_MD.read_text().split("### What Operators can reach", 1)[1]
    text = text.split("\n## ", 1)[0]
    return {
        row["model"]: {
            **{verb: row[verb] == "yes" for verb in ("view", "add", "change", "delete")},
            "actions": re.findall("`([^`]+)`", row["actions"]),
        }
        for row in REACHED.finditer(text)
    }


@pytest.mark.usefixtures("small", "plain")
def test_operators_reach_what_the_docs_say(ids: dict[str, object]) -> None:
    operators.make_operators(apps, None)
    log.let_operators_look(apps, None)
    user = UserFactory.create(username="olga", is_staff=True)
    user.groups.add(Group.objects.get(name="Operators"))
    browser = browser_of(user)
    reached = {}
    for model in admin.site._registry:
        name = f"admin:{model._meta.label_lower.replace('.', '_')}"
        asked = {
            verb: browser.get(TABLE[f"{name}_{page}"].path.format(**ids))
            for verb, page in (
                ("view", "changelist"),
                ("add", "add"),
                ("change", "change"),
                ("delete", "delete"),
            )
        }
        assert {answer.status_code for answer in asked.values()} <= {200, 403}
        offered = set(re.findall(r'<option value="(\w+)"', asked["view"].text))
        known = admin.site._registry[model].get_actions(asked["view"].wsgi_request)
        reached[str(model._meta.verbose_name_plural)] = {
            **{verb: answer.status_code == 200 for verb, answer in asked.items()},
            # Who may only look gets the same page, without a button.
            "change": re.search('name="_(save|grant)"', asked["change"].text) is not None,
            "actions": [action for action in known if action in offered],
        }
    assert {name[:1].upper() + name[1:]: each for name, each in reached.items()} == documented()
