"""What the tests of Submarine's API share: programs that send a token, and the keys of answers."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import create_token
from environments.models import Environment
from notebooks.models import NotebookSession
from quotas.models import ResourceProfile
from submarine_v1.accounts import token_scopes
from tests.factories import SessionFactory

NOTEBOOK = "/api/v1/notebook"
ENVIRONMENT = "/api/v1/environment"
ENVELOPE = ["status", "code", "success", "message", "result", "attributes"]


def client_of(user: User) -> APIClient:
    """The user's program, which sends what the released client sends."""
    token = create_token(user=user, name="test", scopes=token_scopes(user)).secret
    return APIClient(
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/json; charset=utf-8",
            "User-Agent": "OpenAPI-Generator/0.8.0/python",
        }
    )


def refused(response, status: int, name: str) -> str:
    """Assert that this is a refusal in the envelope; what it says."""
    assert response.status_code == status, response.content
    assert response["Content-Type"].startswith("application/json")
    told = response.json()
    assert list(told) == ENVELOPE
    assert (told["status"], told["code"], told["success"]) == (name, status, False)
    assert (told["result"], told["attributes"]) == (None, {})
    assert isinstance(told["message"], str)
    assert told["message"]
    return told["message"]


def result_of(response, message: str | None = None):
    """Assert that this is a success in the envelope; what it holds."""
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/json; charset=utf-8"
    told = response.json()
    assert list(told) == ENVELOPE
    assert (told["status"], told["code"], told["success"]) == ("OK", 200, True)
    assert (told["message"], told["attributes"]) == (message, {})
    return told["result"]


@pytest.fixture
def client(ada: User) -> APIClient:
    """Ada's program."""
    return client_of(ada)


@pytest.fixture
def hers(ada: User, small: ResourceProfile, plain: Environment) -> NotebookSession:
    """Ada's session, which runs."""
    session = SessionFactory.create(
        owner=ada, name="hers", profile=small, environment=plain, status="running"
    )
    session.refresh_from_db()
    return session
