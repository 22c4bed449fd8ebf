"""Users and groups in the admin: how they stand with their limits, and limits for many at once."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas.models import Limit, QuotaRequest
from tests.conftest import browser_of
from tests.factories import LimitFactory, ProfileFactory, SessionFactory, UserFactory

pytestmark = pytest.mark.django_db

USERS = "/admin/accounts/user/"
GROUPS = "/admin/auth/group/"


def act(admin: Client, url: str, action: str, chosen: list, **given: str):
    return admin.post(url, {"action": action, "_selected_action": chosen, **given})


def asked(**given: str) -> dict[str, str]:
    return {"asked": "yes", "resource": "sessions", "amount": "1", "reason": "", **given}


def bars(page: str) -> list[str]:
    return [" ".join(text.split()) for text in re.findall(r"<span>(\d+ [^<]*)", page)]


def of(admin: Client, url: str, query: str = "") -> dict[str, list[str]]:
    """How those in the list stand."""
    rows = admin.get(f"{url}?{query}").context["cl"].result_list
    return {str(row): [each.text for each in row.standings] for row in rows}


def test_the_list_of_users_shows_use_against_limits(
    admin: Client, ada: User, mallory: User, physics: Group
) -> None:
    LimitFactory.create(amount=5)
    LimitFactory.create(scope="group", group=physics, amount=7)
    LimitFactory.create(scope="user", user=mallory, amount=None)
    LimitFactory.create(resource="memory_mib", amount=65536)
    LimitFactory.create(resource="gpu:a100", amount=1)
    SessionFactory.create_batch(2, owner=ada, status=S.RUNNING)
    listed = of(admin, USERS)
    assert listed["ada"] == [
        "2 of 7 sessions",
        "2 CPU, unlimited",
        "4 of 64 GiB",
        "0 of 1 GPU a100",
    ]
    assert listed["mallory"] == ["0 sessions, unlimited", "0 of 64 GiB", "0 of 1 GPU a100"]
    assert "2 of 7 sessions" in bars(admin.get(USERS).content.decode())


def test_those_over_the_limit_are_found(admin: Client, ada: User, mallory: User) -> None:
    for person in (ada, mallory):
        SessionFactory.create_batch(2, owner=person, status=S.RUNNING)
    LimitFactory.create(amount=1)
    LimitFactory.create(scope="user", user=mallory, amount=2)
    assert list(of(admin, USERS, "limits=over")) == ["ada"]


def test_a_boost_that_is_over_counts_no_more(admin: Client, ada: User) -> None:
    SessionFactory.create(owner=ada, status=S.RUNNING)
    LimitFactory.create(amount=0)
    until = timezone.now() + timedelta(minutes=1)
    boost = LimitFactory.create(scope="user", user=ada, amount=5, expires_at=until)
    assert list(of(admin, USERS, "limits=over")) == []
    Limit.objects.filter(pk=boost.pk).update(expires_at=timezone.now())
    assert list(of(admin, USERS, "limits=over")) == ["ada"]


def test_the_list_of_groups_shows_members_and_pools(admin: Client, physics: Group) -> None:
    LimitFactory.create(scope="pool", group=physics, resource="cpu_milli", amount=8000)
    LimitFactory.create(scope="group", group=physics, amount=4)
    SessionFactory.create(charged_to=physics, status=S.RUNNING)
    page = admin.get(GROUPS)
    [row] = [row for row in page.context["cl"].result_list if row == physics]
    assert (row.members, row.of_each) == (1, "4 sessions")
    assert [each.text for each in row.standings][:2] == ["1 session, unlimited", "1 of 8 CPU"]
    assert list(of(admin, GROUPS, "limits=over")) == []
    Limit.objects.filter(scope="pool").update(amount=500)
    assert list(of(admin, GROUPS, "limits=over")) == ["physics"]


def test_a_limit_for_many_is_foreseen_then_set(admin: Client, olga: User) -> None:
    people = UserFactory.create_batch(3)
    chosen = [person.pk for person in people]
    SessionFactory.create_batch(2, owner=people[0], status=S.RUNNING)
    first = act(admin, USERS, "set_limit", chosen)
    assert "foreseen" not in first.context
    check = act(admin, USERS, "set_limit", chosen, **asked())
    assert check.context["foreseen"].users == (people[0].username,)
    assert not Limit.objects.exists()
    done = act(admin, USERS, "set_limit", chosen, **asked(seen=check.context["seen"]))
    assert done.status_code == 302
    limits = Limit.objects.order_by("user")
    assert list(limits.values_list("scope", "user", "resource", "amount", "set_by")) == [
        ("user", pk, "sessions", 1, olga.pk) for pk in chosen
    ]
    assert NotebookSession.objects.filter(status=S.RUNNING).count() == 2


def test_what_was_not_foreseen_is_not_set(admin: Client, ada: User) -> None:
    check = act(admin, USERS, "set_limit", [ada.pk], **asked())
    other = asked(amount="0", seen=check.context["seen"])
    again = act(admin, USERS, "set_limit", [ada.pk], **other)
    assert (again.status_code, Limit.objects.count()) == (200, 0)


def test_a_boost_has_an_end_and_a_reason(admin: Client, ada: User) -> None:
    bare = act(admin, USERS, "boost", [ada.pk], **asked())
    assert set(bare.context["form"].errors) == {"until", "reason"}
    until = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    given = asked(
        amount="9", reason="deadline", until_0=f"{until:%Y-%m-%d}", until_1=f"{until:%H:%M}"
    )
    check = act(admin, USERS, "boost", [ada.pk], **given)
    act(admin, USERS, "boost", [ada.pk], **given, seen=check.context["seen"])
    boost = Limit.objects.get()
    assert (boost.amount, boost.expires_at, boost.reason) == (9, until, "deadline")


@pytest.mark.parametrize("scope", ["group", "pool"])
def test_a_limit_for_groups_is_for_members_or_pools(
    admin: Client, physics: Group, scope: str
) -> None:
    chemistry = Group.objects.create(name="chemistry")
    chosen = [physics.pk, chemistry.pk]
    given = asked(scope=scope, amount="2 TiB", resource="storage_mib")
    check = act(admin, GROUPS, "set_limit", chosen, **given)
    act(admin, GROUPS, "set_limit", chosen, **given, seen=check.context["seen"])
    limits = Limit.objects.order_by("group")
    assert list(limits.values_list("scope", "group", "amount")) == [
        (scope, pk, 2 * 1024**2) for pk in chosen
    ]


def test_a_limit_that_is_there_is_replaced(admin: Client, ada: User) -> None:
    kept = LimitFactory.create(scope="user", user=ada, amount=9)
    check = act(admin, USERS, "set_limit", [ada.pk], **asked(amount="unlimited"))
    seen = check.context["seen"]
    act(admin, USERS, "set_limit", [ada.pk], **asked(amount="unlimited", seen=seen))
    limit = Limit.objects.get()
    assert (limit.pk, limit.amount) == (kept.pk, None)


def test_a_wrong_amount_for_many_is_refused_at_its_field(admin: Client, ada: User) -> None:
    page = act(admin, USERS, "set_limit", [ada.pk], **asked(resource="memory_mib", amount="10G"))
    assert page.context["form"].errors["amount"] == [
        "A number with MiB, GiB or TiB is needed, such as “10 GiB”; or “unlimited”."
    ]


def test_who_may_only_look_sets_nothing(ada: User) -> None:
    staff = UserFactory.create(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "view_limit"]))
    browser = browser_of(staff)
    act(browser, USERS, "set_limit", [ada.pk], **asked())
    assert browser.get(f"{USERS}{ada.pk}/change/").status_code == 200
    assert not Limit.objects.exists()


def inline(prefix: str, *rows: dict[str, object], there: int = 0) -> dict[str, object]:
    data: dict[str, object] = {
        f"{prefix}-TOTAL_FORMS": len(rows),
        f"{prefix}-INITIAL_FORMS": there,
    }
    for number, row in enumerate(rows):
        data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


def test_a_groups_limits_are_set_on_its_page(admin: Client, olga: User, physics: Group) -> None:
    there = LimitFactory.create(scope="group", group=physics, amount=1)
    data = {
        "name": "physics",
        **inline(
            "limits",
            {"id": there.pk, "group": physics.pk, "resource": "sessions", "amount": "4"},
            {"group": physics.pk, "resource": "cpu_milli", "amount": "0.5"},
            there=1,
        ),
        **inline("limits-2", {"group": physics.pk, "resource": "sessions", "amount": "10"}),
    }
    response = admin.post(f"{GROUPS}{physics.pk}/change/", data)
    assert response.status_code == 302
    limits = Limit.objects.order_by("scope", "resource")
    assert list(limits.values_list("scope", "resource", "amount", "set_by")) == [
        ("group", "cpu_milli", 500, olga.pk),
        ("group", "sessions", 4, olga.pk),
        ("pool", "sessions", 10, olga.pk),
    ]
    entries = AuditEntry.objects.filter(object_kind="limit").order_by("object_label")
    assert list(entries.values_list("action", "object_label", "before")) == [
        ("limit.created", "each member of physics: 0.5 CPU", {}),
        ("limit.changed", "each member of physics: 4 sessions", {"amount": "1 session"}),
        ("limit.created", "the pool of physics: 10 sessions", {}),
    ]


def test_two_limits_for_the_same_are_refused_on_a_groups_page(
    admin: Client, physics: Group
) -> None:
    row = {"group": physics.pk, "resource": "sessions", "amount": "4"}
    data = {"name": "physics", **inline("limits", row, row), **inline("limits-2")}
    response = admin.post(f"{GROUPS}{physics.pk}/change/", data)
    assert "Two of these are for the same." in response.content.decode()
    LimitFactory.create(scope="group", group=physics)
    data = {"name": "physics", **inline("limits", row), **inline("limits-2")}
    response = admin.post(f"{GROUPS}{physics.pk}/change/", data)
    assert "There is such a limit already." in response.content.decode()
    assert Limit.objects.get().amount == 3


def test_a_users_limits_are_set_on_their_page(operator: User, ada: User) -> None:
    data = {
        "username": "ada",
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00",
        **inline("limits", {"user": ada.pk, "resource": "sessions", "amount": "6"}),
    }
    response = browser_of(operator).post(f"{USERS}{ada.pk}/change/", data)
    assert response.status_code == 302
    limit = Limit.objects.get()
    assert (limit.scope, limit.user, limit.amount, limit.set_by) == ("user", ada, 6, operator)


def test_a_user_with_a_running_session_is_not_deleted_and_the_page_says_where(
    operator: User, ada: User
) -> None:
    session = SessionFactory.create(owner=ada, name="thesis", status=S.RUNNING)
    LimitFactory.create(scope="user", user=ada)
    browser = browser_of(operator)
    address = f"/admin/notebooks/notebooksession/{session.pk}/change/"
    page = browser.post(f"{USERS}{ada.pk}/delete/", {"post": "yes"})
    assert page.status_code == 200
    assert f'<a href="{address}">thesis</a>' in page.content.decode()
    several = act(browser, USERS, "delete_selected", [ada.pk], post="yes")
    assert address in several.content.decode()
    assert User.objects.filter(pk=ada.pk).exists()


def test_limits_and_requests_go_with_their_user(operator: User, ada: User) -> None:
    LimitFactory.create(scope="user", user=ada)
    QuotaRequest.objects.create(user=ada, resource="sessions", amount=9, why="more")
    browser_of(operator).post(f"{USERS}{ada.pk}/delete/", {"post": "yes"})
    assert (User.objects.filter(pk=ada.pk).count(), Limit.objects.count()) == (0, 0)


def test_a_profile_in_use_is_not_deleted_and_the_page_says_where(admin: Client) -> None:
    profile = ProfileFactory.create()
    session = SessionFactory.create(profile=profile, name="thesis", status=S.STOPPED)
    address = f"/admin/notebooks/notebooksession/{session.pk}/change/"
    list_of = "/admin/quotas/resourceprofile/"
    page = admin.post(f"{list_of}{profile.pk}/delete/", {"post": "yes"})
    assert page.status_code == 200
    assert f'<a href="{address}">thesis</a>' in page.content.decode()
    several = act(admin, list_of, "delete_selected", [profile.pk], post="yes")
    assert address in several.content.decode()
    profile.refresh_from_db()
    unused = ProfileFactory.create()
    admin.post(f"{list_of}{unused.pk}/delete/", {"post": "yes"})
    assert not type(unused).objects.filter(pk=unused.pk).exists()


def test_a_profile_is_taken_out_of_use(admin: Client) -> None:
    page = admin.get("/admin/quotas/resourceprofile/add/").content.decode()
    for name in (
        "accelerator",
        "longest_life_minutes",
        "idle_limit_minutes",
        "hidden",
        "deprecated",
        "deprecation",
        "successor",
    ):
        assert f'name="{name}"' in page


# The list, and how many more it takes to find those over the limit.
QUERIES = {USERS: (13, 3), GROUPS: (12, 2)}


@pytest.mark.parametrize("url", QUERIES)
def test_the_cost_of_the_lists_does_not_grow(
    admin: Client, physics: Group, django_assert_num_queries, url: str
) -> None:
    queries, over = QUERIES[url]
    LimitFactory.create(scope="group", group=physics)
    SessionFactory.create(charged_to=physics, status=S.RUNNING)
    admin.get(url)
    with django_assert_num_queries(queries):
        admin.get(url)
    for number in range(10):
        group = Group.objects.create(name=f"group-{number}")
        session = SessionFactory.create(charged_to=group, status=S.RUNNING)
        session.owner.groups.add(group)
        LimitFactory.create(scope="group", group=group)
        LimitFactory.create(scope="pool", group=group, amount=0)
        LimitFactory.create(scope="user", user=session.owner, amount=0)
    with django_assert_num_queries(queries):
        admin.get(url)
    with django_assert_num_queries(queries + over):
        admin.get(f"{url}?limits=over")
