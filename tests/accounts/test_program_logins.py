"""A program gets a token by its user's leave: the page, the code, the exchange."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.test import APIClient

from accounts import program_logins
from accounts.models import ApiToken, User
from accounts.services import MAX_TOKENS, create_token
from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError
from submarine_site.core.redis import client
from submarine_site.core.signed import sign
from tests.conftest import browser_of

PAGE = "/account/allow-program"
LOGIN = "/api/v2/login/"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
ASKED = {"challenge": CHALLENGE, "name": "subnb on laptop"}


def shown_code(browser: Client) -> str:
    page = browser.post(PAGE, {"scopes": ["read", "launch"]}, query_params=ASKED)
    assert page.status_code == 200
    assert page["Cache-Control"] == "no-store"
    found = re.search(r'id="code"\s+value="([^"]+)"', page.text)
    assert found
    return found[1]


def exchange(code: str, verifier: str = VERIFIER) -> tuple[int, dict[str, Any]]:
    response = APIClient().post(LOGIN, {"code": code, "verifier": verifier})
    return response.status_code, response.json()


def test_a_code_that_somebody_wrote_into_redis_gives_no_token(operator: User) -> None:
    forged = {
        "user": operator.pk,
        "challenge": CHALLENGE,
        "name": "mine",
        "scopes": ["read", "launch", "admin"],
    }
    name = f"program-login:{digest('forged')}"
    for value in (json.dumps(forged), sign("program-login:other", forged), "", "null"):
        client().set(name, value)
        status, answer = exchange("forged")
        assert (status, answer["code"]) == (400, "bad_code")
    assert not ApiToken.objects.exists()


def test_a_user_allows_a_program_and_it_gets_a_token(browser: Client, ada: User) -> None:
    page = browser.get(PAGE, query_params=ASKED)
    assert "Let “subnb on laptop” act as you?" in page.text
    assert "API token of ada" in page.text
    code = shown_code(browser)
    assert not ApiToken.objects.exists()

    status, made = exchange(code)

    assert status == 201
    assert {"id", "hint", "expires_at", "token"} <= made.keys()
    assert made["scopes"] == ["read", "launch"]
    assert made["name"] == "subnb on laptop"
    me = APIClient().get("/api/v2/me/", headers={"Authorization": f"Bearer {made['token']}"})
    assert me.json()["username"] == "ada"
    assert ApiToken.objects.get().user == ada


def test_the_page_proposes_what_the_program_asks_for_and_the_user_decides(
    browser: Client, operator: User
) -> None:
    asked = ASKED | {"scopes": ["read", "admin", "x"]}
    assert proposed(browser, ASKED) == {"read", "launch", "access", "manage"}
    assert proposed(browser, asked) == {"read"}
    assert proposed(browser_of(operator), asked) == {"read", "admin"}
    for given in ([], ["admin"], ["x"]):
        page = browser.post(PAGE, {"scopes": given}, query_params=ASKED)
        assert page.status_code in {400, 403}
        assert 'id="code"' not in page.text


def proposed(browser: Client, asked: Mapping[str, object]) -> set[str]:
    page = browser.get(PAGE, query_params=dict(asked)).text
    return set(re.findall(r'name="scopes"\s+value="(\w+)"\s+autocomplete="off"\s+checked', page))


def test_who_ceased_to_be_an_operator_meanwhile_gives_no_scope_of_theirs(operator: User) -> None:
    code = program_logins.allow(user=operator, challenge=CHALLENGE, name="x", scopes=["admin"])
    User.objects.filter(pk=operator.pk).update(is_staff=False)
    status, said = exchange(code)
    assert (status, said["code"]) == (403, "beyond_your_scopes")
    assert not ApiToken.objects.exists()


def test_a_code_works_once(browser: Client) -> None:
    code = shown_code(browser)
    assert exchange(code)[0] == 201
    status, said = exchange(code)
    assert (status, said["code"]) == (400, "bad_code")
    assert ApiToken.objects.count() == 1


def test_a_code_is_worth_nothing_without_its_verifier_and_is_spent(browser: Client) -> None:
    code = shown_code(browser)
    assert exchange(code, "w" * 43)[1]["code"] == "bad_code"
    assert exchange(code)[1]["code"] == "bad_code"
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("code", ["none", "x" * 10_000, "\0", "é"])
def test_what_is_no_code_is_refused(db: None, code: str) -> None:
    assert exchange(code)[0] == 400


def test_a_user_who_may_not_sign_in_any_more_gets_no_token(browser: Client, ada: User) -> None:
    code = shown_code(browser)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert exchange(code)[1]["code"] == "bad_code"
    assert not ApiToken.objects.exists()


def test_a_user_with_too_many_tokens_is_told(browser: Client, ada: User) -> None:
    for number in range(MAX_TOKENS):
        create_token(user=ada, name=str(number), life=timedelta(days=1))
    assert exchange(shown_code(browser))[1]["code"] == "too_many_tokens"


@pytest.mark.parametrize(
    ("challenge", "name"),
    [("", "subnb"), ("short", "subnb"), (CHALLENGE + "=", "subnb"), (CHALLENGE, "")],
)
def test_an_address_that_no_program_made_is_refused(
    browser: Client, challenge: str, name: str
) -> None:
    for ask in (browser.get, browser.post):
        page = ask(PAGE, query_params={"challenge": challenge, "name": name})
        assert page.status_code == 400
        assert 'id="code"' not in page.text
        assert ">Allow<" not in page.text


def test_a_name_cannot_bring_markup(browser: Client) -> None:
    page = browser.get(PAGE, query_params={**ASKED, "name": "<b>x</b>"})
    assert "<b>x</b>" not in page.text
    assert "&lt;b&gt;x" in page.text


def test_another_site_cannot_press_the_button(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert browser.post(PAGE, query_params=ASKED).status_code == 403


def test_redis_away_is_said(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(client(), "set", refuse)
    monkeypatch.setattr(client(), "getdel", refuse)
    with pytest.raises(DomainError) as raised:
        program_logins.allow(user=ada, challenge=CHALLENGE, name="subnb", scopes=["read"])
    assert (raised.value.code, raised.value.status) == ("login_unavailable", 503)
    with pytest.raises(DomainError) as raised:
        program_logins.redeem(code="x", verifier=VERIFIER)
    assert raised.value.code == "login_unavailable"
