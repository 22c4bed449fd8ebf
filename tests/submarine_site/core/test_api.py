"""The one form of errors: nested messages as one for each field."""

from typing import Any

import pytest
from django.http import Http404
from rest_framework import exceptions

from submarine_site.core.api import exception_handler
from submarine_site.core.errors import DomainError, InvalidInput


def told(error: Exception) -> tuple[int, object]:
    response = exception_handler(error, {})
    assert response is not None
    return response.status_code, response.data


@pytest.mark.parametrize(
    ("detail", "body"),
    [
        ("no", {"code": "invalid", "message": "no"}),
        (["no", "never"], {"code": "invalid", "message": "no never"}),
        ({"non_field_errors": ["no"]}, {"code": "invalid", "message": "no"}),
        (
            {"name": ["too long", "too odd"]},
            {
                "code": "invalid",
                "message": "name: too long too odd",
                "fields": {"name": "too long too odd"},
            },
        ),
        (
            {"a": ["x"], "b": {"c": ["y"], "non_field_errors": ["z"]}},
            {
                "code": "invalid",
                "message": "Some inputs are not right.",
                "fields": {"a": "x", "b.c": "y", "b": "z"},
            },
        ),
        (
            {"rows": [{}, {"size": ["no"]}]},
            {"code": "invalid", "message": "rows.1.size: no", "fields": {"rows.1.size": "no"}},
        ),
    ],
)
def test_messages_are_one_for_each_field(detail: Any, body: object) -> None:
    assert told(exceptions.ValidationError(detail)) == (400, body)


def test_a_refusal_is_told_as_it_is() -> None:
    refusal = DomainError("Not now.", code="busy_bee", status=418, fields={"a": "b"})
    assert told(refusal) == (418, {"code": "busy_bee", "message": "Not now.", "fields": {"a": "b"}})


def test_an_input_at_fault_is_a_bad_request() -> None:
    body = {"code": "invalid", "message": "Bad.", "fields": {"name": "Bad."}}
    assert told(InvalidInput.field("name", "Bad.")) == (400, body)


def test_what_is_missing_does_not_say_what_was_looked_for() -> None:
    status, body = told(Http404("No NotebookSession matches the given query."))
    assert status == 404
    assert "NotebookSession" not in str(body)


def test_a_fault_of_ours_is_left_to_the_site() -> None:
    assert exception_handler(RuntimeError("x"), {}) is None
