"""The sessions of the API: what each verb answers in each state."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import create_token
from notebooks import services
from notebooks.models import NotebookSession, Run
from notebooks.states import SessionStatus as S
from submarine_site.core.etags import version_of
from tests.broker import Broker
from tests.conftest import api_of
from tests.factories import SessionFactory
from tests.sessions import key_of, moves, run_of, state_of
from tests.threads import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "plain")]

SESSIONS = "/api/v2/sessions"
GOOD = {"profile": "small", "environment": "notebook-env", "name": "analysis"}


def url(session: NotebookSession, verb: str = "") -> str:
    return f"{SESSIONS}/{session.pk}" + (f"/{verb}" if verb else "")


def time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def test_a_session_is_created(api: APIClient, ada: User) -> None:
    response = api.post(SESSIONS, GOOD)
    session = NotebookSession.objects.get()
    run = run_of(session)
    assert response.status_code == 201
    assert response["Location"] == f"http://testserver/api/v2/sessions/{session.pk}"
    assert "Idempotency-Replayed" not in response
    assert response.json() == {
        "id": str(session.pk),
        "name": "analysis",
        "owner": "ada",
        "status": "requested",
        "status_changed_at": time(session.status_changed_at),
        "reason": None,
        "code": [],
        "opens": "",
        "profile": "small",
        "environment": "notebook-env",
        "environment_version": 1,
        "newest_environment_version": 1,
        "variables": {},
        "secrets": [],
        "home": None,
        "mounts": [],
        "charged_to": None,
        "size_change": "",
        "idle_stop_at": None,
        "last_activity_signal": "",
        "created_at": time(session.created_at),
        "last_activity_at": None,
        "run": {
            "id": str(run.pk),
            "number": 1,
            "profile_name": "Small",
            "cpu_milli": 1000,
            "memory_mib": 2048,
            "gpus": 0,
            "accelerator": "gpu",
            "longest_life_minutes": None,
            "idle_limit_minutes": None,
            "environment_name": "Notebook-Env",
            "environment_version": 1,
            "image": "example/notebook:1",
            "is_rescue": False,
            "created_at": time(run.created_at),
            "ready_at": None,
            "ended_at": None,
            "stops_at": None,
            "exit_code": None,
            "phases": [
                {
                    "phase": "queued",
                    "started_at": time(run.created_at),
                    "finished_at": None,
                    "detail": "",
                }
            ],
        },
    }
    read = api.get(url(session))
    assert read.json() == response.json()
    assert version_of(read["ETag"]) == version_of(response["ETag"])
    assert session.owner == ada


def test_html_and_scripts_in_a_name_come_back_as_they_are(api: APIClient) -> None:
    name = "<script>alert(1)</script> 👩‍🔬 דוח"
    assert api.post(SESSIONS, {**GOOD, "name": name}).json()["name"] == name


def test_a_reason_says_who_can_mend_it(api: APIClient, failed: NotebookSession) -> None:
    assert api.get(url(failed)).json()["reason"] == {
        "code": "server_crashed",
        "title": "The notebook server crashed",
        "message": "Jupyter ended by itself: exit code 1.",
        "mender": "user",
        "advice": (
            "Files are safe, kernels are gone. Start it again; a bigger size helps where it "
            "ran out of memory."
        ),
    }


@pytest.mark.parametrize("secret", ["token", "address", "idempotency", "log_tail", "unix:"])
def test_no_secret_is_shown(api: APIClient, running: NotebookSession, secret: str) -> None:
    assert secret not in api.get(url(running)).content.decode()


def test_a_taken_name_is_refused(api: APIClient) -> None:
    api.post(SESSIONS, GOOD)
    response = api.post(SESSIONS, GOOD)
    message = "You have a session named “analysis” already."
    assert response.status_code == 409
    assert response.json() == {
        "code": "name_taken",
        "message": message,
        "fields": {"name": message},
    }
    assert NotebookSession.objects.count() == 1


def keyed(api: APIClient, key: str, **change: str):
    return api.post(SESSIONS, {**GOOD, **change}, headers={"Idempotency-Key": key})


def test_the_same_key_gives_the_same_session(api: APIClient) -> None:
    first, again = keyed(api, "k"), keyed(api, "k")
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert Run.objects.count() == 1


def test_a_key_with_another_body_is_refused(api: APIClient) -> None:
    keyed(api, "k")
    response = keyed(api, "k", name="other")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert NotebookSession.objects.count() == 1


def test_a_key_that_is_too_long_is_refused(api: APIClient) -> None:
    response = keyed(api, "k" * 201)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert list(response.json()["fields"]) == ["Idempotency-Key"]
    assert not NotebookSession.objects.exists()


def test_the_key_of_a_deleted_session_is_spent(api: APIClient) -> None:
    first = keyed(api, "k").json()
    assert api.delete(f"{SESSIONS}/{first['id']}").status_code == 204
    response = keyed(api, "k")
    assert (response.status_code, response.json()["code"]) == (409, "session_deleted")
    assert NotebookSession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_requests_with_one_key_are_one_session(
    ada: User, small, plain, broker: Broker
) -> None:
    answers = at_once(20, lambda _: keyed(api_of(ada), "k"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    assert len(broker.take()) == 1


@pytest.mark.parametrize(
    ("verb", "status", "code", "after"),
    [
        ("start", S.REQUESTED, 202, S.REQUESTED),
        ("start", S.STARTING, 202, S.STARTING),
        ("start", S.RUNNING, 202, S.RUNNING),
        ("start", S.STOPPING, 409, S.STOPPING),
        ("start", S.STOPPED, 202, S.REQUESTED),
        ("start", S.FAILED, 202, S.REQUESTED),
        ("stop", S.REQUESTED, 202, S.STOPPING),
        ("stop", S.STARTING, 202, S.STOPPING),
        ("stop", S.RUNNING, 202, S.STOPPING),
        ("stop", S.STOPPING, 202, S.STOPPING),
        ("stop", S.STOPPED, 202, S.STOPPED),
        ("stop", S.FAILED, 202, S.FAILED),
        ("open", S.REQUESTED, 409, S.REQUESTED),
        ("open", S.STARTING, 409, S.STARTING),
        ("open", S.STOPPING, 409, S.STOPPING),
        ("open", S.STOPPED, 409, S.STOPPED),
        ("open", S.FAILED, 409, S.FAILED),
    ],
)
def test_a_verb_answers_by_the_state(
    ada: User, small, plain, *, verb: str, status: S, code: int, after: S
) -> None:
    session = SessionFactory.create(owner=ada, status=status, profile=small, environment=plain)
    api = token_client(ada)
    response = api.post(url(session, verb))
    assert (response.status_code, state_of(session)) == (code, after)
    if code == 202:
        assert response.json() == api.get(url(session)).json()
    else:
        refused = "session_stopping" if verb == "start" else "session_not_running"
        assert response.json()["code"] == refused
        assert session.runs.count() == 1


def token_client(user: User) -> APIClient:
    """A client by a real API token of the user's."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {create_token(user=user, name='ci').secret}")
    return client


@pytest.mark.parametrize("status", list(S))
def test_a_deleted_session_is_gone_at_once(ada: User, api: APIClient, status: S) -> None:
    session = SessionFactory.create(owner=ada, status=status)
    assert api.delete(url(session)).status_code == 204
    assert state_of(session) == S.STOPPING
    assert api.get(SESSIONS).json()["results"] == []
    for method, verb in [
        ("get", ""),
        ("delete", ""),
        ("patch", ""),
        ("post", "start"),
        ("post", "stop"),
        ("post", "open"),
        ("get", "events"),
        ("get", "logs"),
    ]:
        assert getattr(api, method)(url(session, verb)).status_code == 404


def test_a_session_that_a_rival_deletes_meanwhile_is_answered_as_gone(
    api: APIClient, running: NotebookSession
) -> None:
    def rival(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if "FOR UPDATE" in sql:
            NotebookSession.objects.filter(pk=running.pk).update(deleted_at=now())
        return execute(sql, *rest)

    with connection.execute_wrapper(rival):
        assert api.post(url(running, "stop")).status_code == 404


def test_a_session_is_renamed(api: APIClient, requested: NotebookSession) -> None:
    response = api.patch(url(requested), {"name": "  new name "})
    assert (response.status_code, response.json()["name"]) == (200, "new name")


def test_a_session_is_opened_by_an_address_with_a_code(ada: User, running: NotebookSession) -> None:
    response = token_client(ada).post(url(running, "open"), {"path": "lab/tree/a b.ipynb"})
    base = f"http://gateway.test:8001/session/{running.pk}/"
    opened = response.json()
    assert response.status_code == 200
    assert opened["base_url"] == base
    assert opened["url"].startswith(f"{base}_submarine/enter?code=")
    assert opened["url"].endswith("&next=lab%2Ftree%2Fa%20b.ipynb")


def test_a_way_in_that_ends_with_nothing_is_not_given(
    api: APIClient, running: NotebookSession
) -> None:
    response = api.post(url(running, "open"))
    assert (response.status_code, response.json()["code"]) == (403, "token_needed")


def test_events_come_newest_first_in_pages(
    api: APIClient, running: NotebookSession, ada: User
) -> None:
    services.stop_session(session=running, actor=ada)
    first = api.get(url(running, "events"), {"page_size": 3}).json()
    shown = [(event["from_status"], event["to_status"]) for event in first["results"]]
    assert shown == [
        (S.RUNNING, S.STOPPING),
        (S.STARTING, S.RUNNING),
        (S.REQUESTED, S.STARTING),
    ]
    assert first["previous"] is None
    rest = api.get(first["next"]).json()
    assert [(event["to_status"], event["actor"]) for event in rest["results"]] == [
        (S.REQUESTED, "ada")
    ]
    assert rest["next"] is None
    assert len(moves(running)) == 4


def test_an_event_is_spelled_out(api: APIClient, requested: NotebookSession) -> None:
    event = requested.events.get()
    assert api.get(url(requested, "events")).json()["results"] == [
        {
            "id": event.pk,
            "created_at": time(event.created_at),
            "run": str(key_of(requested).run_id),
            "from_status": "",
            "to_status": "requested",
            "code": "",
            "message": "Created.",
            "actor": "ada",
        }
    ]


@pytest.mark.parametrize("form", ["{}", "{}/"])
def test_an_address_may_end_in_a_slash(
    api: APIClient, requested: NotebookSession, form: str
) -> None:
    get: Callable[[str], int] = lambda path: api.get(form.format(path)).status_code  # noqa: E731
    assert [get(SESSIONS), get(url(requested)), get("/api/v2/me")] == [200, 200, 200]
