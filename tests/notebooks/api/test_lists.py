"""Lists of the API: pages that do not shift, filters, and a cost that does not grow with rows."""

from base64 import b64encode
from urllib.parse import urlencode

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from tests.factories import EnvironmentFactory, ProfileFactory, SessionFactory

pytestmark = pytest.mark.django_db

SESSIONS = "/api/v2/sessions"


def names(response) -> list[str]:
    assert response.status_code == 200
    return [session["name"] for session in response.json()["results"]]


def test_pages_do_not_shift_as_sessions_come(api: APIClient, ada: User) -> None:
    for number in range(5):
        SessionFactory.create(owner=ada, name=f"s{number}")
    first = api.get(SESSIONS, {"page_size": 2})
    assert names(first) == ["s4", "s3"]
    SessionFactory.create(owner=ada, name="new")
    second = api.get(first.json()["next"])
    assert names(second) == ["s2", "s1"]
    third = api.get(second.json()["next"])
    assert (names(third), third.json()["next"]) == (["s0"], None)
    assert names(api.get(third.json()["previous"])) == ["s2", "s1"]


@pytest.mark.parametrize("size", ["0", "-1", "null", "1.5", "\u0663", ""])
def test_a_page_of_no_size_is_refused(api: APIClient, size: str) -> None:
    refusal = api.get(SESSIONS, {"page_size": size})
    assert refusal.status_code == 400
    assert refusal.json()["fields"] == {"page_size": "A whole number is needed, 1 or more."}


def test_a_page_has_an_upper_bound(api: APIClient, ada: User) -> None:
    SessionFactory.create_batch(51, owner=ada)
    assert len(names(api.get(SESSIONS))) == 50
    assert len(names(api.get(SESSIONS, {"page_size": 1000}))) == 51


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "\0",
        "é",
        b64encode(b"p=yesterday").decode(),
        b64encode(b"p=9999999999999999999999999").decode(),
        b64encode(b"p=2026-99-99").decode(),
        b64encode(b"p=%00").decode(),
        b64encode(b"o=-1").decode(),
        b64encode(b"o=1e9&r=2").decode(),
        b64encode(b"\xff").decode(),
    ],
)
@pytest.mark.parametrize("path", ["", "/{}/events"])
def test_a_cursor_that_no_list_gave_is_refused_or_harmless(
    api: APIClient, ada: User, path: str, cursor: str
) -> None:
    session = SessionFactory.create(owner=ada)
    url = SESSIONS + path.format(session.pk)
    response = api.get(f"{url}?{urlencode({'cursor': cursor})}")
    assert response.status_code in {200, 400}
    if response.status_code == 400:
        message = "This is not a cursor of this list."
        assert response.json() == {
            "code": "invalid",
            "message": message,
            "fields": {"cursor": message},
        }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["c", "b", "a"]),
        ("status=running", ["a"]),
        ("status=running&status=failed", ["b", "a"]),
        ("name=B", ["b"]),
        ("name=%25", []),
        ("profile=big", ["c"]),
        ("environment=gpu", ["b"]),
        ("profile=big&status=running", []),
        ("profile=unknown", []),
    ],
)
def test_a_list_is_filtered(api: APIClient, ada: User, query: str, expected: list[str]) -> None:
    small, plain = ProfileFactory.create(name="small"), EnvironmentFactory.create(name="plain")
    SessionFactory.create(owner=ada, name="a", status=S.RUNNING, profile=small, environment=plain)
    gpu = EnvironmentFactory.create(name="gpu")
    SessionFactory.create(owner=ada, name="b", status=S.FAILED, profile=small, environment=gpu)
    big = ProfileFactory.create(name="big")
    SessionFactory.create(owner=ada, name="c", status=S.STOPPED, profile=big, environment=plain)
    assert names(api.get(f"{SESSIONS}?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [("status=asleep", "status"), ("name=%00", "name"), ("profile=%00", "profile")],
)
def test_a_filter_that_makes_no_sense_is_refused(api: APIClient, query: str, field: str) -> None:
    response = api.get(f"{SESSIONS}?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert list(response.json()["fields"]) == [field]


def test_others_sessions_are_not_listed(api: APIClient, ada: User, mallory: User) -> None:
    SessionFactory.create(owner=mallory, name="theirs")
    SessionFactory.create(owner=ada, name="mine")
    assert names(api.get(SESSIONS)) == ["mine"]


def test_the_cost_of_a_list_does_not_grow_with_its_rows(
    api: APIClient, ada: User, django_assert_num_queries
) -> None:
    SessionFactory.create(owner=ada, status=S.RUNNING)
    with django_assert_num_queries(6):
        api.get(SESSIONS)
    SessionFactory.create_batch(10, owner=ada, status=S.RUNNING)
    with django_assert_num_queries(6):
        api.get(SESSIONS)


def test_the_cost_of_events_does_not_grow_with_them(
    api: APIClient, ada: User, django_assert_num_queries
) -> None:
    session = SessionFactory.create(owner=ada)
    for number in range(10):
        NotebookSession.objects.note(session, f"{number}", actor=ada)
    with django_assert_num_queries(2):
        api.get(f"{SESSIONS}/{session.pk}/events")
