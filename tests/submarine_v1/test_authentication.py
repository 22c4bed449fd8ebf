"""Who is let in beside those with an API token: what runs in a session, and on a developer's own
machine everybody, where that was asked for.
"""

from base64 import b64encode
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.checks import run_checks
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import create_token
from notebooks import services
from notebooks.credentials import run_credential, run_of
from notebooks.models import NotebookSession
from tests.factories import SessionFactory
from tests.submarine_v1.conftest import ENVIRONMENT, NOTEBOOK, refused, result_of
from tests.submarine_v1.test_paths import led_on

pytestmark = pytest.mark.django_db

ONLY = "What runs in a session may read that session, and nothing else."
ENDED = "The credential is of no run, or of one that has ended."


@pytest.fixture
def inside(hers: NotebookSession) -> APIClient:
    """What runs in Ada's session."""
    assert hers.current_run is not None
    return inside_of(hers)


def inside_of(session: NotebookSession) -> APIClient:
    assert session.current_run_id is not None
    credential = run_credential(session.current_run_id)
    return APIClient(headers={"Authorization": f"Bearer {credential}"})


def test_what_runs_in_a_session_reads_that_one_alone(
    inside: APIClient, hers: NotebookSession, ada: User
) -> None:
    other = SessionFactory.create(owner=ada, status="running")
    other.refresh_from_db()
    [listed] = result_of(inside.get(NOTEBOOK), "List all notebook instances")
    assert listed["name"] == "hers"
    found = inside.get(f"{NOTEBOOK}/{hers.notebook_id}")
    assert result_of(found, "Get the notebook instance") == listed
    response = inside.get(f"{NOTEBOOK}/{other.notebook_id}")
    assert refused(response, 404, "NOT_FOUND") == "Notebook not found."


def test_it_may_do_nothing_else(inside: APIClient, hers: NotebookSession) -> None:
    body = {"meta": {"name": "b"}, "environment": {"name": "notebook-env"}}
    for response in (
        inside.post(NOTEBOOK, body, format="json"),
        inside.delete(f"{NOTEBOOK}/{hers.notebook_id}"),
        inside.get(ENVIRONMENT),
        inside.post(ENVIRONMENT, {"name": "a"}, format="json"),
        inside.get(f"{ENVIRONMENT}/notebook-env"),
        inside.patch(f"{ENVIRONMENT}/notebook-env", {"description": "a"}, format="json"),
        inside.delete(f"{ENVIRONMENT}/notebook-env"),
        inside.get("/api/sys/user/info"),
    ):
        assert refused(response, 403, "FORBIDDEN") == ONLY
    hers.refresh_from_db()
    assert (hers.deleted_at, NotebookSession.objects.count()) == (None, 1)


def test_the_pages_know_nothing_of_it(inside: APIClient) -> None:
    assert inside.get("/").status_code == 302


@pytest.mark.parametrize("status", ["requested", "starting", "running"])
def test_it_lasts_while_the_run_is_wanted(
    inside: APIClient, hers: NotebookSession, status: str
) -> None:
    NotebookSession.objects.update(status=status)
    assert inside.get(NOTEBOOK).status_code == 200


@pytest.mark.parametrize("status", ["stopping", "stopped", "failed"])
def test_it_ends_with_the_run(inside: APIClient, status: str) -> None:
    NotebookSession.objects.update(status=status)
    assert refused(inside.get(NOTEBOOK), 401, "UNAUTHORIZED") == ENDED


def test_it_ends_as_the_session_is_stopped_and_the_next_run_has_another(
    inside: APIClient, hers: NotebookSession, ada: User
) -> None:
    services.stop_session(session=hers, actor=ada)
    refused(inside.get(NOTEBOOK), 401, "UNAUTHORIZED")
    NotebookSession.objects.update(status="stopped")
    services.start_session(session=hers, actor=ada)
    refused(inside.get(NOTEBOOK), 401, "UNAUTHORIZED")
    hers.refresh_from_db()
    assert inside_of(hers).get(NOTEBOOK).status_code == 200


def test_it_ends_with_the_session_and_with_its_owners_account(
    inside: APIClient, hers: NotebookSession, ada: User
) -> None:
    User.objects.update(is_active=False)
    refused(inside.get(NOTEBOOK), 401, "UNAUTHORIZED")
    User.objects.update(is_active=True)
    services.delete_session(session=hers, actor=ada)
    refused(inside.get(NOTEBOOK), 401, "UNAUTHORIZED")


def test_nobody_makes_one_of_an_id(hers: NotebookSession) -> None:
    assert hers.current_run_id is not None
    real = run_credential(hers.current_run_id)
    assert run_of(real) == hers.current_run_id
    forged = real[:-1] + ("0" if real[-1] != "0" else "1")
    for credential in (
        forged,
        real[:-1],
        real + "0",
        real.upper(),
        real.removeprefix("subrun_"),
        "subrun_",
        "subrun_" + "0" * 96,
        "subrun_ü",
    ):
        assert run_of(credential) is None


@pytest.fixture
def unknown(settings, ada: User) -> APIClient:
    """A program that shows nothing, on the machine itself, where that is Ada's."""
    settings.V1_AUTH_NONE = "ada"
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    settings.PAGES_URL = "http://127.0.0.1:8000"
    return APIClient(SERVER_NAME="127.0.0.1", REMOTE_ADDR="127.0.0.1")


def test_where_it_was_asked_for_nothing_has_to_be_shown(
    unknown: APIClient, hers: NotebookSession
) -> None:
    [listed] = result_of(unknown.get(NOTEBOOK), "List all notebook instances")
    assert listed["name"] == "hers"
    assert unknown.get("/api/v2/me").status_code == 401
    assert run_checks() == []


def test_what_is_shown_counts_all_the_same(unknown: APIClient, mallory: User) -> None:
    response = unknown.get(NOTEBOOK, headers={"Authorization": "Bearer none"})
    refused(response, 401, "UNAUTHORIZED")
    token = create_token(user=mallory, name="his").secret
    shown = unknown.get("/api/sys/user/info", headers={"Authorization": f"Bearer {token}"})
    assert result_of(shown)["username"] == "mallory"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000"])
@pytest.mark.parametrize(
    "credential",
    [
        *({"Authorization": value} for value in ("Bearer none", "Bearer", "x", "", "Token none")),
        {"Authorization": f"Basic {b64encode(b'ada:wrong').decode()}"},
        {"Cookie": "sessionid=none"},
    ],
)
def test_what_is_shown_is_never_left_out(
    unknown: APIClient, hers: NotebookSession, credential: dict[str, str], host: str
) -> None:
    response = unknown.get(NOTEBOOK, headers={"Host": host, **credential})
    refused(response, 401, "UNAUTHORIZED")
    assert result_of(unknown.get(f"{NOTEBOOK}/ping", headers={"Host": host})) == "Pong"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000"])
def test_a_credential_in_the_path_counts_at_each_name(
    unknown: APIClient, mallory: User, host: str
) -> None:
    token = create_token(user=mallory, name="his").secret
    for shown, status in ((token, 200), ("subnb_none", 401)):
        scope = async_to_sync(led_on)(f"/u/{shown}/api/sys/user/info", (b"host", host.encode()))
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        response = unknown.get(scope["path"], headers=headers)
        if status == 200:
            assert result_of(response)["username"] == "mallory"
        else:
            refused(response, status, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "ends",
    [
        {"SERVER_NAME": "192.0.2.7"},
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"SERVER_NAME": "/run/web.sock"},
    ],
)
def test_nobody_comes_from_elsewhere(unknown: APIClient, ends: dict[str, Any]) -> None:
    response = unknown.get(NOTEBOOK, headers={"Host": "127.0.0.1"}, **ends)
    refused(response, 401, "UNAUTHORIZED")


def test_one_who_is_switched_off_is_nobody(unknown: APIClient) -> None:
    User.objects.update(is_active=False)
    refused(unknown.get(NOTEBOOK), 401, "UNAUTHORIZED")


def test_without_being_asked_for_it_is_not_so(unknown: APIClient, settings) -> None:
    settings.V1_AUTH_NONE = ""
    refused(unknown.get(NOTEBOOK), 401, "UNAUTHORIZED")


def test_it_is_refused_where_others_can_come(settings) -> None:
    settings.V1_AUTH_NONE = "ada"
    for url in ("http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000"):
        settings.PAGES_URL = url
        assert "submarine_v1.E001" not in {found.id for found in run_checks()}
    for url in ("https://submarine.example", "http://192.0.2.7:8000", "http://localhost.example"):
        settings.PAGES_URL = url
        assert "submarine_v1.E001" in {found.id for found in run_checks()}


def test_sessions_are_led_by_an_address_that_clients_can_write(settings) -> None:
    for url in ("", "http://submarine.apps.svc:8000", "http://127.0.0.1"):
        settings.SESSIONS_API_URL = url
        assert "submarine_v1.E002" not in {found.id for found in run_checks()}
    for url in ("https://submarine.example", "http://a/b", "a:80"):
        settings.SESSIONS_API_URL = url
        assert "submarine_v1.E002" in {found.id for found in run_checks()}


def test_sessions_reach_the_api_by_another_name_than_people(settings, inside: APIClient) -> None:
    settings.SESSIONS_API_URL = "http://web.cluster:8000"
    settings.ALLOWED_HOSTS = ["testserver", "web.cluster"]
    there = {"Host": "web.cluster:8000"}
    assert inside.get(NOTEBOOK, headers=there).status_code == 200
    assert inside.get("/api/v2/sessions", headers=there).status_code == 200
    led_away = inside.get(reverse("home"), headers=there)
    assert (led_away.status_code, led_away["Location"]) == (308, "http://testserver/")
