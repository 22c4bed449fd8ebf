"""No cache keeps what is shown to somebody who is signed in."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import create_token
from tests.architecture.test_permissions import ADMIN, API, LONG, PAGES, PROBES, TABLE, V1, ids
from tests.conftest import browser_of

__all__ = ["ids"]

pytestmark = pytest.mark.django_db


def kept(response) -> bool:
    directives = response.get("Cache-Control", "").replace(" ", "").split(",")
    return "no-store" not in directives


def test_nothing_that_is_shown_is_kept(
    ada: User, operator: User, request: pytest.FixtureRequest
) -> None:
    values = request.getfixturevalue("ids")
    browsers = {True: browser_of(operator), False: browser_of(ada)}
    shown = [key for key, row in TABLE.items() if "GET" in row.answers and key not in LONG]
    assert len(shown) > 150
    answers = {key: browsers[key in ADMIN].get(TABLE[key].path.format(**values)) for key in shown}
    assert [key for key, answer in answers.items() if kept(answer)] == []


def test_what_a_program_reads_and_is_refused_is_not_kept_either(
    ada: User, request: pytest.FixtureRequest
) -> None:
    values = request.getfixturevalue("ids")
    headers = {"Authorization": f"Bearer {create_token(user=ada, name='ci').secret}"}
    paths = [row.path.format(**values) for row in {**API, **V1, **PROBES}.values()]
    for method in ("get", "post", "options"):
        answers = {path: getattr(Client(headers=headers), method)(path) for path in paths}
        assert [path for path, answer in answers.items() if kept(answer)] == []


def test_what_a_form_is_answered_with_is_not_kept(
    ada: User, request: pytest.FixtureRequest
) -> None:
    values = request.getfixturevalue("ids")
    posts = [key for key, row in PAGES.items() if "POST" in row.answers]
    # Signs out.
    posts.sort(key=lambda key: key.startswith("sign-out"))
    browser = browser_of(ada)
    assert [key for key in posts if kept(browser.post(PAGES[key].path.format(**values)))] == []


def test_static_files_are_kept(settings) -> None:
    settings.WHITENOISE_USE_FINDERS = True
    response = Client().get("/static/favicon.svg")
    assert response.getvalue()
    response.close()
    assert (response.status_code, kept(response)) == (200, True)
