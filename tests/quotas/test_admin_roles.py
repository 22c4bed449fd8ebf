"""The group Operators: all that quotas need, and no more."""

import html

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User, UserSecret
from accounts.vault import keep_secret
from notebooks.states import SessionStatus as S
from quotas.models import Limit, QuotaRequest, ResourceProfile
from tests.conftest import browser_of
from tests.factories import LimitFactory, ProfileFactory, SessionFactory, UserFactory
from tests.quotas.conftest import operators
from tests.quotas.test_placement import form

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "page",
    [
        "/admin/",
        "/admin/quotas/limit/",
        "/admin/quotas/limit/add/",
        "/admin/quotas/limit/inspect/",
        "/admin/quotas/limit/export/",
        "/admin/quotas/limit/import/",
        "/admin/quotas/quotarequest/",
        "/admin/quotas/reservation/",
        "/admin/quotas/resourceprofile/add/",
        "/admin/notebooks/notebooksession/",
        "/admin/notebooks/notebooksession/reports/",
        "/admin/notebooks/sessionevent/",
        "/admin/volumes/volume/?use=none",
        "/admin/accounts/user/?limits=over",
        "/admin/auth/group/?limits=over",
        "/admin/accounts/user/{ada}/change/",
        "/admin/audit/auditentry/",
        "/admin/audit/auditentry/export/",
    ],
)
def test_operators_see_what_they_need(admin: Client, ada: User, page: str) -> None:
    assert admin.get(page.format(ada=ada.pk)).status_code == 200


def test_operators_see_who_would_be_asked_for(admin: Client, ada: User) -> None:
    query = "term=ad&app_label=quotas&model_name=limit&field_name=user"
    found = admin.get(f"/admin/autocomplete/?{query}").json()["results"]
    assert found == [{"id": str(ada.pk), "text": "ada"}]


@pytest.mark.parametrize(
    "page",
    [
        "/admin/accounts/user/add/",
        "/admin/accounts/user/{ada}/password/",
        "/admin/accounts/user/{ada}/delete/",
        "/admin/auth/group/add/",
        "/admin/accounts/apitoken/",
        "/admin/accounts/signin/",
        "/admin/environments/environment/",
        "/admin/volumes/volume/add/",
        "/admin/quotas/reservation/add/",
        "/admin/quotas/quotarequest/add/",
    ],
)
def test_operators_see_no_more(admin: Client, ada: User, page: str) -> None:
    assert admin.get(page.format(ada=ada.pk)).status_code == 403


def test_operators_do_not_make_themselves_more(admin: Client, olga: User) -> None:
    given = {"username": "olga", "is_staff": "on", "is_superuser": "on", "is_active": "on"}
    assert admin.post(f"/admin/accounts/user/{olga.pk}/change/", given).status_code == 403
    group = Group.objects.get(name="Operators")
    rights = set(group.permissions.all())
    every = [right.pk for right in Permission.objects.all()]
    empty = {
        f"limits{each}-{name}_FORMS": 0 for each in ("", "-2") for name in ("TOTAL", "INITIAL")
    }
    admin.post(
        f"/admin/auth/group/{group.pk}/change/",
        {"name": "Operators", "permissions": every, **empty},
    )
    assert set(group.permissions.all()) == rights
    olga.refresh_from_db()
    assert not olga.is_superuser


def test_operators_see_no_secrets(admin: Client, ada: User) -> None:
    keep_secret(owner=ada, name="TOKEN", kind="variable", value="hush-hush-hush")
    page = admin.get(f"/admin/accounts/user/{ada.pk}/change/").content.decode()
    assert UserSecret.objects.count() == 1
    assert "hush" not in page
    assert ada.password not in page


def test_operators_set_limits_stop_sessions_and_decide(admin: Client, ada: User) -> None:
    session = SessionFactory.create(owner=ada, status=S.RUNNING)
    asked = QuotaRequest.objects.create(user=ada, resource="sessions", amount=9, why="More.")
    LimitFactory.create(amount=1)
    data = {"scope": "user", "user": ada.pk, "resource": "volumes", "amount": "2", "reason": ""}
    admin.post("/admin/quotas/limit/add/", data)
    admin.post(f"/admin/quotas/quotarequest/{asked.pk}/change/", {"_grant": "yes", "amount": "9"})
    assert list(
        Limit.objects.filter(user=ada).order_by("resource").values_list("resource", "amount")
    ) == [
        ("sessions", 9),
        ("volumes", 2),
    ]
    chosen = {"action": "stop", "_selected_action": [session.pk]}
    admin.post("/admin/notebooks/notebooksession/", chosen)
    session.refresh_from_db()
    assert session.status == S.STOPPING
    own = LimitFactory.create(scope="site")
    admin.post(f"/admin/quotas/limit/{own.pk}/delete/", {"post": "yes"})
    assert not Limit.objects.filter(pk=own.pk).exists()
    profile = ProfileFactory.create()
    assert admin.get(f"/admin/quotas/resourceprofile/{profile.pk}/change/").status_code == 200


RIGHT = "accounts | user | Can configure what everybody's sessions run"


@pytest.mark.parametrize("has_right", [False, True])
def test_what_runs_in_everybodys_sessions_takes_a_right_of_its_own(
    admin: Client, olga: User, *, has_right: bool
) -> None:
    if has_right:
        olga.user_permissions.add(Permission.objects.get(codename="configure_workloads"))
    profile = ProfileFactory.create(name="large", priority_class="people", position=1)
    page = f"/admin/quotas/resourceprofile/{profile.pk}/change/"
    shown = admin.get(page).text
    assert RIGHT in html.unescape(shown)
    for field in ("priority_class", "service_account", "pod_patch"):
        assert (f'name="{field}"' in shown) is has_right
    asked = form(
        profile,
        position="2",
        priority_class="urgent",
        service_account="admin",
        pod_patch='{"labels": {"a": "b"}}',
    )
    assert admin.post(page, asked).status_code == 302
    assert (
        admin.post("/admin/quotas/resourceprofile/add/", {**asked, "name": "new"}).status_code
        == 302
    )
    for name, priority_class in (("large", "people"), ("new", "")):
        found = ResourceProfile.objects.get(name=name)
        assert found.position == 2
        kept = (found.priority_class, found.service_account, found.pod_patch)
        if has_right:
            assert kept == ("urgent", "admin", {"labels": {"a": "b"}})
        else:
            assert kept == (priority_class, "", {})


def test_nobody_has_that_right_before_it_is_given(olga: User) -> None:
    root = UserFactory.create(is_staff=True, is_superuser=True)
    for codename in ("configure_workloads", "view_task_monitor"):
        assert not Group.objects.filter(permissions__codename=codename).exists()
        assert not olga.has_perm(f"accounts.{codename}")
        assert root.has_perm(f"accounts.{codename}")


def test_what_a_site_makes_of_the_group_stays(olga: User) -> None:
    group = Group.objects.get(name="Operators")
    group.permissions.clear()
    operators.make_operators(apps, None)
    assert not group.permissions.exists()


def test_being_an_operator_takes_being_staff(olga: User) -> None:
    plain = UserFactory.create()
    plain.groups.add(Group.objects.get(name="Operators"))
    assert browser_of(plain).get("/admin/quotas/limit/").status_code == 302
