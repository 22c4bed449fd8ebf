"""Where the log is seen: the page, the API, the admin and their exports; and by whom."""

import csv
import io
import re
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client

from accounts.models import User
from audit import export
from audit.actions import ACTIONS
from audit.models import AuditEntry, Channel
from audit.origin import Origin, coming_from
from audit.services import record
from audit.web import PAGE_SIZE
from notebooks.models import NotebookSession
from tests.conftest import api_of, browser_of
from tests.factories import SessionFactory, UserFactory

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
LIST = "/admin/audit/auditentry/"


@pytest.fixture
def hers(ada: User) -> NotebookSession:
    return SessionFactory.create(owner=ada, name="thesis")


@pytest.fixture
def entries(ada: User, mallory: User, operator: User, hers: NotebookSession, rf) -> None:
    """Ada opens hers, an operator stops it, and Mallory has something of his own."""
    request = rf.get("/admin/", REMOTE_ADDR="203.0.113.9")
    with transaction.atomic():
        record("session.opened", hers, actor=ada)
        with coming_from(Origin(channel=Channel.ADMIN, request=request)):
            record("session.stopped", hers, actor=operator, after={"code": "stopped_by_operator"})
        record("user.changed", mallory, actor=mallory)


@pytest.fixture
def auditor() -> User:
    """Of a group that may view the log, and nothing else."""
    group = Group.objects.create(name="auditors")
    group.permissions.set(Permission.objects.filter(codename="view_auditentry"))
    person = UserFactory.create(username="audrey", is_staff=True)
    person.groups.add(group)
    return person


def seen_by(user: User, **query: str) -> list[str]:
    answer = api_of(user).get("/api/v2/audit/", query)
    assert answer.status_code == 200, answer.json()
    return [each["action"] for each in answer.json()["results"]]


def rows_of(response) -> list[dict[str, str]]:
    async def collect() -> bytes:
        return b"".join([part async for part in response.streaming_content])

    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = async_to_sync(collect)().decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_everybody_sees_what_they_did_and_what_was_done_to_theirs(
    entries: None, ada: User, mallory: User
) -> None:
    assert seen_by(ada) == ["session.stopped", "session.opened"]
    assert seen_by(mallory) == ["user.changed"]
    assert seen_by(UserFactory.create()) == []


def test_operators_with_the_right_see_all(entries: None, operator: User, auditor: User) -> None:
    everything = ["user.changed", "session.stopped", "session.opened"]
    assert seen_by(operator) == everything
    assert seen_by(auditor) == everything
    auditor.is_staff = False
    auditor.save()
    assert seen_by(User.objects.get(pk=auditor.pk)) == []


def test_an_entry_says_who_where_and_on_whose_behalf(
    entries: None, ada: User, operator: User, hers: NotebookSession
) -> None:
    entry = api_of(operator).get("/api/v2/audit/?action=session.stopped").json()["results"][0]
    assert entry == {
        "id": entry["id"],
        "at": entry["at"],
        "actor": {"id": operator.pk, "name": "olga"},
        "on_behalf_of": {"id": ada.pk, "name": "ada"},
        "action": "session.stopped",
        "object": {"kind": "session", "id": str(hers.pk), "name": "thesis"},
        "channel": "admin",
        "address": "203.0.113.9",
        "before": {},
        "after": {"code": "stopped_by_operator"},
    }


def test_where_an_operator_was_is_not_told_to_others(entries: None, ada: User) -> None:
    entry = api_of(ada).get("/api/v2/audit/?action=session.stopped").json()["results"][0]
    assert entry["address"] is None
    assert "203.0.113.9" not in browser_of(ada).get("/account/activity").text
    rows = rows_of(browser_of(ada).get("/api/v2/audit/export"))
    assert [row["address"] for row in rows] == ["", ""]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"actor": "olga"}, ["session.stopped"]),
        ({"kind": "user"}, ["user.changed"]),
        ({"channel": "admin"}, ["session.stopped"]),
        ({"object": "none"}, []),
        ({"since": "2999-01-01T00:00:00Z"}, []),
        ({"until": "2000-01-01T00:00:00Z"}, []),
        ({"since": "2000-01-01T00:00:00Z", "kind": "session", "actor": "ada"}, ["session.opened"]),
    ],
)
def test_it_is_filtered(
    entries: None, operator: User, query: dict[str, str], found: list[str]
) -> None:
    assert seen_by(operator, **query) == found


@pytest.mark.parametrize(
    "query", [{"action": "nonsense"}, {"kind": "x"}, {"since": "soon"}, {"actor": "x" * 151}]
)
def test_a_filter_that_cannot_be_is_named(ada: User, query: dict[str, str]) -> None:
    answer = api_of(ada).get("/api/v2/audit/", query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, list(query))


def test_a_nul_in_a_filter_is_refused(ada: User) -> None:
    for name in ("actor", "object"):
        assert api_of(ada).get("/api/v2/audit/", {name: "a\0b"}).status_code == 400


def test_it_is_paged_at_a_constant_cost(
    ada: User, hers: NotebookSession, django_assert_num_queries
) -> None:
    program = api_of(ada)
    with transaction.atomic():
        for _ in range(5):
            record("session.opened", hers, actor=ada)
    with django_assert_num_queries(1):
        first = program.get("/api/v2/audit/?page_size=3").json()
    second = program.get(first["next"]).json()
    ids = [each["id"] for page in (first, second) for each in page["results"]]
    assert len(ids) == 5
    assert ids == sorted(set(ids), reverse=True)
    assert second["next"] is None


def test_the_page_shows_ones_own_and_older_ones_by_pages(
    ada: User, mallory: User, hers: NotebookSession, browser: Client
) -> None:
    with transaction.atomic():
        record("session.started", hers, actor=ada)
        record("user.changed", mallory, actor=mallory)
        for _ in range(PAGE_SIZE):
            record("session.opened", hers, actor=ada)
    first = browser.get("/account/activity")
    assert first.text.count(ACTIONS["session.opened"]) == PAGE_SIZE
    assert ACTIONS["session.started"] not in first.text
    assert "mallory" not in first.text
    older = re.search(r'href="(\?before=\d+)"', first.text)
    assert older is not None
    second = browser.get("/account/activity" + older[1]).text
    assert second.count(ACTIONS["session.started"]) == 1
    assert ACTIONS["session.opened"] not in second
    chosen = browser.get("/account/activity?action=session.started").text
    assert chosen.count(ACTIONS["session.started"]) == 1
    assert "/account/activity" in browser.get("/account").text


def test_an_operators_page_has_their_own_alone(entries: None, operator: User) -> None:
    text = browser_of(operator).get("/account/activity").text
    assert ACTIONS["session.stopped"] in text
    assert ACTIONS["user.changed"] not in text


@pytest.mark.parametrize("query", ["before=x", "before=" + "9" * 40, "kind=%00", "action=x"])
def test_an_address_that_no_page_gave_harms_nobody(browser: Client, query: str) -> None:
    assert browser.get(f"/account/activity?{query}").status_code == 200


def test_an_empty_page_says_so(browser: Client) -> None:
    assert "Nothing yet" in browser.get("/account/activity").text


def test_the_export_has_all_that_was_filtered(
    ada: User, operator: User, hers: NotebookSession, entries: None, monkeypatch
) -> None:
    monkeypatch.setattr(export, "AT_ONCE", 2)
    with transaction.atomic():
        for number in range(4):
            record("session.opened", hers, actor=ada, after={"number": number})
    rows = rows_of(browser_of(operator).get("/api/v2/audit/export?action=session.opened"))
    assert [row["after"] for row in rows] == [
        '{"number": 3}',
        '{"number": 2}',
        '{"number": 1}',
        '{"number": 0}',
        "",
    ]
    assert {row["actor"] for row in rows} == {"ada"}
    assert [row["action"] for row in rows_of(browser_of(ada).get("/api/v2/audit/export"))].count(
        "session.stopped"
    ) == 1


def test_the_export_is_csv_whatever_is_accepted_and_an_error_json(ada: User) -> None:
    program = api_of(ada)
    rows_of(program.get("/api/v2/audit/export", HTTP_ACCEPT="text/csv"))
    refused = program.get("/api/v2/audit/export?kind=x", HTTP_ACCEPT="text/csv")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(ada: User, name: str) -> None:
    session = SessionFactory.create(owner=ada, name=name)
    with transaction.atomic():
        record("session.opened", session, actor=ada)
    assert rows_of(browser_of(ada).get("/api/v2/audit/export"))[0]["object"] == f"'{name}"


def test_the_admin_lists_filters_and_exports(entries: None, auditor: User) -> None:
    admin = browser_of(auditor)
    text = admin.get(LIST).text
    assert "thesis" in text
    assert "203.0.113.9" in text
    assert "stopped_by_operator" in text
    assert f"{LIST}export/?" in text
    for query, found in (
        ("action=session.stopped", ["session.stopped"]),
        ("object_kind=user", ["user.changed"]),
        ("channel__exact=admin", ["session.stopped"]),
        ("q=thesis", ["session.stopped", "session.opened"]),
        ("actor_id__exact=0", []),
    ):
        assert f"{LIST}export/?{query}" in admin.get(f"{LIST}?{query}").text.replace("&amp;", "&")
        rows = rows_of(admin.get(f"{LIST}export/?{query}"))
        assert [row["action"] for row in rows] == found


def test_an_operator_without_the_right_sees_nothing_of_it(entries: None) -> None:
    admin = browser_of(UserFactory.create(is_staff=True))
    assert admin.get(LIST).status_code == 403
    assert admin.get(f"{LIST}export/").status_code == 403


def test_nobody_changes_it_in_the_admin(entries: None, operator: User) -> None:
    admin = browser_of(operator)
    pk = AuditEntry.objects.latest("id").pk
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.get(f"{LIST}{pk}/delete/").status_code == 403
    assert admin.post(f"{LIST}{pk}/change/", {"actor_name": "x"}).status_code == 403
    assert admin.get(f"{LIST}{pk}/change/").status_code == 200


def test_the_cost_of_the_admins_list_does_not_grow(
    entries: None, operator: User, ada: User, hers: NotebookSession, django_assert_max_num_queries
) -> None:
    admin = browser_of(operator)
    admin.get(LIST)
    with django_assert_max_num_queries(9):
        admin.get(LIST)
    with transaction.atomic():
        for _ in range(30):
            record("session.opened", hers, actor=ada)
    with django_assert_max_num_queries(9):
        admin.get(LIST)


def test_every_action_is_described_for_operators() -> None:
    table = (ROOT / "docs" / "operators.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", table, re.MULTILINE)
    assert dict(rows) == ACTIONS


def test_every_action_is_used() -> None:
    """What is in the table is recorded somewhere, by name or by the admin's pages."""
    sources = " ".join(
        path.read_text()
        for app in ("accounts", "environments", "notebooks", "quotas", "volumes")
        for path in (ROOT / app).rglob("*.py")
    )
    audited = re.findall(r'audit_kind = "(\w+)"', sources)
    by_admin = {f"{kind}.{verb}" for kind in audited for verb in ("created", "changed", "deleted")}
    by_name = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', sources)) & ACTIONS.keys()
    assert by_admin <= ACTIONS.keys()
    vault = {"secret.deleted", "git_credential.deleted"}
    assert ACTIONS.keys() - by_admin - by_name - vault == set()


def test_the_admins_list_has_pages_for_the_newest_alone(
    entries: None, operator: User, monkeypatch
) -> None:
    monkeypatch.setattr("audit.admin.MOST", 2)
    admin = browser_of(operator)
    assert admin.get(LIST).context["cl"].result_count == 2
    assert len(rows_of(admin.get(f"{LIST}export/"))) == 3
