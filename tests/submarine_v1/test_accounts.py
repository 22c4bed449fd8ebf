"""Signing in as Submarine's clients do, and what they are told of themselves."""

import hashlib
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from accounts.services import MAX_TOKENS, create_token
from tests.factories import PASSWORD, UserFactory
from tests.submarine_v1.conftest import NOTEBOOK, refused, result_of

pytestmark = pytest.mark.django_db

TOKEN, LOGIN, LOGOUT = "/api/auth/token", "/api/auth/login", "/api/auth/logout"
INFO = "/api/sys/user/info"
UNKNOWN = "User Not Found. Please try again!"


def sign_in(path: str, name: str = "ada", password: str = PASSWORD):
    return APIClient().post(path, {"username": name, "password": password}, format="json")


def with_token(token: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_token_is_an_ordinary_one_that_ends_soon(ada: User, slash: str) -> None:
    token = result_of(sign_in(TOKEN + slash))
    assert isinstance(token, str)
    record = ApiToken.objects.get()
    assert (record.user, record.name) == (ada, "Submarine client")
    assert record.expires_at - timezone.now() <= timedelta(days=1)
    assert token not in {record.digest, record.hint}
    assert with_token(token).get(NOTEBOOK).status_code == 200
    assert with_token(token).get("/api/v2/me").json()["username"] == "ada"
    record.revoked_at = timezone.now()
    record.save()
    assert refused(with_token(token).get(NOTEBOOK), 401, "UNAUTHORIZED")


def test_login_tells_who_it_is_and_the_token(ada: User) -> None:
    told = result_of(sign_in(LOGIN))
    token = told.pop("token")
    assert with_token(token).get(NOTEBOOK).status_code == 200
    assert (told["id"], told["userName"], told["password"]) == (str(ada.pk), "ada", "******")


def test_an_md5_lets_nobody_in_and_is_told_what_does(ada: User) -> None:
    md5 = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest()
    said = refused(sign_in(LOGIN, password=md5), 401, "UNAUTHORIZED")
    assert said == f"{UNKNOWN} Send the password itself: an MD5 of it lets nobody in here."
    assert refused(sign_in(LOGIN, "nobody", md5), 401, "UNAUTHORIZED") == said


@pytest.mark.parametrize("path", [TOKEN, LOGIN])
@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("a" * 200, PASSWORD)]
)
def test_who_is_not_let_in_learns_nothing(ada: User, path: str, name: str, password: str) -> None:
    assert refused(sign_in(path, name, password), 401, "UNAUTHORIZED") == UNKNOWN
    assert not ApiToken.objects.exists()


def test_who_is_switched_off_is_not_let_in(ada: User) -> None:
    User.objects.update(is_active=False)
    assert refused(sign_in(TOKEN), 401, "UNAUTHORIZED") == UNKNOWN


def test_guessing_is_throttled_together_with_the_page(ada: User) -> None:
    for path in [TOKEN, LOGIN] * (settings.AXES_FAILURE_LIMIT // 2 - 1):
        refused(sign_in(path, password="wrong"), 401, "UNAUTHORIZED")
    sign_in(TOKEN, password="wrong")
    last = sign_in(LOGIN, password="wrong")
    said = refused(last, 429, "TOO_MANY_REQUESTS")
    assert said == "Too many wrong passwords. Try again in 5 minutes."
    # Submarine's clients would sleep that long instead of telling it.
    assert "Retry-After" not in last
    assert refused(sign_in(TOKEN), 429, "TOO_MANY_REQUESTS")
    page = Client().post("/sign-in", {"username": "ada", "password": PASSWORD})
    assert page.status_code == 429


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        "ada",
        {"username": "ada"},
        {"username": None, "password": None},
        {"username": {}, "password": []},
        {"username": "a\0", "password": PASSWORD},
    ],
)
def test_what_is_no_sign_in_is_told_so(ada: User, body: object) -> None:
    refused(APIClient().post(TOKEN, body, format="json"), 400, "BAD_REQUEST")
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
def test_a_password_of_digits_needs_no_quotes(kind: str) -> None:
    digits = "1234567890123450"
    UserFactory.create(username="77", password=digits)
    for password, status in ((digits, 200), (f"{digits}.0", 401)):
        body = f'{{"username": 77, "password": {password}, "more": 1}}'
        assert APIClient().post(TOKEN, body, content_type=kind).status_code == status


def test_there_is_an_end_to_tokens(ada: User) -> None:
    for _ in range(MAX_TOKENS):
        create_token(user=ada, name="one")
    said = refused(sign_in(TOKEN), 409, "CONFLICT")
    assert said.startswith(f"You have {MAX_TOKENS} API tokens.")


def test_logging_out_ends_the_token(ada: User) -> None:
    token, other = result_of(sign_in(TOKEN)), result_of(sign_in(TOKEN))
    assert result_of(with_token(token).post(LOGOUT)) is True
    assert refused(with_token(token).get(NOTEBOOK), 401, "UNAUTHORIZED")
    assert with_token(other).get(NOTEBOOK).status_code == 200


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer none"}])
def test_there_may_be_nothing_to_log_out_of(db: None, header: dict[str, str]) -> None:
    assert result_of(APIClient(headers=header).post(LOGOUT)) is True


def test_who_one_is(ada: User) -> None:
    ada.last_login = timezone.now()
    ada.save()
    told = result_of(with_token(result_of(sign_in(TOKEN))).get(INFO))
    assert list(told) == [
        *("id", "name", "username", "password", "avatar", "status", "telephone"),
        *("lastLoginIp", "lastLoginTime", "creatorId", "createTime", "merchantCode"),
        *("deleted", "roleId", "role"),
    ]
    assert (told["id"], told["username"], told["password"]) == (str(ada.pk), "ada", "******")
    assert told["role"]["id"] == told["roleId"] == "user"


def test_who_one_is_to_an_operator(operator: User) -> None:
    told = result_of(with_token(result_of(sign_in(LOGIN, "olga"))["token"]).get(INFO))
    assert told["roleId"] == "admin"


def test_nobody_is_told_who_they_are_without_a_token(ada: User) -> None:
    assert refused(APIClient().get(INFO), 401, "UNAUTHORIZED")
