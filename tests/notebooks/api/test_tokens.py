"""The API tokens of the API: shown once, listed without their secret, revoked."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from accounts.services import NewToken, create_token
from audit.models import AuditEntry
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
        "last_used_from",
        "scopes",
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


def by(token: NewToken) -> APIClient:
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {token.secret}")


def test_scopes_are_chosen_and_little_is_usual(api: APIClient) -> None:
    assert api.post(TOKENS, {"name": "ci"}).json()["scopes"] == ["read", "launch", "access"]
    chosen = api.post(TOKENS, {"name": "ci", "scopes": ["manage", "read", "read"]})
    assert chosen.json()["scopes"] == ["read", "manage"]


@pytest.mark.parametrize("scopes", [[], ["everything"], ["READ"], [None], "read", {}])
def test_scopes_at_fault_are_named(api: APIClient, scopes: object) -> None:
    response = api.post(TOKENS, {"name": "ci", "scopes": scopes})
    assert response.status_code == 400
    assert all(field.startswith("scopes") for field in response.json()["fields"])
    assert not ApiToken.objects.exists()


def test_nobody_but_an_operator_gives_the_scope_of_operators(
    api: APIClient, operator: User
) -> None:
    response = api.post(TOKENS, {"name": "ci", "scopes": ["read", "admin"]})
    assert (response.status_code, response.json()["code"]) == (403, "beyond_your_scopes")
    assert not ApiToken.objects.exists()
    theirs = APIClient()
    theirs.force_authenticate(operator)
    assert theirs.post(TOKENS, {"name": "ci", "scopes": ["admin"]}).status_code == 201


def test_a_token_makes_none_that_has_more_or_lasts_longer(operator: User) -> None:
    maker = create_token(
        user=operator, name="maker", scopes=["read", "manage"], life=timedelta(days=2)
    )
    for beyond in (["read", "launch"], ["access"], ["admin"]):
        response = by(maker).post(TOKENS, {"name": "more", "scopes": beyond})
        assert (response.status_code, response.json()["code"]) == (403, "beyond_your_scopes")
    made = by(maker).post(TOKENS, {"name": "less", "expires_in_days": 90})
    assert made.status_code == 201
    token = ApiToken.objects.get(name="less")
    assert (token.scopes, token.expires_at) == (["read"], maker.record.expires_at)
    assert AuditEntry.objects.latest("id").after == {
        "scopes": ["read"],
        "expires_at": token.expires_at.isoformat(),
        "made_by": "maker",
    }
    assert ApiToken.objects.count() == 2


def test_an_operator_is_none_by_a_token_without_the_scope(operator: User) -> None:
    told = [
        by(create_token(user=operator, name="ci", scopes=scopes)).get("/api/v2/me").json()
        for scopes in (["read"], ["read", "admin"])
    ]
    assert [me["is_operator"] for me in told] == [False, True]
    assert [me["scopes"] for me in told] == [["read"], ["read", "admin"]]
    operator.refresh_from_db()
    assert operator.is_staff


def test_the_log_of_others_takes_the_scope_of_operators(operator: User, ada: User) -> None:
    create_token(user=ada, name="hers")
    seen = [
        {
            entry["object"]["name"]
            for entry in by(create_token(user=operator, name="ci", scopes=scopes))
            .get("/api/v2/audit")
            .json()["results"]
        }
        for scopes in (["read"], ["read", "admin"])
    ]
    assert seen == [{"ci"}, {"ci", "hers"}]


def test_who_is_no_operator_any_more_has_no_use_of_the_scope(operator: User) -> None:
    token = create_token(user=operator, name="ci", scopes=["read", "admin"])
    User.objects.filter(pk=operator.pk).update(is_staff=False)
    assert by(token).get("/metrics").status_code == 403
    assert by(token).get("/api/v2/me").json()["scopes"] == ["read"]


def test_the_site_says_how_long_a_token_may_live(api: APIClient, settings) -> None:
    settings.TOKENS_LONGEST_LIFE = timedelta(days=30)
    response = api.post(TOKENS, {"name": "ci", "expires_in_days": 31})
    assert response.json()["fields"] == {"expires_in_days": "A token lasts 1 to 30 days."}
    api.post(TOKENS, {"name": "ci"})
    token = ApiToken.objects.get()
    assert abs(token.expires_at - token.created_at - timedelta(days=30)) < timedelta(seconds=1)


def test_all_tokens_are_revoked_that_of_the_request_too(ada: User, mallory: User) -> None:
    mine = [create_token(user=ada, name="ci", scopes=["manage"]) for _ in range(2)]
    other = create_token(user=mallory, name="ci")
    assert by(mine[0]).post(f"{TOKENS}/revoke-all").json() == {"revoked": 2}
    assert [by(each).get("/api/v2/me").status_code for each in (*mine, other)] == [401, 401, 200]


def test_the_address_of_the_last_use_is_told(ada: User, api: APIClient) -> None:
    by(create_token(user=ada, name="ci")).get("/api/v2/me", REMOTE_ADDR="2001:db8::7")
    [shown] = api.get(TOKENS).json()["results"]
    assert shown["last_used_from"] == "2001:db8::7"
    assert shown["last_used_at"] is not None


def test_a_request_by_token_takes_no_statement_more(ada: User, django_assert_num_queries) -> None:
    token = create_token(user=ada, name="ci")
    by(token).get("/api/v2/me")
    with django_assert_num_queries(1):
        by(token).get("/api/v2/me")
