"""The admin of people: tokens and sign-ins are ended by those who may, and never read."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import ApiToken, SignIn, User
from accounts.services import create_token
from tests.conftest import browser_of
from tests.factories import SessionFactory, UserFactory

pytestmark = pytest.mark.django_db

TOKENS = "/admin/accounts/apitoken/"
SIGN_INS = "/admin/accounts/signin/"
USERS = "/admin/accounts/user/"


def staff_with(*rights: str) -> Client:
    person = UserFactory.create(username="sam", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return browser_of(person)


def act(browser: Client, url: str, action: str, pk: object) -> None:
    browser.post(url, {"action": action, "_selected_action": [str(pk)]})


@pytest.fixture
def token(ada: User) -> ApiToken:
    return create_token(user=ada, name="ci").record


@pytest.fixture
def sign_in(ada: User) -> SignIn:
    return SignIn.objects.create(user=ada, auth_hash=ada.get_session_auth_hash())


def test_an_operator_revokes_a_token(operator: User, token: ApiToken) -> None:
    act(browser_of(operator), TOKENS, "revoke", token.pk)
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_an_operator_ends_a_sign_in(operator: User, sign_in: SignIn) -> None:
    act(browser_of(operator), SIGN_INS, "end", sign_in.pk)
    sign_in.refresh_from_db()
    assert sign_in.ended_at is not None


def test_an_operator_revokes_all_tokens_of_someone(
    operator: User, ada: User, mallory: User, token: ApiToken
) -> None:
    other = create_token(user=mallory, name="his").record
    act(browser_of(operator), USERS, "revoke_tokens", ada.pk)
    token.refresh_from_db()
    other.refresh_from_db()
    assert token.revoked_at is not None
    assert other.revoked_at is None


def test_the_list_of_tokens_says_what_they_may(operator: User, token: ApiToken) -> None:
    page = browser_of(operator).get(TOKENS).text
    assert "read, launch, access" in page


def test_an_operator_signs_someone_out_everywhere(
    operator: User, ada: User, sign_in: SignIn
) -> None:
    browser = browser_of(operator)
    act(browser, USERS, "sign_out", ada.pk)
    sign_in.refresh_from_db()
    assert sign_in.ended_at is not None
    assert browser.get("/account").status_code == 200


def test_staff_who_may_look_may_not_end(token: ApiToken, sign_in: SignIn, ada: User) -> None:
    browser = staff_with("view_apitoken", "view_signin", "view_user", "change_apitoken")
    act(browser, TOKENS, "revoke", token.pk)
    act(browser, SIGN_INS, "end", sign_in.pk)
    act(browser, USERS, "sign_out", ada.pk)
    token.refresh_from_db()
    sign_in.refresh_from_db()
    assert (token.revoked_at, sign_in.ended_at) == (None, None)


def test_staff_with_the_right_may_end(token: ApiToken, sign_in: SignIn) -> None:
    browser = staff_with("view_apitoken", "delete_apitoken", "view_signin", "delete_signin")
    act(browser, TOKENS, "revoke", token.pk)
    act(browser, SIGN_INS, "end", sign_in.pk)
    token.refresh_from_db()
    sign_in.refresh_from_db()
    assert None not in (token.revoked_at, sign_in.ended_at)


@pytest.mark.parametrize(
    "page", ["{tokens}", "{tokens}{token}/change/", "{sign_ins}{sign_in}/change/"]
)
def test_no_hash_is_shown(operator: User, token: ApiToken, sign_in: SignIn, page: str) -> None:
    url = page.format(tokens=TOKENS, token=token.pk, sign_ins=SIGN_INS, sign_in=sign_in.pk)
    content = browser_of(operator).get(url).content.decode()
    assert token.digest not in content
    assert sign_in.auth_hash not in content


def test_a_person_with_sessions_is_not_deleted(operator: User, ada: User) -> None:
    SessionFactory.create(owner=ada)
    response = browser_of(operator).post(f"{USERS}{ada.pk}/delete/", {"post": "yes"})
    assert response.status_code in {200, 403}
    assert User.objects.filter(pk=ada.pk).exists()


def test_disabling_a_person_shuts_their_programs_and_browsers_out(
    ada: User, token: ApiToken, sign_in: SignIn
) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert not ApiToken.objects.live().exists()
    assert not SignIn.objects.live().exists()


def test_the_cost_of_the_list_of_people_does_not_grow(
    operator: User, django_assert_num_queries
) -> None:
    browser = browser_of(operator)
    browser.get(USERS)
    with django_assert_num_queries(USER_QUERIES):
        browser.get(USERS)
    for _ in range(10):
        SessionFactory.create()
    with django_assert_num_queries(USER_QUERIES):
        browser.get(USERS)


USER_QUERIES = 10


def test_staff_without_all_rights_cannot_give_rights(ada: User) -> None:
    browser = staff_with("view_user", "change_user")

    page = browser.get(f"{USERS}{ada.pk}/change/")
    browser.post(
        f"{USERS}{ada.pk}/change/",
        {
            "username": "ada",
            "first_name": "Ada",
            "is_active": "on",
            "is_staff": "on",
            "is_superuser": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00",
        },
    )

    ada.refresh_from_db()
    assert page.status_code == 200
    assert (ada.first_name, ada.is_staff, ada.is_superuser) == ("Ada", False, False)


@pytest.mark.parametrize("page", ["change", "password", "delete"])
def test_staff_without_all_rights_cannot_reach_other_staff(operator: User, page: str) -> None:
    browser = staff_with("view_user", "change_user", "delete_user")
    address = f"{USERS}{operator.pk}/{page}/"

    browser.post(address, {"post": "yes", "password1": "taken-over-1", "password2": "taken-over-1"})

    operator.refresh_from_db()
    assert not operator.check_password("taken-over-1")


def test_staff_without_all_rights_cannot_sign_other_staff_out(
    operator: User, sign_in: SignIn
) -> None:
    theirs = SignIn.objects.create(user=operator, auth_hash="")
    browser = staff_with("view_user", "change_user")

    people = [str(operator.pk), str(sign_in.user_id)]
    browser.post(USERS, {"action": "sign_out", "_selected_action": people})

    theirs.refresh_from_db()
    sign_in.refresh_from_db()
    assert (theirs.ended_at is None, sign_in.ended_at is None) == (True, False)


def test_staff_without_all_rights_cannot_give_a_group_rights() -> None:
    group = Group.objects.create(name="lab")
    browser = staff_with("view_group", "change_group")
    right = Permission.objects.get(codename="delete_user")

    browser.post(
        f"/admin/auth/group/{group.pk}/change/", {"name": "team", "permissions": [right.pk]}
    )

    group.refresh_from_db()
    assert (group.name, list(group.permissions.all())) == ("team", [])


@pytest.mark.usefixtures("token", "sign_in")
def test_a_person_without_sessions_is_deleted_with_tokens_and_sign_ins(
    operator: User, ada: User
) -> None:
    response = browser_of(operator).post(f"{USERS}{ada.pk}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert not User.objects.filter(pk=ada.pk).exists()
