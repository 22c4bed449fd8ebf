"""What operators look at: the start page, the reports, and the ledger put right on demand."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.models import User
from notebooks import reports, tasks
from notebooks.states import SessionStatus as S
from quotas.models import QuotaRequest, Reservation
from submarine_site.dashboard import plot
from tests.broker import Broker
from tests.conftest import browser_of
from tests.factories import LimitFactory, ProfileFactory, SessionFactory, UserFactory, VolumeFactory

pytestmark = pytest.mark.django_db

REPORTS = "/admin/notebooks/notebooksession/reports/"


def test_the_start_page_says_how_the_service_does(operator: User, broker: Broker) -> None:
    SessionFactory.create_batch(2, status=S.RUNNING)
    SessionFactory.create(status=S.FAILED, reason_code="server_lost")
    LimitFactory.create(scope="site", resource="cpu_milli", amount=64000)
    QuotaRequest.objects.create(user=operator, resource="sessions", amount=9, why="More.")
    page = browser_of(operator).get("/admin/")
    shown = page.context["dashboard"]
    assert dict(shown["sessions"]) | {"Running": 2, "Failed": 1} == dict(shown["sessions"])
    assert re.findall("<span>([^<]+)", shown["site"]) == [
        "2 sessions, unlimited",
        "2 of 64 CPU",
        "4 GiB, unlimited",
    ]
    assert (shown["requests"], shown["waiting"]) == (1, 0)
    assert shown["started"].total == 3
    assert page.content.decode().count("<rect") == 48


def test_failures_of_today_are_told_by_what_they_are(operator: User) -> None:
    session = SessionFactory.create(status=S.RUNNING)
    type(session).objects.transition(session.pk, S.FAILED, code="server_lost", message="Gone.")
    shown = browser_of(operator).get("/admin/").context["dashboard"]
    assert shown["failures"] == [("server_lost", "The notebook server is gone", 1)]
    assert shown["failed"].total == 1


def test_the_cost_of_the_start_page_does_not_grow(
    operator: User, django_assert_num_queries
) -> None:
    browser = browser_of(operator)
    browser.get("/admin/")
    with django_assert_num_queries(START_QUERIES):
        browser.get("/admin/")
    SessionFactory.create_batch(5, status=S.RUNNING)
    with django_assert_num_queries(START_QUERIES):
        browser.get("/admin/")


START_QUERIES = 12


def test_staff_without_the_rights_get_no_figures() -> None:
    staff = UserFactory.create(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_environment"))
    assert "dashboard" not in browser_of(staff).get("/admin/").context


def test_a_plot_has_a_bar_for_each_hour() -> None:
    now = datetime(2026, 1, 2, 12, 34, tzinfo=UTC)
    shown = plot([(datetime(2026, 1, 2, 12, tzinfo=UTC), 4)], now=now)
    assert (len(shown.bars), shown.total, shown.most) == (24, 4, 4)
    assert [bar.height for bar in shown.bars] == [0] * 23 + [40]
    assert (shown.bars[-1].title, shown.bars[0].title) == ("12:00: 4", "13:00: 0")


def test_reports_name_who_holds_most(operator: User, ada: User) -> None:
    SessionFactory.create_batch(2, owner=ada, status=S.RUNNING)
    other = SessionFactory.create(status=S.RUNNING).owner
    top = {each.resource: each.users for each in reports.top_users()}
    assert top["sessions"] == [(ada, "2 sessions"), (other, "1 session")]
    page = browser_of(operator).get(REPORTS).content.decode()
    assert f"/admin/accounts/user/{ada.pk}/change/" in page


def test_reports_name_the_idlest_gpus_first() -> None:
    big = ProfileFactory.create(gpus=1)
    now = timezone.now()
    busy, idle = (
        SessionFactory.create(
            profile=big, status=S.RUNNING, last_activity_at=now - timedelta(hours=ago)
        )
        for ago in (1, 5)
    )
    SessionFactory.create(profile=big, status=S.STOPPED)
    SessionFactory.create(status=S.RUNNING)
    assert list(reports.idle_gpu_holders()) == [idle, busy]


def test_reports_name_volumes_that_nobody_uses(operator: User) -> None:
    volume = VolumeFactory.create(size_mib=4096)
    assert (volume, "4 GiB") in reports.unused_volumes()
    assert volume.name in browser_of(operator).get(REPORTS).content.decode()


def test_the_ledger_is_put_right_by_a_worker(operator: User, broker: Broker, ada: User) -> None:
    browser = browser_of(operator)
    SessionFactory.create(owner=ada, status=S.REQUESTED)
    Reservation.objects.all().delete()
    left = Reservation.of(
        kind=Reservation.Kind.SESSION, holder=uuid4(), user_id=ada.pk, amounts={"sessions": 1}
    )
    left.save()
    assert browser.post(REPORTS).status_code == 302
    assert [name for name, _ in broker.take()] == ["settle_ledger"]
    assert reports.last_found() is None
    tasks.settle_ledger()
    found = reports.last_found()
    assert found is not None
    assert (found.lacking, found.left) == (1, 1)
    page = " ".join(browser.get(REPORTS).content.decode().split())
    assert "1 run was not counted, 1 was counted that is none. Both are put right." in page
    tasks.settle_ledger()
    assert "nothing was out of order" in browser.get(REPORTS).content.decode()


def test_who_may_only_look_puts_nothing_right(broker: Broker) -> None:
    staff = UserFactory.create(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_notebooksession"))
    browser = browser_of(staff)
    assert browser.get(REPORTS).status_code == 200
    assert browser.post(REPORTS).status_code == 403
    assert broker.take() == []
