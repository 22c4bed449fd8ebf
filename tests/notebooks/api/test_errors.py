"""Whatever goes wrong under /api/ is told as JSON, in one form."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.models import User
from notebooks.models import NotebookSession
from submarine_site import urls
from submarine_site.core.responses import NOT_FOUND
from tests.conftest import api_of

pytestmark = pytest.mark.django_db

SESSIONS = "/api/v2/sessions"


class Failing(APIView):
    permission_classes = []

    def get(self, request: Request, what: str) -> Response:
        raise {
            "fault": RuntimeError("secret detail"),
            "database": OperationalError("secret detail"),
            "denied": PermissionDenied("secret detail"),
            "throttled": Throttled(wait=7),
        }[what]


def failing_page(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret detail")


urlpatterns = [
    path("api/v2/failing/<what>", Failing.as_view()),
    path("api/v2/plain", failing_page),
    *urls.urlpatterns,
]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500


@pytest.fixture
def failing(api: APIClient, settings) -> APIClient:
    settings.ROOT_URLCONF = __name__
    api.raise_request_exception = False
    return api


@pytest.mark.parametrize(
    "url",
    [
        "/api/",
        "/api/v3/sessions",
        "/api/v2/none",
        f"{SESSIONS}/17",
        f"{SESSIONS}/00000000-0000-0000-0000-00000000000g",
        f"{SESSIONS}/00000000-0000-0000-0000-000000000000",
        f"{SESSIONS}/00000000-0000-0000-0000-000000000000/none",
        "/api/v2/profiles/none",
        "/api/v2/profiles/A%00",
    ],
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_what_is_not_there(ada: User, url: str, *, signed_in: bool) -> None:
    response = api_of(ada if signed_in else None).get(url)
    if response.status_code == 401:
        assert not signed_in
        assert response.json()["code"] == "not_authenticated"
        return
    assert response.status_code == 404
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"code": "not_found", "message": NOT_FOUND}


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("put", SESSIONS),
        ("delete", SESSIONS),
        ("put", f"{SESSIONS}/00000000-0000-0000-0000-000000000000"),
        ("get", f"{SESSIONS}/00000000-0000-0000-0000-000000000000/start"),
        ("post", "/api/v2/me"),
        ("post", "/api/v2/profiles"),
    ],
)
def test_a_method_that_is_not_there(api: APIClient, method: str, url: str) -> None:
    response = getattr(api, method)(url)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_a_form_of_answer_that_is_not_there(api: APIClient) -> None:
    response = api.get(SESSIONS, headers={"Accept": "text/csv"})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("failing/fault", 500, "internal"),
        ("plain", 500, "internal"),
        ("failing/database", 503, "busy"),
        ("failing/denied", 403, "forbidden"),
        ("failing/throttled", 429, "throttled"),
    ],
)
def test_a_fault_is_told_without_its_detail(
    failing: APIClient, url: str, status: int, code: str
) -> None:
    response = failing.get(f"/api/v2/{url}")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert set(response.json()) == {"code", "message"}
    assert "secret" not in response.content.decode()


def test_a_busy_database_says_when_to_come_again(failing: APIClient) -> None:
    assert failing.get("/api/v2/failing/database")["Retry-After"] == "5"


def test_a_strange_host_is_refused(api: APIClient) -> None:
    response = api.get(SESSIONS, headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_a_write_by_a_browser_needs_its_csrf_token(ada: User, requested: NotebookSession) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    response = browser.post(f"{SESSIONS}/{requested.pk}/stop", content_type="application/json")
    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"
    assert "CSRF" in response.json()["message"]
    requested.refresh_from_db()
    assert requested.status == "requested"


def test_a_browser_with_its_csrf_token_may_write(ada: User, requested: NotebookSession) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    browser.cookies["csrftoken"] = "a" * 32
    response = browser.post(
        f"{SESSIONS}/{requested.pk}/stop",
        content_type="application/json",
        headers={"X-CSRFToken": "a" * 32},
    )
    assert response.status_code == 202


@pytest.mark.parametrize("url", ["", "/sessions", "/sessions/{}", "/me", "/tokens", "/profiles"])
def test_people_may_look_at_the_api_in_a_browser(
    ada: User, requested: NotebookSession, url: str, settings
) -> None:
    browser = Client()
    browser.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    response = browser.get(f"/api/v2{url}/".format(requested.pk), headers={"Accept": "text/html"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
