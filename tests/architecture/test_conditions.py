"""Every change is refused to who saw what it was before."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import create_token
from accounts.vault import keep_git_credential, keep_secret
from environments.models import EnvironmentVersion
from notebooks.bookmarks import keep_bookmark
from notebooks.models import NotebookSession
from notebooks.setup import Setup
from notebooks.states import SessionStatus as S
from quotas.models import QuotaRequest
from submarine_site.core.etags import version_of
from tests.contracts.eventually import eventually
from tests.factories import (
    BuildFactory,
    EnvironmentFactory,
    SessionFactory,
    VolumeClassFactory,
    VolumeFactory,
)
from tests.schema import OPERATIONS
from tests.threads import is_somebody_waiting

STALE = '"stale"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    path: str
    body: dict[str, Any]
    what: str


CHANGES = {
    "environments_partial_update": Change(
        path="/environments/hers/", body={"description": "New."}, what="environment"
    ),
    "secrets_update": Change(path="/secrets/{secret}/", body={"value": "new"}, what="secret"),
    "sessions_partial_update": Change(
        path="/sessions/{session}/", body={"name": "new"}, what="session"
    ),
    "volumes_partial_update": Change(
        path="/volumes/{volume}/", body={"name": "new"}, what="volume"
    ),
}
# They make something new of what was read.
ALSO = {"environments_versions_create"}


# Actions on one record, and deletions: where, of what, and what is answered in the end.
ACTIONS = {
    "bookmarks_destroy": ("/bookmarks/{bookmark}", "bookmark", 204),
    "builds_retry_create": ("/builds/{build}/retry", "build", 202),
    "environments_destroy": ("/environments/hers", "environment", 204),
    "git_credentials_destroy": ("/git-credentials/{git_credential}", "git credential", 204),
    "quota_requests_destroy": ("/quota/requests/{quota_request}", "request", 204),
    "secrets_destroy": ("/secrets/{secret}", "secret", 204),
    "sessions_destroy": ("/sessions/{session}", "session", 204),
    "sessions_open_create": ("/sessions/{running}/open", "session", 200),
    "sessions_start_create": ("/sessions/{session}/start", "session", 202),
    "sessions_stop_create": ("/sessions/{running}/stop", "session", 202),
    "sessions_update_environment_create": (
        "/sessions/{session}/update-environment",
        "session",
        200,
    ),
    "tokens_destroy": ("/tokens/{token}", "token", 204),
    "volumes_destroy": ("/volumes/{volume}", "volume", 204),
    "volumes_remove_create": ("/volumes/{trashed}/remove", "volume", 202),
    "volumes_restore_create": ("/volumes/{trashed}/restore", "volume", 200),
    "volumes_retry_create": ("/volumes/{failed}/retry", "volume", 202),
}

# What can be read.
PAGES = [
    "/audit",
    "/bookmarks",
    "/bookmarks/{bookmark}",
    "/builds/{build}",
    "/builds/{build}/log",
    "/environments",
    "/environments/hers",
    "/environments/hers/versions",
    "/environments/hers/versions/1",
    "/git-credentials",
    "/me",
    "/profiles",
    "/profiles/small",
    "/quota",
    "/quota/requests",
    "/quota/requests/{quota_request}",
    "/secrets",
    "/secrets/{secret}",
    "/sessions",
    "/sessions/{session}",
    "/sessions/{session}/events",
    "/sessions/{session}/logs",
    "/tokens",
    "/volume-classes",
    "/volume-classes/standard",
    "/volumes",
    "/volumes/{volume}",
]
# A file, and what is there only once it was built.
NOT_TAGGED = {"/audit/export", "/builds/{digest}/lock"}


@pytest.fixture
def records(ada: User) -> dict[str, Any]:
    hers = EnvironmentFactory.create(name="hers", owner=ada)
    build = BuildFactory.create(state="failed")
    build.versions.add(EnvironmentVersion.objects.get(environment=hers))
    return {
        "hers": hers,
        "bookmark": keep_bookmark(
            owner=ada, name="often", profile="small", environment="hers", setup=Setup()
        ),
        "build": build,
        "git_credential": keep_git_credential(
            owner=ada, name="git", kind="token", hosts=["git.example.com"], secret="x"
        ),
        "quota_request": QuotaRequest.objects.create(
            user=ada, resource="sessions", amount=9, why="Work."
        ),
        "running": SessionFactory.create(owner=ada, status=S.RUNNING),
        "secret": keep_secret(owner=ada, name="KEY", kind="variable", value="x"),
        "session": SessionFactory.create(owner=ada, status=S.STOPPED),
        "token": create_token(user=ada, name="laptop").record,
        "trashed": VolumeFactory.create(owner=ada, state="trashed"),
        "failed": VolumeFactory.create(owner=ada, state="failed"),
        "volume": VolumeFactory.create(owner=ada),
    }


@pytest.fixture
def ids(records: dict[str, Any]) -> dict[str, object]:
    return {
        name: record.digest if name == "build" else record.pk for name, record in records.items()
    }


def test_every_change_takes_a_condition_and_is_in_the_table() -> None:
    changes = {name for name, each in OPERATIONS.items() if each.method in {"put", "patch"}}
    assert changes == CHANGES.keys(), "put it into the table"
    conditional = {name for name, each in OPERATIONS.items() if each.takes("If-Match")}
    assert conditional == changes | ALSO | ACTIONS.keys()
    on_one_record = {
        name
        for name, each in OPERATIONS.items()
        if each.method in {"post", "delete"} and "{" in each.path
    }
    assert on_one_record == ACTIONS.keys() | ALSO, "put it into the table"


@pytest.mark.parametrize("name", CHANGES)
def test_only_what_was_read_is_changed(name: str, api: APIClient, ids: dict[str, object]) -> None:
    change = CHANGES[name]
    url = f"/api/v2{change.path.format(**ids)}"
    seen = api.get(url)["ETag"]

    def ask(condition: str, body: dict[str, Any] = change.body) -> Any:
        return getattr(api, OPERATIONS[name].method)(url, body, headers={"If-Match": condition})

    for condition in (STALE, f"W/{seen}", seen.strip('"')):
        refused = ask(condition)
        assert (refused.status_code, refused.json()) == (
            412,
            {
                "code": "changed_meanwhile",
                "message": f"This {change.what} has been changed meanwhile. Look at it as it is "
                "now, then change it.",
            },
        )
    assert api.get(url)["ETag"] == seen

    changed = ask(f"{STALE}, {seen}")
    assert changed.status_code == 200
    assert version_of(changed["ETag"]) == version_of(api.get(url)["ETag"]) != version_of(seen)
    assert ask(seen).status_code == 412
    assert ask("*").status_code == 200


@pytest.mark.parametrize("name", [name for name in CHANGES if OPERATIONS[name].method == "patch"])
def test_a_change_of_nothing_is_refused_too(
    name: str, api: APIClient, ids: dict[str, object]
) -> None:
    url = f"/api/v2{CHANGES[name].path.format(**ids)}"
    assert api.patch(url, {}, headers={"If-Match": STALE}).status_code == 412


@pytest.mark.parametrize("name", CHANGES)
def test_there_is_no_such_thing_under_any_condition(
    name: str, api: APIClient, mallory: User, ids: dict[str, object]
) -> None:
    api.force_authenticate(mallory)
    url = f"/api/v2{CHANGES[name].path.format(**ids)}"
    ask = getattr(api, OPERATIONS[name].method)
    for condition in ("*", STALE):
        assert ask(url, CHANGES[name].body, headers={"If-Match": condition}).status_code == 404


def request_of(name: str, browser: Client, api: APIClient) -> Any:
    if name == "sessions_open_create":
        # Only a browser's sign-in or a token opens a session.
        return partial(browser.post, data="{}", content_type="application/json")
    return getattr(api, OPERATIONS[name].method)


@pytest.mark.parametrize("name", ACTIONS)
def test_what_changed_meanwhile_is_neither_deleted_nor_acted_on(
    name: str, browser: Client, api: APIClient, ids: dict[str, object], records: dict[str, Any]
) -> None:
    path, what, expected = ACTIONS[name]
    url = f"/api/v2{path.format(**ids)}"
    record = records[path.partition("{")[2].partition("}")[0] or "hers"]
    ask = request_of(name, browser, api)
    rows = type(record)._base_manager.filter(pk=record.pk).values()
    before = rows.get()

    for stale in (STALE, f"W/{record.etag}"):
        refused = ask(url, headers={"If-Match": stale})
        assert (refused.status_code, refused.json()["code"]) == (412, "changed_meanwhile")
        assert refused.json()["message"].startswith(f"This {what} has been changed meanwhile.")
    assert rows.get() == before

    done = ask(url, headers={"If-Match": record.etag})
    assert done.status_code == expected, done.content


@pytest.mark.parametrize("name", ACTIONS)
def test_a_star_stands_for_any_version(
    name: str, browser: Client, api: APIClient, ids: dict[str, object]
) -> None:
    path, _, expected = ACTIONS[name]
    ask = request_of(name, browser, api)
    assert ask(f"/api/v2{path.format(**ids)}", headers={"If-Match": "*"}).status_code == expected


@pytest.mark.usefixtures("small")
def test_what_a_client_has_already_is_not_sent_again(
    api: APIClient, ids: dict[str, object]
) -> None:
    VolumeClassFactory.create(name="standard")
    for path in PAGES:
        url = f"/api/v2{path.format(**ids)}"
        first = api.get(url)
        assert first.status_code == 200, url
        again = api.get(url, headers={"If-None-Match": f'"other", {first["ETag"]}'})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"]), url
        assert api.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_everything_that_can_be_read_is_in_the_list() -> None:
    def shape(path: str) -> str:
        return re.sub(r"\{\w+\}|hers|small$|standard$|(?<=versions/)1$", "{}", path)

    readable = {
        each.path.removeprefix("/api/v2").rstrip("/")
        for each in OPERATIONS.values()
        if each.method == "get"
    }
    assert {shape(path) for path in PAGES} == {shape(path) for path in readable - NOT_TAGGED}


def test_an_edit_survives_what_nobody_edited(api: APIClient, records: dict[str, Any]) -> None:
    session = records["running"]
    url = f"/api/v2/sessions/{session.pk}"
    seen = api.get(url)["ETag"]
    NotebookSession.objects.filter(pk=session.pk).update(last_activity_at=timezone.now())
    # It is shown otherwise, so that a cache must not keep what it has.
    assert api.get(url, headers={"If-None-Match": seen}).status_code == 200
    assert api.patch(url, {"name": "new"}, headers={"If-Match": seen}).status_code == 200
    assert api.patch(url, {"name": "newer"}, headers={"If-Match": seen}).status_code == 412


@pytest.mark.django_db(transaction=True)
def test_a_delete_waits_for_the_change_it_is_conditional_on(api: APIClient, ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=S.STOPPED)
    url = f"/api/v2/sessions/{session.pk}"
    seen = api.get(url)["ETag"]

    def delete() -> int:
        try:
            return api.delete(url, headers={"If-Match": seen}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        NotebookSession.objects.select_for_update().get(pk=session.pk)
        deletion = threads.submit(delete)
        eventually(is_somebody_waiting)
        NotebookSession.objects.filter(pk=session.pk).update(name="renamed")
    assert deletion.result() == 412
    session.refresh_from_db()
    assert session.deleted_at is None
