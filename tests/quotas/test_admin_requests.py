"""Requests for more in the admin: the open ones first, decided against what there is."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from notebooks.states import SessionStatus as S
from quotas.models import Limit, QuotaRequest
from tests.conftest import browser_of
from tests.factories import LimitFactory, SessionFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/quotas/quotarequest/"


@pytest.fixture
def request_of_ada(ada: User) -> QuotaRequest:
    LimitFactory.create(resource="memory_mib", amount=8192)
    return QuotaRequest.objects.create(
        user=ada, resource="memory_mib", amount=65536, why="A big join."
    )


def decide(admin: Client, asked: QuotaRequest, verb: str, **given: str):
    return admin.post(f"{LIST}{asked.pk}/change/", {verb: "yes", **given})


def state(asked: QuotaRequest) -> str:
    asked.refresh_from_db()
    return asked.state


def test_open_requests_stand_first_and_are_counted(
    admin: Client, request_of_ada: QuotaRequest, mallory: User
) -> None:
    decided = QuotaRequest.objects.create(
        user=mallory, resource="sessions", amount=9, why="More.", state="refused"
    )
    page = admin.get(LIST)
    assert list(page.context["cl"].result_list) == [request_of_ada, decided]
    items = [item for group in page.context["sidebar_navigation"] for item in group["items"]]
    [badge] = [item["badge_callback"] for item in items if item["title"] == "Requests"]
    assert str(badge) == "1"


def test_a_request_is_shown_against_what_there_is(
    admin: Client, ada: User, request_of_ada: QuotaRequest
) -> None:
    SessionFactory.create(owner=ada, name="thesis", status=S.RUNNING)
    page = admin.get(f"{LIST}{request_of_ada.pk}/change/")
    text = page.content.decode()
    assert "ada asks for 64 GiB" in text
    assert "2 of 8 GiB" in text
    assert "A big join." in text
    assert "thesis" in text
    assert page.context["form"]["amount"].value() == "64 GiB"


def test_granting_sets_the_limit_as_the_operator_says(
    admin: Client, olga: User, ada: User, request_of_ada: QuotaRequest
) -> None:
    until = (timezone.now() + timedelta(days=9)).replace(second=0, microsecond=0)
    response = decide(
        admin,
        request_of_ada,
        "_grant",
        amount="32 GiB",
        until_0=f"{until:%Y-%m-%d}",
        until_1=f"{until:%H:%M}",
        word="Half for now.",
    )
    assert response.status_code == 302
    assert state(request_of_ada) == "granted"
    assert (request_of_ada.decided_by, request_of_ada.word) == (olga, "Half for now.")
    limit = Limit.objects.get(scope="user")
    assert (limit.scope, limit.user, limit.resource, limit.amount, limit.expires_at) == (
        "user",
        ada,
        "memory_mib",
        32768,
        until,
    )
    assert limit.set_by == olga


def test_refusing_sets_nothing(admin: Client, olga: User, request_of_ada: QuotaRequest) -> None:
    decide(admin, request_of_ada, "_refuse", amount="what", word="No room.")
    assert state(request_of_ada) == "refused"
    assert (request_of_ada.decided_by, request_of_ada.word) == (olga, "No room.")
    assert not Limit.objects.filter(scope="user").exists()


def test_a_refusal_says_why(admin: Client, request_of_ada: QuotaRequest) -> None:
    page = decide(admin, request_of_ada, "_refuse")
    assert page.context["form"].errors["word"] == ["Say why: the user is told."]
    assert state(request_of_ada) == "open"


@pytest.mark.parametrize("amount", ["-1", "10G", "NaN", "1e400", "", "unlimited", "1 GiB"])
def test_a_wrong_amount_decides_nothing(
    admin: Client, request_of_ada: QuotaRequest, amount: str
) -> None:
    page = decide(admin, request_of_ada, "_grant", amount=amount)
    assert set(page.context["form"].errors) == {"amount"}
    assert (state(request_of_ada), Limit.objects.count()) == ("open", 1)


def test_a_request_is_decided_once(admin: Client, request_of_ada: QuotaRequest) -> None:
    decide(admin, request_of_ada, "_refuse", word="No.")
    page = decide(admin, request_of_ada, "_grant", amount="64 GiB")
    assert page.status_code == 200
    assert (state(request_of_ada), Limit.objects.count()) == ("refused", 1)
    assert 'name="_grant"' not in page.content.decode()


def test_who_may_only_look_decides_nothing(request_of_ada: QuotaRequest) -> None:
    staff = UserFactory.create(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_quotarequest"))
    browser = browser_of(staff)
    page = browser.get(f"{LIST}{request_of_ada.pk}/change/")
    assert (page.status_code, 'name="_grant"' in page.content.decode()) == (200, False)
    assert decide(browser, request_of_ada, "_grant", amount="1 GiB").status_code == 403
    assert state(request_of_ada) == "open"
    nobody = browser_of(UserFactory.create(is_staff=True))
    assert nobody.get(f"{LIST}{request_of_ada.pk}/change/").status_code == 403


@pytest.mark.parametrize("pk", ["x", "00000000-0000-0000-0000-000000000000"])
def test_a_request_that_is_not_there_is_not_found(admin: Client, pk: str) -> None:
    assert admin.get(f"{LIST}{pk}/change/").status_code == 404
