"""The API tokens of the API: shown once, listed without their secret, revoked."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from accounts.services import create_token
from submarine_site.core.digests import digest

pytestmark = pytest.mark.django_db

TOKENS = "/api/v2/tokens"


def test_a_token_is_shown_once(api: APIClient, ada: User) -> None:
    response = api.post(TOKENS, {"name": " my  ci "})
    made = response.json()
    token = ApiToken.objects.get()
    assert response.status_code == 201
    assert set(made) == {
        "id",
        "name",
        "hint",
        "created_at",
        "expires_at",
        "last_used_at",
        "token",
    }
    assert (made["name"], made["id"], token.user) == ("my ci", str(token.pk), ada)
    assert made["token"].startswith("subnb_")
    assert token.digest == digest(made["token"])
    shown = api.get(TOKENS).json()["results"]
    assert shown == [{name: value for name, value in made.items() if name != "token"}]


def test_the_life_of_a_token_is_chosen(api: APIClient) -> None:
    api.post(TOKENS, {"name": "ci", "expires_in_days": 1})
    token = ApiToken.objects.get()
    life = token.expires_at - token.created_at
    assert abs(life - timedelta(days=1)) < timedelta(seconds=1)


def test_a_token_is_revoked(api: APIClient, ada: User) -> None:
    token = create_token(user=ada, name="ci").record
    assert api.delete(f"{TOKENS}/{token.pk}").status_code == 204
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert api.get(TOKENS).json()["results"] == []
    assert api.delete(f"{TOKENS}/{token.pk}").status_code == 404


def test_the_token_of_another_is_not_there(api: APIClient, mallory: User) -> None:
    token = create_token(user=mallory, name="ci").record
    assert api.delete(f"{TOKENS}/{token.pk}").status_code == 404
    assert api.get(TOKENS).json()["results"] == []
    token.refresh_from_db()
    assert token.revoked_at is None
