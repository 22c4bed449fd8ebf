"""Signing in and out on the pages: records, redirects, throttling."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken, SignIn, User
from accounts.services import create_token, find_token
from notebooks import selectors
from tests.conftest import browser_of
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def sign_in(browser: Client, name: str = "ada", password: str = PASSWORD, **more: str):
    return browser.post("/sign-in", {"username": name, "password": password, **more})


def is_in(browser: Client) -> bool:
    return browser.get("/account").status_code == 200


def test_signing_in_is_recorded_with_the_browser(ada: User) -> None:
    browser = Client(headers={"User-Agent": "Firefox " * 100})
    assert sign_in(browser).status_code == 302
    assert is_in(browser)
    record = SignIn.objects.get()
    assert (record.user, record.address) == (ada, "127.0.0.1")
    assert (len(record.user_agent), record.ended_at) == (200, None)
    assert selectors.live_sign_ins([record.pk]) == {record.pk: ada.pk}


def test_each_browser_has_one_record(ada: User) -> None:
    one, other = Client(), Client()
    for browser in (one, other):
        sign_in(browser)
        is_in(browser)
        is_in(browser)
    assert SignIn.objects.count() == 2


def test_signing_out_ends_the_record(ada: User) -> None:
    browser, other = browser_of(ada), browser_of(ada)
    assert is_in(browser)
    assert is_in(other)
    assert browser.post("/sign-out").status_code == 302
    assert (is_in(browser), is_in(other)) == (False, True)
    assert SignIn.objects.live().count() == 1


def test_nobody_signs_out_by_following_a_link(ada: User) -> None:
    browser = browser_of(ada)
    assert browser.get("/sign-out").status_code == 405
    assert is_in(browser)


def test_signing_out_everywhere_ends_every_browser(ada: User, mallory: User) -> None:
    browsers = [browser_of(ada), browser_of(ada)]
    theirs = browser_of(mallory)
    assert [is_in(browser) for browser in (*browsers, theirs)] == [True, True, True]
    browsers[0].post("/account/sign-out-everywhere")
    assert [is_in(browser) for browser in (*browsers, theirs)] == [False, False, True]


def test_an_ended_record_ends_the_browsers_session(ada: User) -> None:
    browser = browser_of(ada)
    assert is_in(browser)
    SignIn.objects.all().end()
    assert not is_in(browser)


def test_a_stolen_record_is_of_no_use_to_another(ada: User, mallory: User) -> None:
    browser = browser_of(mallory)
    is_in(browser)
    record = SignIn.objects.create(user=ada, auth_hash="x")
    session = browser.session
    session["sign_in"] = str(record.pk)
    session.save()
    assert not is_in(browser)


def test_a_disabled_user_is_out_at_once(ada: User) -> None:
    browser = browser_of(ada)
    assert is_in(browser)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert not is_in(browser)
    sign_in(browser)
    assert not is_in(browser)


def test_a_change_of_password_ends_other_browsers_and_their_leave(ada: User) -> None:
    browser = browser_of(ada)
    is_in(browser)
    record = SignIn.objects.get()
    ada.set_password("another one")
    ada.save(update_fields=["password"])
    assert selectors.live_sign_ins([record.pk]) == {}
    assert not is_in(browser)


def test_the_browser_in_which_the_password_was_changed_goes_on(operator: User) -> None:
    browser = browser_of(operator)
    is_in(browser)
    before = SignIn.objects.get()
    response = browser.post(
        reverse("admin:auth_user_password_change", args=[operator.pk]),
        {"usable_password": "true", "password1": "n3w-Secret!", "password2": "n3w-Secret!"},
    )
    assert response.status_code == 302
    operator.refresh_from_db()
    assert operator.check_password("n3w-Secret!")
    assert is_in(browser)
    now = SignIn.objects.live().get()
    assert now != before
    assert selectors.live_sign_ins([before.pk, now.pk]) == {now.pk: operator.pk}


def test_a_browser_is_stamped_at_most_once_a_minute(ada: User) -> None:
    browser = browser_of(ada)
    is_in(browser)
    first = SignIn.objects.get().last_seen_at
    is_in(browser)
    assert SignIn.objects.get().last_seen_at == first
    SignIn.objects.update(last_seen_at=timezone.now() - timedelta(seconds=61))
    is_in(browser)
    assert SignIn.objects.get().last_seen_at > first


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "wrong"), ("nobody", "x"), ("", ""), ("a\0", "x"), ("x" * 10_000, "x")],
)
def test_a_wrong_password_is_told_on_the_page(ada: User, name: str, password: str) -> None:
    browser = Client()
    assert sign_in(browser, name, password).status_code == 200
    assert not is_in(browser)
    assert not SignIn.objects.exists()


def test_too_many_wrong_passwords_are_refused_for_a_while(ada: User) -> None:
    browser = Client()
    told = [sign_in(browser, password="wrong").status_code for _ in range(10)]
    assert told == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    response = sign_in(browser)
    assert response.status_code == 429
    assert "Try again in 5 minutes" in response.content.decode()
    assert not is_in(browser)


@pytest.mark.parametrize(
    ("following", "lands"),
    [
        ("/account", "/account"),
        ("/sessions/new?x=1", "/sessions/new?x=1"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-in", "/"),
    ],
)
def test_signing_in_leads_to_a_page_of_ours(ada: User, following: str, lands: str) -> None:
    assert sign_in(Client(), next=following)["Location"] == lands
    assert browser_of(ada).get("/sign-in", {"next": following})["Location"] == lands


@pytest.mark.parametrize("url", ["/", "/account", "/sessions/new", "/admin/"])
def test_nobody_is_sent_to_sign_in_and_back(url: str) -> None:
    response = Client().get(url, follow=True)
    page, status = response.redirect_chain[-1]
    assert status == 302
    assert page.startswith("/sign-in?next=")


def test_a_token_made_on_the_page_is_shown_once(ada: User) -> None:
    browser = browser_of(ada)
    response = browser.post("/account/tokens/new", {"name": "ci", "scopes": ["read"], "days": "7"})
    token = ApiToken.objects.get()
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert "subnb_" in response.content.decode()
    shown = response.context["made"].secret
    assert shown in response.content.decode()
    assert shown not in browser.get("/account").content.decode()
    assert (token.user, token.name, token.scopes) == (ada, "ci", ["read"])
    assert (token.expires_at - token.created_at).days in {6, 7}


def test_a_token_without_a_name_is_refused_on_the_page(ada: User) -> None:
    response = browser_of(ada).post(
        "/account/tokens/new", {"name": " ", "scopes": ["read"], "days": "7"}
    )
    assert response.status_code == 400
    assert "A name is needed." in response.content.decode()
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_on_the_page(ada: User, mallory: User) -> None:
    token = ApiToken.objects.create(
        user=ada, name="ci", scopes=["read"], expires_at=timezone.now(), digest="x"
    )
    url = reverse("token-revoke", args=[token.pk])
    assert browser_of(mallory).post(url).status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None
    assert browser_of(ada).post(url).status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"scopes": []}, "Choose one at least."),
        ({"scopes": ["all"]}, "The scopes are read, launch"),
        ({"scopes": ["read", "admin"]}, "Operators alone give it."),
        ({"days": "3650"}, "A token lasts 1 to 365 days."),
        ({"days": "-1"}, "A token lasts 1 to 365 days."),
    ],
)
def test_a_choice_at_fault_is_told_on_the_page_and_the_rest_kept(
    ada: User, given: dict[str, object], told: str
) -> None:
    form = {"name": "ci", "scopes": ["read"], "days": "7", **given}
    response = browser_of(ada).post("/account/tokens/new", form)
    assert response.status_code in {400, 403}
    assert told in response.text
    assert 'value="ci"' in response.text
    assert not ApiToken.objects.exists()


def test_the_page_proposes_little_and_offers_nobody_more_than_they_have(
    ada: User, operator: User
) -> None:
    page = browser_of(ada).get("/account/tokens/new").text
    offered = dict(re.findall(r'name="scopes"\s+value="(\w+)"\s+autocomplete="off"\s+(\w*)', page))
    assert offered == {"read": "checked", "launch": "checked", "access": "checked", "manage": ""}
    assert 'value="admin"' in browser_of(operator).get("/account/tokens/new").text


def test_all_tokens_are_revoked_on_the_page(ada: User, mallory: User) -> None:
    mine = [create_token(user=ada, name="ci") for _ in range(2)]
    other = create_token(user=mallory, name="ci")
    browser = browser_of(ada)
    assert "Revoke all" in browser.get("/account").text
    assert "from now on" in browser.get("/account/tokens/revoke-all").text
    assert [find_token(each.secret) for each in mine] == [each.record for each in mine]
    browser.post("/account/tokens/revoke-all")
    assert [find_token(each.secret) for each in mine] == [None, None]
    assert find_token(other.secret) == other.record


def test_a_sign_in_lasts_as_long_as_the_browsers_session(ada: User) -> None:
    browser = browser_of(ada)
    assert is_in(browser)
    age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    SignIn.objects.update(created_at=timezone.now() - age)
    assert not SignIn.objects.live().exists()
    assert not is_in(browser)
