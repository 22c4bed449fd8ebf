"""Whatever happens under Submarine's API, it is told in the envelope and never as a success."""

import json

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

from accounts.models import User
from notebooks.models import NotebookSession
from submarine_site import urls
from submarine_v1.base import V1View
from tests.conftest import browser_of
from tests.submarine_v1.conftest import ENVIRONMENT, NOTEBOOK, refused

pytestmark = pytest.mark.django_db


class Failing(V1View):
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
    path("api/v1/failing/<what>", Failing.as_view()),
    path("api/v1/plain", failing_page),
    *urls.urlpatterns,
]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500


@pytest.mark.parametrize(
    ("what", "status", "name"),
    [
        ("failing/fault", 500, "INTERNAL_SERVER_ERROR"),
        ("plain", 500, "INTERNAL_SERVER_ERROR"),
        ("failing/database", 503, "SERVICE_UNAVAILABLE"),
        ("failing/denied", 403, "FORBIDDEN"),
        ("failing/throttled", 429, "TOO_MANY_REQUESTS"),
    ],
)
def test_a_fault_is_told_without_its_detail(
    client: APIClient, settings, what: str, status: int, name: str
) -> None:
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False
    response = client.get(f"/api/v1/{what}")
    assert "secret" not in refused(response, status, name)
    # Submarine's clients sleep as long as it says, three times, and then do not show the message.
    assert "Retry-After" not in response


@pytest.mark.parametrize(
    "url",
    [
        *("/api/v1", "/api/v1/", "/api/v1/none", "/api/v1/experiment", "/api/v1//notebook"),
        *(f"{NOTEBOOK}/a/b", f"{ENVIRONMENT}/a/b", "/api/auth", "/api/auth/none"),
        *("/api/sys/user", "/api/sys/user/none"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"])
def test_a_route_that_is_not_there(client: APIClient, url: str, method: str) -> None:
    response = client.generic(method, url, "", content_type="application/json")
    refused(response, 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("url", "methods"),
    [
        (NOTEBOOK, "PUT PATCH DELETE OPTIONS"),
        (f"{NOTEBOOK}/notebook_1_0001", "POST PUT PATCH OPTIONS"),
        (f"{NOTEBOOK}/ping", "POST PUT PATCH DELETE OPTIONS"),
        (ENVIRONMENT, "PUT PATCH DELETE OPTIONS"),
        (f"{ENVIRONMENT}/a", "POST PUT OPTIONS"),
        ("/api/auth/token", "GET PUT PATCH DELETE OPTIONS"),
        ("/api/auth/login", "GET PUT PATCH DELETE OPTIONS"),
        ("/api/auth/logout", "GET PUT PATCH DELETE OPTIONS"),
        ("/api/sys/user/info", "POST PUT PATCH DELETE OPTIONS"),
    ],
)
def test_a_method_that_is_not_there(client: APIClient, url: str, methods: str) -> None:
    for method in methods.split():
        for slash in ("", "/"):
            refused(client.generic(method, url + slash), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "accept", ["text/html", "image/png", "*/*", "application/json; charset=utf-8", "x"]
)
def test_json_is_the_answer_whatever_is_asked_for(client: APIClient, accept: str) -> None:
    response = client.get(f"{NOTEBOOK}/ping?format=html", headers={"Accept": accept})
    assert (response.status_code, response["Content-Type"]) == (
        200,
        "application/json; charset=utf-8",
    )


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Bearer subnb_x", "Bearer subrun_x", "Bearer ü", "Basic YTpi", "x"],
)
@pytest.mark.parametrize("agent", ["OpenAPI-Generator/0.8.0/python", "curl"])
def test_who_shows_nothing_is_nobody(db: None, header: str, agent: str) -> None:
    response = APIClient(headers={"Authorization": header, "User-Agent": agent}).get(NOTEBOOK)
    refused(response, 401, "UNAUTHORIZED")
    assert response["WWW-Authenticate"] == 'Bearer realm="submarine"'


def test_a_browsers_cookie_is_no_credential(ada: User) -> None:
    refused(browser_of(ada).get(NOTEBOOK), 401, "UNAUTHORIZED")


def test_a_strange_host_is_refused(client: APIClient) -> None:
    refused(client.get(NOTEBOOK, headers={"Host": "evil.example"}), 400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("kind", "body", "status", "name"),
    [
        ("application/json", "", 400, "BAD_REQUEST"),
        ("application/json", "null", 400, "BAD_REQUEST"),
        ("application/json", "{}", 400, "BAD_REQUEST"),
        ("application/json", "[]", 400, "BAD_REQUEST"),
        ("application/json", "[1]", 400, "BAD_REQUEST"),
        ("application/json", "17", 400, "BAD_REQUEST"),
        ("application/json", '"text"', 400, "BAD_REQUEST"),
        ("application/json", "true", 400, "BAD_REQUEST"),
        ("application/json", "{", 400, "BAD_REQUEST"),
        ("application/json", "\xff", 400, "BAD_REQUEST"),
        ("application/json", '{"a": NaN}', 400, "BAD_REQUEST"),
        ("application/json", "[" * 100_000, 400, "BAD_REQUEST"),
        ("application/json", '{"meta":' * 900 + "1" + "}" * 900, 400, "BAD_REQUEST"),
        ("application/json", '{"meta": null, "environment": null}', 400, "BAD_REQUEST"),
        ("application/yaml", "", 400, "BAD_REQUEST"),
        ("application/yaml", "a: [", 400, "BAD_REQUEST"),
        ("application/yaml", "- a\n- b", 400, "BAD_REQUEST"),
        ("application/yaml", "a: &x 1\nb: 2", 400, "BAD_REQUEST"),
        ("application/yaml", "a: &x [1]\nb: [*x, *x]", 400, "BAD_REQUEST"),
        ("application/yaml", "<<: *x", 400, "BAD_REQUEST"),
        ("application/yaml", "a: !!python/object/apply:os.system [id]", 400, "BAD_REQUEST"),
        ("application/yaml", "a: !!str 1", 400, "BAD_REQUEST"),
        ("application/yaml", "a: 2020-99-99", 400, "BAD_REQUEST"),
        ("application/yaml", "? [a, b]\n: 1", 400, "BAD_REQUEST"),
        ("application/yaml", "[" * 1000, 400, "BAD_REQUEST"),
        ("application/yaml", "a: b\n---\nc: d", 400, "BAD_REQUEST"),
        ("application/yaml", "\0", 400, "BAD_REQUEST"),
        ("text/yaml", "1: 2\n2020-01-01: x", 400, "BAD_REQUEST"),
        ("application/x-yaml", "a: " + "x" * 300_000, 400, "BAD_REQUEST"),
        ("text/plain", "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/x-www-form-urlencoded", "a=b", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("multipart/form-data; boundary=x", "--x--", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("nonsense", "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/json", "x" * 10_000_000, 413, "REQUEST_ENTITY_TOO_LARGE"),
        ("application/yaml", "x" * 10_000_000, 413, "REQUEST_ENTITY_TOO_LARGE"),
    ],
)
@pytest.mark.parametrize("url", [NOTEBOOK, ENVIRONMENT])
def test_a_body_that_cannot_be_taken(
    client: APIClient, url: str, kind: str, body: str, *, status: int, name: str
) -> None:
    response = client.generic("POST", url, body, content_type=kind)
    refused(response, status, name)
    assert not NotebookSession.objects.exists()


@pytest.mark.parametrize("body", ["", "null", "{}"])
def test_nothing_is_told_in_submarines_words(client: APIClient, body: str) -> None:
    said = client.generic("POST", NOTEBOOK, body, content_type="application/json")
    assert refused(said, 400, "BAD_REQUEST") == "Invalid. Notebook Spec object is null."
    said = client.generic("POST", ENVIRONMENT, body, content_type="application/json")
    assert refused(said, 400, "BAD_REQUEST") == "Invalid environment spec."


NAMED = {"meta": {"name": "a"}, "environment": {"name": "notebook-env"}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"meta": {}, "environment": {"name": "x"}}, "meta.name: "),
        ({"meta": {"name": "a"}}, "environment: "),
        ({**NAMED, "meta": "a"}, "meta: "),
        ({**NAMED, "meta": {"name": ["a"]}}, "meta.name: "),
        ({**NAMED, "meta": {"name": None}}, "meta.name: "),
        ({**NAMED, "meta": {"name": ""}}, "meta.name: "),
        ({**NAMED, "meta": {"name": "a\u202eb"}}, "meta.name: "),
        # What Submarine would leave out, and this service has elsewhere.
        ({**NAMED, "code": {}}, "code: Send this as `spec.code`."),
        ({**NAMED, "meta": {"name": "a", "profile": 1}}, "meta.profile: Send this as `spec.pro"),
        ({**NAMED, "spec": {"mounts": []}}, "spec.mounts: Send this as `spec.volumes`."),
        (
            {**NAMED, "spec": {"code": {"url": "x"}}},
            "spec.code.url: Send this as `spec.code.git.url`.",
        ),
        (
            {**NAMED, "spec": {"code": {"git": {"url": "https://a.example/b", "ref": "x"}}}},
            "spec.code.git.ref: Send this as `branch`.",
        ),
        (
            {**NAMED, "spec": {"volumes": [{"path": "a", "read_only": True}]}},
            "spec.volumes.0.read_only: Send this as `readOnly`.",
        ),
        ({**NAMED, "spec": {"secrets": ["a"]}}, "spec.secrets: This is a field of `/api/v2/`"),
        ({**NAMED, "spec": []}, "spec: "),
        ({**NAMED, "spec": {"envVars": ["a"]}}, "spec.envVars: "),
        ({**NAMED, "spec": {"envVars": {"A": {}}}}, "spec.envVars.A: "),
        ({**NAMED, "spec": {"resources": {"cpu": 1}}}, "spec.resources: "),
        ({**NAMED, "spec": {"resources": "cpu=many"}}, "spec.resources: "),
        ({**NAMED, "spec": {"resources": "cpu=64"}}, "spec.resources: No size that you may use"),
        ({**NAMED, "spec": {"profile": "huge"}}, "spec.profile: "),
        ({**NAMED, "spec": {"code": {"syncMode": "hdfs"}}}, "Some inputs"),
        ({**NAMED, "spec": {"volumes": [{"volume": "x", "path": "a"}]}}, "spec.volumes.0.volume: "),
        ({**NAMED, "spec": {"cpu": {}}}, "spec.cpu: "),
    ],
)
def test_what_is_wrong_is_named(
    client: APIClient, small, plain, body: dict[str, object], said: str
) -> None:
    told = refused(client.post(NOTEBOOK, body, format="json"), 400, "BAD_REQUEST")
    if said == "Some inputs":
        assert "spec.code.syncMode: " in told
        assert "spec.code.git: This field is required." in told
    else:
        assert told.startswith(said)
    assert not NotebookSession.objects.exists()


def test_a_lockout_elsewhere_is_told_as_before() -> None:
    response = Client().get("/api/v2/none")
    assert json.loads(response.content)["code"] == "not_found"
