"""Changing a password in the admin: what ends with it, and what it is protected by."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import ApiToken, User
from accounts.services import create_token, find_token
from audit.models import AuditEntry
from tests.conftest import browser_of
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

OWN = "/admin/password_change/"
NEW = "n3w-Secret!"
OFFER = "Revoke all API tokens"


def reset(browser: Client, user: User, **more: str):
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    given = {"usable_password": "true", "password1": NEW, "password2": NEW, **more}
    return browser.post(url, given)


def change(browser: Client, old: str = PASSWORD, new: str = NEW, **more: str):
    given = {"old_password": old, "new_password1": new, "new_password2": new, **more}
    return browser.post(OWN, given)


def told() -> list[tuple[str, str]]:
    entries = AuditEntry.objects.exclude(action="token.created").order_by("pk")
    return list(entries.values_list("action", "object_label"))


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.text).split())


@pytest.mark.parametrize("count", [0, 1, 2])
def test_both_pages_offer_to_revoke_tokens_and_say_how_many(operator: User, count: int) -> None:
    for number in range(count):
        create_token(user=operator, name=str(number))
    create_token(user=operator, name="ended").record.delete()
    browser = browser_of(operator)
    for url in (OWN, reverse("admin:auth_user_password_change", args=[operator.pk])):
        page = browser.get(url)
        assert OFFER in text_of(page)
        assert f"olga has {count} API token{'' if count == 1 else 's'}." in text_of(page)
        [box] = re.findall(r'<input[^>]*name="revoke_tokens"[^>]*>', page.text)
        assert 'type="checkbox"' in box
        assert not re.search(r"\schecked(?=[\s>])", box)


@pytest.mark.parametrize("revoked", [True, False])
def test_a_reset_revokes_the_users_tokens_if_it_is_told_to(
    operator: User, ada: User, mallory: User, *, revoked: bool
) -> None:
    hers = [create_token(user=ada, name=name) for name in ("one", "two")]
    others = [create_token(user=each, name="x") for each in (mallory, operator)]
    response = reset(browser_of(operator), ada, **({"revoke_tokens": "on"} if revoked else {}))
    assert response.status_code == 302
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert [find_token(each.secret) is None for each in hers] == [revoked] * 2
    assert [find_token(each.secret) == each.record for each in others] == [True] * 2
    revocations = [("token.revoked", "one"), ("token.revoked", "two")] if revoked else []
    assert sorted(told()) == sorted([*revocations, ("user.changed", "ada")])


@pytest.mark.parametrize("revoked", [True, False])
def test_a_change_of_ones_own_does_so_too(operator: User, ada: User, *, revoked: bool) -> None:
    mine, hers = create_token(user=operator, name="mine"), create_token(user=ada, name="hers")
    browser, elsewhere = browser_of(operator), browser_of(operator)
    assert elsewhere.get("/account").status_code == 200
    response = change(browser, **({"revoke_tokens": "on"} if revoked else {}))
    assert (response.status_code, response["Location"]) == (302, "/admin/password_change/done/")
    operator.refresh_from_db()
    assert operator.check_password(NEW)
    assert (find_token(mine.secret) is None) is revoked
    assert find_token(hers.secret) == hers.record
    # Other browsers are out; this one goes on.
    assert (browser.get("/account").status_code, elsewhere.get("/account").status_code) == (
        200,
        302,
    )
    assert ("user.changed", "olga") in told()
    entry = AuditEntry.objects.get(action="user.changed")
    assert (entry.before, entry.after) == ({"password": "(not kept)"},) * 2


@pytest.mark.parametrize(
    "more", [{"old": "wrong"}, {"new": "short"}, {"new_password2": "other-one!"}]
)
def test_what_is_refused_revokes_nothing(operator: User, more: dict[str, str]) -> None:
    create_token(user=operator, name="mine")
    assert change(browser_of(operator), revoke_tokens="on", **more).status_code == 200
    assert ApiToken.objects.live().count() == 1
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)
    assert told() == []


def test_guesses_at_the_old_password_are_counted_as_sign_ins_are(operator: User, settings) -> None:
    settings.SIGN_IN_FAILURES_PER_NETWORK = 3
    browser = browser_of(operator)
    answers = [change(browser, old=f"guess-{number}").status_code for number in range(4)]
    assert answers == [200, 200, 200, 429]
    refused = change(browser)
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 300
    assert "Too many failed sign-ins from your network address." in refused.text
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)
    assert Client().post("/sign-in", {"username": "x", "password": "x"}).status_code == 429
