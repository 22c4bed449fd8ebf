"""The API as people see it in a browser: its forms offer what may be sent."""

import html
import json
import re

import pytest
from django.test import Client

from notebooks.models import NotebookSession


def offered(browser: Client, address: str) -> list[str]:
    """What the page's forms for raw JSON are filled with, one text for each method."""
    page = browser.get(address, headers={"accept": "text/html"})
    assert page.status_code == 200
    texts = re.findall(r'<textarea name="_content"[^>]*>(.*?)</textarea>', page.text, re.DOTALL)
    return [html.unescape(text).strip() for text in texts]


@pytest.mark.usefixtures("small", "plain")
@pytest.mark.parametrize(
    ("address", "fields"),
    [
        (
            "sessions",
            [
                *("code", "opens", "variables", "secrets", "mounts"),
                *("profile", "environment", "charge_to"),
            ],
        ),
        ("tokens", ["name", "scopes", "expires_in_days"]),
        ("secrets", ["name", "kind", "value"]),
        ("git-credentials", ["name", "kind", "hosts", "username", "secret"]),
    ],
)
def test_the_form_to_create_has_the_fields_that_are_taken(
    browser: Client, address: str, fields: list[str]
) -> None:
    [form] = offered(browser, f"/api/v2/{address}/")
    assert re.findall(r'"(\w+)":', form) == fields


def test_the_forms_of_a_session_have_the_fields_that_are_taken(
    browser: Client, requested: NotebookSession
) -> None:
    [rename] = offered(browser, f"/api/v2/sessions/{requested.pk}/")
    assert json.loads(rename) == {
        "code": [],
        "opens": "",
        "variables": {},
        "secrets": [],
        "mounts": [],
        "name": "analysis",
    }


def test_the_api_names_itself_and_leads_everywhere(browser: Client) -> None:
    page = browser.get("/api/v2/", headers={"accept": "text/html"}).text
    for name in ("sessions", "profiles", "environments", "tokens"):
        assert f'/api/v2/{name}"' in page or f"/api/v2/{name}/" in page
