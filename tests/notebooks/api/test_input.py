"""What the API takes: nothing but what it names, and every refusal says at which input."""

import json

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from environments.models import Environment
from notebooks.models import NotebookSession
from quotas.models import ResourceProfile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "plain")]

SESSIONS = "/api/v2/sessions"
GOOD = {"profile": "small", "environment": "notebook-env"}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"profile": None}, {"profile": "This field may not be null."}),
        ({"profile": ""}, {"profile": "This field may not be blank."}),
        ({"profile": ["small"]}, {"profile": "Not a valid string."}),
        ({"profile": {"name": "small"}}, {"profile": "Not a valid string."}),
        ({"profile": True}, {"profile": "Not a valid string."}),
        ({"profile": "x" * 64}, {"profile": "Ensure this field has no more than 63 characters."}),
        ({"profile": "none"}, {"profile": "There is no such size that you may use."}),
        ({"profile": "a\0b"}, {"profile": "Null characters are not allowed."}),
        (
            {"profile": "a\ud800b"},
            {"profile": "Surrogate characters are not allowed: U+D800."},
        ),
        ({"environment": 5}, {"environment": "Not a valid string."}),
        ({"secrets": ["A", 1.5]}, {"secrets.1": "Not a valid string."}),
        ({"variables": {"DEBUG": True}}, {"variables.DEBUG": "Not a valid string."}),
        ({"name": ""}, {"name": "This field may not be blank."}),
        ({"name": "  "}, {"name": "A name is needed."}),
        ({"name": None}, {"name": "This field may not be null."}),
        ({"name": "x" * 300}, {"name": "The name has 300 characters; 80 is the most."}),
        (
            {"name": "a\u202eb"},
            {"name": "The name holds a character that cannot be shown (U+202E)."},
        ),
        ({"size": "small"}, {"size": "There is no such field."}),
        (
            {"status": "running", "owner": "mallory"},
            {"owner": "There is no such field.", "status": "There is no such field."},
        ),
        ({"": 1}, {"": "There is no such field."}),
    ],
)
def test_an_input_at_fault_is_named(
    api: APIClient, change: dict[str, object], fields: dict[str, str]
) -> None:
    body = json.dumps({**GOOD, **change})
    response = api.post(SESSIONS, body, content_type="application/json")
    answer = response.json()
    assert response.status_code == 400
    assert answer["code"] == "invalid"
    assert answer.get("fields", {"": answer["message"]}) == fields
    assert not NotebookSession.objects.exists()


@pytest.mark.parametrize("missing", ["profile", "environment"])
def test_an_input_that_is_missing_is_named(api: APIClient, missing: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != missing}
    response = api.post(SESSIONS, body)
    assert response.status_code == 400
    assert response.json() == {
        "code": "invalid",
        "message": f"{missing}: This field is required.",
        "fields": {missing: "This field is required."},
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "parse_error"),
        (b"\xff\xfe", "parse_error"),
        (b'{"name": NaN}', "parse_error"),
        (b"[" * 200_000, "parse_error"),
        (b'{"a":' * 100_000, "parse_error"),
        (b"[]", "invalid"),
        (b'"text"', "invalid"),
        (b"null", "invalid"),
        (b"17", "invalid"),
        (b"", "invalid"),
    ],
    ids=[
        *("open", "no text", "NaN", "deep list", "deep object", "list", "text", "null"),
        *("number", "empty"),
    ],
)
def test_what_is_no_object_is_refused(api: APIClient, body: bytes, code: str) -> None:
    response = api.generic("POST", SESSIONS, body, content_type="application/json")  # type: ignore[arg-type]
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert response.json()["message"]
    assert not NotebookSession.objects.exists()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_what_is_not_json_is_refused(api: APIClient, content_type: str) -> None:
    response = api.generic("POST", SESSIONS, json.dumps(GOOD), content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert not NotebookSession.objects.exists()


def test_a_body_that_is_too_large_is_refused(api: APIClient) -> None:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = json.dumps({**GOOD, "name": "x" * most})
    response = api.generic("POST", SESSIONS, body, content_type="application/json")
    assert response.status_code == 413
    assert response.json() == {
        "code": "too_large",
        "message": "The body may have 1048576 bytes.",
    }


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_a_verb_takes_no_input(api: APIClient, requested: NotebookSession, verb: str) -> None:
    url = f"{SESSIONS}/{requested.pk}/{verb}"
    assert api.generic("POST", url).status_code == 202
    assert api.post(url, {}).status_code == 202
    response = api.post(url, {"force": True})
    assert (response.status_code, response.json()["fields"]) == (
        400,
        {"force": "There is no such field."},
    )


def test_no_field_but_the_name_can_be_changed(api: APIClient, requested: NotebookSession) -> None:
    response = api.patch(f"{SESSIONS}/{requested.pk}", {"name": "b", "status": "running"})
    assert response.status_code == 400
    assert response.json()["fields"] == {"status": "There is no such field."}
    requested.refresh_from_db()
    assert requested.name == "analysis"


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"expires_in_days": 0}, ["expires_in_days"]),
        ({"expires_in_days": 366}, ["expires_in_days"]),
        ({"expires_in_days": 10**30}, ["expires_in_days"]),
        ({"expires_in_days": 1.5}, ["expires_in_days"]),
        ({"expires_in_days": True}, ["expires_in_days"]),
        ({"expires_in_days": None}, ["expires_in_days"]),
        ({"name": "\n"}, ["name"]),
        ({"token": "mine"}, ["token"]),
    ],
)
def test_an_input_of_a_token_at_fault_is_named(
    api: APIClient, ada, change: dict[str, object], fields: list[str]
) -> None:
    response = api.post("/api/v2/tokens", {"name": "ci", **change})
    assert (response.status_code, list(response.json()["fields"])) == (400, fields)
    assert not ada.api_tokens.exists()


def test_the_catalogue_shows_what_may_be_chosen(
    api: APIClient, small: ResourceProfile, plain: Environment
) -> None:
    type(small)(name="off", cpu_milli=1, memory_mib=1, enabled=False).save()
    profiles = api.get("/api/v2/profiles").json()
    assert profiles == [
        {
            "name": "small",
            "display_name": "Small",
            "description": "",
            "cpu_milli": 1000,
            "memory_mib": 2048,
            "gpus": 0,
            "accelerator": "gpu",
            "longest_life_minutes": None,
            "idle_limit_minutes": None,
            "deprecated": False,
            "deprecation": "",
            "successor": None,
        }
    ]
    assert api.get("/api/v2/profiles/small").json() == profiles[0]
    assert api.get("/api/v2/profiles/off").status_code == 404
    assert [each["name"] for each in api.get("/api/v2/environments").json()] == [plain.name]
