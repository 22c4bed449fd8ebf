"""How a program says who it is, and what it is told when nobody knows it."""

from base64 import b64encode
from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.models import ApiToken, SignIn, User
from notebooks import tickets
from notebooks.models import NotebookSession
from notebooks.tickets import Credential
from tests.conftest import browser_of
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

ME = "/api/v2/me"


def client(header: str = "") -> APIClient:
    made = APIClient()
    if header:
        made.credentials(HTTP_AUTHORIZATION=header)
    return made


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def bearer(user: User) -> tuple[str, ApiToken]:
    made = services.create_token(user=user, name="ci")
    return f"Bearer {made.secret}", made.record


def assert_refused(response, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (401, code)
    # Not Basic: browsers would ask for the password and keep it.
    assert response["WWW-Authenticate"] == 'Bearer realm="submarine"'


def test_nobody_is_told_to_show_a_token() -> None:
    assert_refused(client().get(ME), "not_authenticated")


def test_a_token_lets_its_user_in(ada: User) -> None:
    header, _ = bearer(ada)
    assert client(header).get(ME).json() == {
        "username": "ada",
        "first_name": "",
        "last_name": "",
        "email": "",
        "is_operator": False,
        "scopes": ["read", "launch", "access"],
    }


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "bearer subnb_",
        "Bearer subnb_" + "A" * 43,
        "Bearer subnb_é",
        "Bearer subnb_\t",
        "Bearer " + "subnb_" * 10_000,
    ],
    ids=["none", "blank", "short", "prefix", "forged", "not ASCII", "tab", "long"],
)
def test_a_forged_token_is_refused(ada: User, header: str) -> None:
    bearer(ada)
    assert_refused(client(header).get(ME), "bad_token")


def test_a_token_that_was_revoked_is_refused(ada: User) -> None:
    header, token = bearer(ada)
    services.revoke_token(token=token)
    assert_refused(client(header).get(ME), "bad_token")


def test_a_token_that_has_expired_is_refused(ada: User) -> None:
    header, token = bearer(ada)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert_refused(client(header).get(ME), "bad_token")


def test_a_token_of_a_disabled_user_is_refused(ada: User) -> None:
    header, _ = bearer(ada)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert_refused(client(header).get(ME), "bad_token")


def test_a_bad_token_is_not_made_good_by_a_browser(ada: User) -> None:
    browser = browser_of(ada)
    assert_refused(browser.get(ME, headers={"Authorization": "Bearer x"}), "bad_token")


def test_name_and_password_let_in(ada: User) -> None:
    assert client(basic("ada", PASSWORD)).get(ME).status_code == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("a\0da", PASSWORD),
        ("ada\0", PASSWORD),
        ("ada", "\0"),
        ("x" * 10_000, PASSWORD),
    ],
)
def test_a_wrong_name_or_password_is_refused(ada: User, name: str, password: str) -> None:
    assert_refused(client(basic(name, password)).get(ME), "bad_credentials")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Basic a b"])
def test_what_is_no_name_and_password_is_refused(header: str) -> None:
    assert_refused(client(header).get(ME), "authentication_failed")


def test_a_disabled_user_is_told_no_more_than_a_stranger(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert_refused(client(basic("ada", PASSWORD)).get(ME), "bad_credentials")


def test_too_many_wrong_passwords_are_refused_for_a_while(ada: User, mallory: User) -> None:
    guesser = client(basic("ada", "wrong"))
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        assert_refused(guesser.get(ME), "bad_credentials")
    response = guesser.get(ME)
    assert response.status_code == 429
    assert response["Retry-After"] == "300"
    assert response.json() == {
        "code": "too_many_attempts",
        "message": "Too many wrong passwords. Try again in 5 minutes.",
    }
    assert client(basic("ada", PASSWORD)).get(ME).status_code == 429
    assert client(basic("mallory", PASSWORD)).get(ME).status_code == 200
    assert client(bearer(ada)[0]).get(ME).status_code == 200


def test_guesses_on_the_page_count_for_the_api(ada: User) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        Client().post("/sign-in", {"username": "ada", "password": "wrong"})
    assert client(basic("ada", PASSWORD)).get(ME).status_code == 429


def entered_by(response) -> tuple[Credential, object, int]:
    """The credential that the opened way in hangs on, and whose it is."""
    assert response.status_code == 200
    url = response.json()["url"]
    session_id = url.partition("/session/")[2].partition("/")[0]
    code = url.partition("code=")[2].partition("&")[0]
    issued = tickets.redeem_code(UUID(session_id), code)
    assert issued is not None
    return issued.leave.credential, issued.leave.credential_id, issued.leave.user_id


def test_a_way_in_hangs_on_the_token_that_asked(ada: User, running: NotebookSession) -> None:
    header, token = bearer(ada)
    response = client(header).post(f"/api/v2/sessions/{running.pk}/open")
    assert entered_by(response) == (Credential.TOKEN, token.pk, ada.pk)


def test_a_way_in_hangs_on_the_browser_that_asked(ada: User, running: NotebookSession) -> None:
    response = browser_of(ada).post(
        f"/api/v2/sessions/{running.pk}/open", content_type="application/json"
    )
    assert entered_by(response) == (Credential.SIGN_IN, SignIn.objects.get().pk, ada.pk)


def test_a_way_in_never_hangs_on_the_sign_in_of_another(
    mallory: User, running: NotebookSession
) -> None:
    browser = browser_of(mallory)
    response = browser.post(
        f"/api/v2/sessions/{running.pk}/open",
        content_type="application/json",
        headers={"Authorization": basic("ada", PASSWORD)},
    )
    assert (response.status_code, response.json()["code"]) == (403, "token_needed")
