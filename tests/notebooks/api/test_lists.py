"""Lists of the API: pages that do not shift, filters, and a cost that does not grow with rows."""

from base64 import b64encode
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
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


def cursor(**said: str) -> str:
    place = {
        "ordering": "-created_at",
        "value": "2026-01-01 00:00:00+00:00",
        "key": str(UUID(int=7)),
        **said,
    }
    return b64encode(urlencode(place).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "\0",
        "é",
        b64encode(b"\xff").decode(),
        b64encode(b"o=1e9&r=2").decode(),
        cursor(value="yesterday"),
        cursor(value="9999999999999999999999999"),
        cursor(value="2026-99-99"),
        cursor(value="\0"),
        cursor(value=""),
        cursor(key="\0"),
        cursor(key="7"),
        cursor(way="aside"),
        cursor(ordering="name", value="a"),
        cursor(ordering="owner__password", value="a"),
        cursor(ordering="-id", value="9" * 30, key="9" * 30),
        cursor(ordering="-id", value="\0", key="0"),
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


def test_a_cursor_of_another_order_is_refused(api: APIClient, ada: User) -> None:
    SessionFactory.create_batch(2, owner=ada)
    following = api.get(SESSIONS, {"page_size": 1}).json()["next"]
    refusal = api.get(f"{following}&ordering=name")
    assert (refusal.status_code, list(refusal.json()["fields"])) == (400, ["cursor"])


ORDERS = {
    "-created_at": ["b", "c", "a"],
    "created_at": ["a", "c", "b"],
    "name": ["a", "b", "c"],
    "-name": ["c", "b", "a"],
}


@pytest.mark.parametrize(("ordering", "expected"), ORDERS.items())
def test_a_list_has_the_order_that_is_asked_for(
    api: APIClient, ada: User, ordering: str, expected: list[str]
) -> None:
    for name in ("a", "c", "b"):
        SessionFactory.create(owner=ada, name=name)
    assert names(api.get(SESSIONS, {"ordering": ordering})) == expected


@pytest.mark.parametrize("ordering", ["", "owner__password", "-status", "created_at,name", "\0"])
def test_an_order_that_there_is_not_is_refused(api: APIClient, ordering: str) -> None:
    refusal = api.get(SESSIONS, {"ordering": ordering})
    message = "There are these orders: -created_at, created_at, name, -name."
    assert refusal.status_code == 400
    assert refusal.json()["fields"] == {"ordering": message}


def many(ada: User, *, alike: int) -> list[NotebookSession]:
    """More than a thousand, of which so many each were made at the same moment."""
    one = SessionFactory.create(owner=ada, name="first")
    return NotebookSession.objects.bulk_create(
        NotebookSession(
            owner=ada,
            name=f"s{number:04}",
            profile=one.profile,
            environment_version=one.environment_version,
            created_at=one.created_at - timedelta(days=number // alike),
        )
        for number in range(1050)
    )


def walk(api: APIClient, url: str, link: str) -> tuple[list[list[str]], str]:
    """What is on each page from there, and the address of the last."""
    page = api.get(url)
    pages = [names(page)]
    while following := page.json()[link]:
        url, page = following, api.get(following)
        pages.append(names(page))
    return pages, url


@pytest.mark.parametrize("ordering", ORDERS)
def test_no_row_is_lost_or_told_twice_where_many_are_alike(
    api: APIClient, ada: User, ordering: str
) -> None:
    many(ada, alike=700)
    key = "-pk" if ordering.startswith("-") else "pk"
    expected = [session.name for session in NotebookSession.objects.order_by(ordering, key)]

    there, last = walk(api, f"{SESSIONS}?page_size=190&ordering={ordering}", "next")
    back, _ = walk(api, last, "previous")

    assert [name for page in there for name in page] == expected
    assert back == there[::-1]


def test_what_goes_and_comes_meanwhile_moves_no_other_row(api: APIClient, ada: User) -> None:
    made = many(ada, alike=700)
    first = api.get(f"{SESSIONS}?page_size=200&ordering=created_at")
    seen, rest = names(first), {session.name for session in made} - {*names(first)}
    gone = NotebookSession.objects.filter(name__in=seen[::2]).update(deleted_at=timezone.now())
    assert gone == 100
    SessionFactory.create(owner=ada, name="new", created_at=made[0].created_at)

    pages, _ = walk(api, first.json()["next"], "next")

    later = [name for page in pages for name in page]
    assert len(later) == len({*later})
    assert {*later} - {"new", "first"} == rest - {"first"}


@pytest.mark.parametrize(
    ("ordering", "index"),
    [("-created_at", "session_of_owner"), ("name", "session_name_unique")],
)
def test_a_page_is_found_by_an_index(api: APIClient, ada: User, ordering: str, index: str) -> None:
    many(ada, alike=1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notebooks_notebooksession")
    second = api.get(f"{SESSIONS}?page_size=20&ordering={ordering}").json()["next"]
    with CaptureQueriesContext(connection) as asked:
        api.get(second)
    (page,) = [each["sql"] for each in asked.captured_queries if "LIMIT 21" in each["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f"using {index}" in plan, plan


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
    with django_assert_num_queries(3):
        api.get(SESSIONS)
    SessionFactory.create_batch(10, owner=ada, status=S.RUNNING)
    with django_assert_num_queries(3):
        api.get(SESSIONS)


def test_the_cost_of_events_does_not_grow_with_them(
    api: APIClient, ada: User, django_assert_num_queries
) -> None:
    session = SessionFactory.create(owner=ada)
    for number in range(10):
        NotebookSession.objects.note(session, f"{number}", actor=ada)
    with django_assert_num_queries(2):
        api.get(f"{SESSIONS}/{session.pk}/events")
