"""What HTTP promises of every endpoint of the API: methods, addresses, lists."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction
from jsonschema_rs import Draft202012Validator
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from accounts.services import create_token
from accounts.vault import keep_secret
from notebooks.models import NotebookSession
from tests.conftest import browser_of
from tests.examples.test_examples import OPERATIONS as EXAMPLES
from tests.examples.test_examples import (
    PREPARED,
    address,
    as_json,
    code_for,
    request_of,
)
from tests.examples.world import build_world
from tests.factories import SessionFactory
from tests.schema import OPERATIONS, SCHEMA

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def ada(db: None) -> User:
    return build_world()


@pytest.fixture
def program(ada: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(ada, ApiToken.objects.get())  # type: ignore[arg-type]
    return client


def test_allow_has_every_method_that_there_is_and_no_other(ada: User) -> None:
    browser = browser_of(ada)
    paths = {address(each.path) for each in OPERATIONS.values()} | {"/api/v2/", "/api/v2/docs/"}
    for path in sorted(paths):
        told = browser.options(path)["Allow"].replace(" ", "").split(",")
        there = []
        for method in METHODS:
            with transaction.atomic():
                answer: Any = browser.generic(method, path, "{}", content_type="application/json")
                transaction.set_rollback(True)
            if answer.status_code == 405:
                assert answer["Allow"].replace(" ", "").split(",") == told, (path, method)
            else:
                there.append(method)
        assert sorted(set(told) - {"OPTIONS"}) == sorted(there), path


CREATES = [name for name, (_, _, each) in EXAMPLES.items() if "201" in each["responses"]]


@pytest.mark.parametrize("name", CREATES)
def test_whoever_makes_something_is_told_where_it_is(
    name: str, ada: User, operator: User, program: APIClient, backend: Any
) -> None:
    method, path, operation = EXAMPLES[name]
    sent = request_of(operation)
    if name == "volumes_adopt_create":
        backend.claims.add(sent["claim"])
        program.force_authenticate(operator)
    if name == "login_create":
        sent = {**sent, "code": code_for(ada, sent["verifier"])}
    PREPARED.get(name, lambda: None)()
    if name == "volumes_adopt_create":
        sent["name"] = "another"

    answer = program.generic(method, address(path), *as_json(sent))

    assert answer.status_code == 201, answer.content
    made = answer.json()
    key = str(made.get("id") or made.get("number") or made["name"])
    assert answer["Location"].startswith("http://testserver/api/v2/")
    assert answer["Location"].rstrip("/").rpartition("/")[2] == key
    program.force_authenticate(ada)
    assert program.options(answer["Location"]).status_code == 200


LISTS = {
    name: each
    for name, each in OPERATIONS.items()
    if each.method == "get" and name.endswith("_list")
}


@pytest.mark.parametrize("name", [*LISTS, "audit_export_retrieve"])
def test_a_list_refuses_a_parameter_that_it_does_not_have(name: str, program: APIClient) -> None:
    operation = OPERATIONS[name]
    known = sorted(
        each["name"] for each in operation.said.get("parameters", ()) if each["in"] == "query"
    )
    url = address(operation.path)
    assert program.get(url, {"format": "json"}).status_code == 200

    answer = program.get(url, {"statuss": "running"})

    message = f"There is no such parameter. This list has: {', '.join(known) or 'none'}."
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "code": "invalid",
            "message": f"statuss: {message}",
            "fields": {"statuss": message},
        },
    )


def test_a_cursor_is_good_for_its_own_list_alone(program: APIClient, ada: User) -> None:
    for number in range(2):
        create_token(user=ada, name=f"another {number}")
        keep_secret(owner=ada, name=f"ANOTHER_{number}", kind="variable", value="x")
    first = program.get("/api/v2/tokens", {"page_size": 1}).json()
    cursor = parse_qs(urlsplit(first["next"]).query)["cursor"][0]

    assert program.get("/api/v2/tokens/", {"cursor": cursor}).status_code == 200
    for other in ("secrets", "sessions", "git-credentials", "audit"):
        answer = program.get(f"/api/v2/{other}", {"cursor": cursor})
        assert (answer.status_code, answer.json()["fields"]) == (
            400,
            {"cursor": "This is not a cursor of this list."},
        ), other


def test_a_cursor_of_the_events_of_another_session_is_refused(
    program: APIClient, ada: User
) -> None:
    pages = []
    for _ in range(2):
        session = SessionFactory.create(owner=ada, status="stopped")
        for number in range(2):
            NotebookSession.objects.note(session, f"Note {number}.", actor=ada)
        pages.append(f"/api/v2/sessions/{session.pk}/events")
    cursor = parse_qs(urlsplit(program.get(pages[0], {"page_size": 1}).json()["next"]).query)
    assert program.get(pages[0], {"cursor": cursor["cursor"][0]}).status_code == 200
    assert program.get(pages[1], {"cursor": cursor["cursor"][0]}).status_code == 400


@pytest.mark.parametrize("email", ["", "ada@example.com"])
def test_an_address_may_be_empty(email: str, program: APIClient, ada: User) -> None:
    """Where formats are checked and where they are not."""
    ada.email = email
    ada.save(update_fields=["email"])
    schema = OPERATIONS["me_retrieve"].said["responses"]["200"]["content"]["application/json"]
    body = program.get("/api/v2/me").json()
    for checks_formats in (True, False):
        validator = Draft202012Validator(
            {**schema["schema"], "components": SCHEMA["components"]},
            validate_formats=checks_formats,
        )
        assert [error.message for error in validator.iter_errors(body)] == []


def test_ids_are_of_one_type_in_addresses_and_in_models() -> None:
    ids = {
        (path, parameter["schema"].get("format"))
        for path, operations in SCHEMA["paths"].items()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if (parameter["in"], parameter["name"]) == ("path", "id")
    }
    assert ids
    assert {kind for _, kind in ids} == {"uuid"}
    models = {
        name: model["properties"]["id"]
        for name, model in SCHEMA["components"]["schemas"].items()
        if "id" in model.get("properties", {})
    }
    numbered = {"Person", "Event", "AuditEntry"}
    assert {name for name, field in models.items() if field.get("format") != "uuid"} == numbered | {
        # What it names may be of any kind.
        "Object",
    }


def test_the_schema_names_its_server() -> None:
    assert SCHEMA["servers"] == [{"url": "http://127.0.0.1:8000"}]
