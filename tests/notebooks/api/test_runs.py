"""What runs in a session, by the credential of its run."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from notebooks.credentials import run_credential
from notebooks.models import NotebookSession
from tests.factories import SessionFactory

pytestmark = pytest.mark.django_db

SESSIONS = "/api/v2/sessions"


@pytest.fixture
def hers(ada: User) -> NotebookSession:
    return SessionFactory.create(owner=ada, name="hers", status="running")


@pytest.fixture
def inside(hers: NotebookSession) -> APIClient:
    assert hers.current_run_id is not None
    return APIClient(headers={"Authorization": f"Bearer {run_credential(hers.current_run_id)}"})


def test_it_reads_its_own_session_and_no_other(
    inside: APIClient, hers: NotebookSession, ada: User
) -> None:
    other = SessionFactory.create(owner=ada, status="running")
    [listed] = inside.get(SESSIONS).json()["results"]
    assert listed["id"] == str(hers.pk)
    assert inside.get(f"{SESSIONS}/{hers.pk}").json() == listed
    assert inside.get(f"{SESSIONS}/{hers.pk}/events").status_code == 200
    for path in (f"{SESSIONS}/{other.pk}", f"{SESSIONS}/{other.pk}/events"):
        assert inside.get(path).status_code == 404


def test_it_is_told_what_it_may_not(inside: APIClient) -> None:
    answer = inside.post(SESSIONS, {"profile": "small", "environment": "notebook-env"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert answer.json()["message"] == (
        "What runs in a session may read that session, and nothing else."
    )


@pytest.mark.parametrize("status", ["stopping", "stopped", "failed"])
def test_it_ends_with_its_run(inside: APIClient, status: str) -> None:
    NotebookSession.objects.update(status=status)
    answer = inside.get(SESSIONS)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_token")


def test_it_is_never_told_again(inside: APIClient, hers: NotebookSession) -> None:
    for path in (SESSIONS, f"{SESSIONS}/{hers.pk}", f"{SESSIONS}/{hers.pk}/events"):
        assert b"subrun_" not in inside.get(path).content
