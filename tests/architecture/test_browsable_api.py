"""The browsable API, walked: every page of it opens for everybody, and what its forms begin with
is taken by the API as it is.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import User
from tests.conftest import browser_of
from tests.examples.test_examples import PREPARED as EXAMPLES_PREPARED
from tests.examples.test_examples import address, volumes_are
from tests.examples.world import build_world
from tests.schema import OPERATIONS

PAGES = ["/api/v2/", *sorted({each.path for each in OPERATIONS.values()})]
PREPARED = {**EXAMPLES_PREPARED, "volumes_remove_create": volumes_are(state="trashed")}
FILES = {"/api/v2/audit/export", "/api/v2/schema/"}
"""They have a form of their own, whatever is accepted."""

ROLES = ("anonymous", "stranger", "ada", "operator")

REFUSED = {
    # Nothing that could be filled in is right: a code is shown by a page, once.
    **dict.fromkeys(((role, "login_create") for role in ROLES), 400),
    # The claim is one of the cluster's, which no form can know; Ada has a volume of that name.
    ("operator", "volumes_adopt_create"): 409,
    ("ada", "volumes_adopt_create"): 403,
    ("stranger", "volumes_adopt_create"): 403,
    # Her session has it.
    ("ada", "environments_destroy"): 409,
}


class Forms(HTMLParser):
    """The forms of a page, by method: the body that each begins with, or None."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str | None] = {}
        self._form = self._method = ""
        self._is_body = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._form = (given.get("data-method") or given.get("method") or "").upper()
            self._content: str | None = None
        if tag == "textarea" and given.get("data-override") == "content":
            self._content, self._is_body = "", True
        if tag == "button" and self._form and "GET" not in self._form:
            self.found[given.get("data-method") or self._form] = self._content

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._is_body = False
        if tag == "form":
            self._form = ""

    def handle_data(self, data: str) -> None:
        if self._is_body:
            self._content = (self._content or "") + data


@pytest.fixture
def browsers(operator: User, mallory: User) -> dict[str, Client]:
    ada = build_world()
    return {
        "anonymous": browser_of(None),
        "stranger": browser_of(mallory),
        "ada": browser_of(ada),
        "operator": browser_of(operator),
    }


def forms_of(browser: Client, path: str) -> dict[str, str | None]:
    page = browser.get(path, headers={"Accept": "text/html"})
    assert page["Content-Type"].startswith("text/html"), path
    return Forms(page.content.decode()).found


@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens(role: str, browsers: dict[str, Client]) -> None:
    expected = {"anonymous": {401}}.get(role, {200, 403, 404, 405})
    for path in PAGES:
        answer = browsers[role].get(address(path), headers={"Accept": "text/html"})
        assert answer.status_code in expected | {405} or path in FILES | {"/api/v2/docs/"}, path


@pytest.mark.parametrize("role", ROLES)
def test_what_a_form_begins_with_is_taken(role: str, browsers: dict[str, Client]) -> None:
    sent = []
    for key, operation in each_form():
        with rolled_back():
            PREPARED.get(key, lambda: None)()
            at = address(operation.path)
            forms = forms_of(browsers[role], at)
            if operation.method.upper() not in forms:
                continue
            body = forms[operation.method.upper()]
            kind = {} if body is None else {"content_type": "application/json"}
            answer: Any = getattr(browsers[role], operation.method)(
                at, body or "", headers={"Accept": "text/html; q=1.0, */*"}, **kind
            )
            expected = REFUSED.get((role, key))
            assert answer.status_code == expected or (
                expected is None and answer.status_code < 300
            ), (key, body, answer.content[-2000:])
            assert not answer.content or answer["Content-Type"].startswith("text/html"), key
            sent.append(key)
    assert ("sessions_create" in sent) is (role != "anonymous")
    assert ("sessions_partial_update" in sent) is (role == "ada")


def each_form() -> Iterator[tuple[str, Any]]:
    for key, operation in OPERATIONS.items():
        if operation.method != "get":
            yield key, operation


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_what_was_refused_stays_in_the_form(browsers: dict[str, Client]) -> None:
    sent = '{"profile": "none", "environment": "python", "name": "mine"}'
    for body, status, kept in ((sent, 400, json.loads(sent)), ('{"profile":', 400, None)):
        page = browsers["ada"].post(
            "/api/v2/sessions",
            body,
            content_type="application/json",
            headers={"Accept": "text/html; q=1.0, */*"},
        )
        assert page.status_code == status
        content = Forms(page.content.decode()).found["POST"]
        assert content is not None
        assert kept is None or json.loads(content) == kept
