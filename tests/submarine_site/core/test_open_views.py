"""Bodies of what everybody may send one to."""

import pytest
from django.test import Client

from submarine_site.core.open_views import MAX_OPEN_BODY

LARGEST = b"x" * MAX_OPEN_BODY
TOO_LARGE = LARGEST + b"x"
MESSAGE = "The body may have 16384 bytes."
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/api/auth/token", "/api/auth/login/", "/api/auth/logout"])
@pytest.mark.parametrize("kind", ["application/json", "application/yaml", "text/yaml"])
def test_the_open_endpoints_of_v1(client: Client, path: str, kind: str) -> None:
    answer = client.post(path, TOO_LARGE, content_type=kind)
    assert answer.status_code == 413
    assert answer.json()["message"] == MESSAGE
    assert answer.json()["success"] is False


def test_the_open_endpoint_of_v2(client: Client) -> None:
    answer = client.post("/api/v2/login", TOO_LARGE, content_type="application/json")
    assert (answer.status_code, answer.json()) == (413, {"code": "too_large", "message": MESSAGE})
    answer = client.post("/api/v2/login", LARGEST, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_open_pages(path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post(path, TOO_LARGE, content_type=FORM)
    assert answer.status_code == 413
    assert MESSAGE in answer.content.decode()
    # Only then is it read.
    assert browser.post(path, LARGEST, content_type=FORM).status_code == 403


@pytest.mark.parametrize("path", ["/api/v2/sessions", "/api/v1/notebook"])
def test_where_a_credential_is_asked_for_nothing_is_read_without_one(
    client: Client, path: str
) -> None:
    answer = client.post(path, b"{" * 1_000_000, content_type="application/json")
    assert answer.status_code == 401
