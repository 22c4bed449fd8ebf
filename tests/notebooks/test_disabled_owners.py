"""The sessions of a user whose account is disabled end after a grace period."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry, Channel
from notebooks import lifecycle, services
from notebooks.backends.contract import Observed, RunKey, RunState
from notebooks.backends.fake import FakeBackend
from notebooks.failures import REASONS, Mender
from notebooks.models import NotebookSession
from notebooks.reconciler import Row, StopDue, plan
from notebooks.states import SessionStatus as S
from quotas.ledger import held_in_all
from tests.conftest import browser_of
from tests.history import history
from tests.sessions import key_of, moves, state_of, tick
from volumes.models import Volume

pytestmark = pytest.mark.django_db

GRACE = timedelta(minutes=60)


def disable(user: User, *, ago: timedelta = timedelta()) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    User.objects.filter(pk=user.pk).update(disabled_at=timezone.now() - ago)


def enable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=True)


@pytest.fixture(params=["requested", "starting", "running"])
def session(request) -> NotebookSession:
    """Ada's session in each state in which it holds something."""
    made: NotebookSession = request.getfixturevalue(request.param)
    return made


def test_a_session_ends_when_the_grace_is_over_and_gives_back_what_it_held(
    ada: User, session: NotebookSession, backend: FakeBackend
) -> None:
    volumes = set(Volume.objects.values_list("pk", "state"))
    assert held_in_all()["cpu_milli"] == 1000
    was = state_of(session)
    disable(ada, ago=GRACE)

    tick()
    backend.settle()
    tick()

    session.refresh_from_db()
    assert (session.status, session.reason_code) == (S.STOPPED, "owner_disabled")
    assert session.reason == (
        "The owner's account was disabled, and has not been enabled within 1 h."
    )
    assert (was, S.STOPPING, "owner_disabled") in moves(session)
    assert backend.observe_all() == {}
    assert held_in_all().get("cpu_milli", 0) == 0
    assert set(Volume.objects.values_list("pk", "state")) == volumes
    entry = AuditEntry.objects.get(action="session.stopped")
    assert (entry.object_id, entry.on_behalf_of_name) == (str(session.pk), "ada")
    assert (entry.actor_id, entry.channel) == (None, Channel.SERVICE)
    assert entry.after == {"code": "owner_disabled"}


def test_a_session_goes_on_within_the_grace(
    ada: User, session: NotebookSession, mallory: User
) -> None:
    disable(ada, ago=GRACE - timedelta(seconds=30))
    # Another's end has no say in it.
    disable(mallory, ago=2 * GRACE)
    tick()
    assert state_of(session) in {S.STARTING, S.RUNNING}
    assert not AuditEntry.objects.filter(action="session.stopped").exists()


def test_who_is_enabled_within_the_grace_keeps_their_sessions_and_begins_anew(
    ada: User, running: NotebookSession
) -> None:
    disable(ada, ago=GRACE - timedelta(minutes=1))
    enable(ada)
    tick()
    User.objects.filter(pk=ada.pk).update(is_active=False)
    tick()
    assert state_of(running) == S.RUNNING
    ada.refresh_from_db()
    assert ada.disabled_at is not None
    assert timezone.now() - ada.disabled_at < timedelta(minutes=1)


def test_what_is_due_is_not_done_once_the_account_is_enabled(
    ada: User, running: NotebookSession
) -> None:
    disable(ada, ago=GRACE)
    ada.refresh_from_db()
    seen = ada.disabled_at
    enable(ada)
    lifecycle.stop_due(key_of(running), code="owner_disabled", message="x", owner_disabled_at=seen)
    assert state_of(running) == S.RUNNING
    disable(ada, ago=2 * GRACE)
    lifecycle.stop_due(key_of(running), code="owner_disabled", message="x", owner_disabled_at=seen)
    assert state_of(running) == S.RUNNING


@pytest.mark.parametrize("status", [S.REQUESTED, S.STARTING, S.RUNNING])
@pytest.mark.parametrize("state", [None, *RunState])
def test_it_ends_whatever_is_seen_of_it_and_is_not_started_again(
    status: S, state: RunState | None
) -> None:
    now = timezone.now()
    key = RunKey(UUID(int=1), UUID(int=2))
    row = Row(
        key=key,
        status=status,
        status_changed_at=now - GRACE,
        created_at=now - GRACE,
        owner_disabled_at=now - GRACE,
        disabled_grace=GRACE,
    )
    seen = {key: Observed(key=key, state=state, failure_code="node_lost")} if state else {}
    for grace, ends in ((GRACE, True), (GRACE + timedelta(seconds=1), False)):
        [*actions] = plan(
            [replace(row, disabled_grace=grace)], seen, observed_at=now, start_timeout=GRACE
        )
        codes = [each.code for each in actions if isinstance(each, StopDue)]
        assert codes == (["owner_disabled"] if ends else [])
        assert not (ends and len(actions) > 1)


def test_one_that_is_started_after_the_grace_ends_again(
    ada: User, stopped: NotebookSession, backend: FakeBackend
) -> None:
    disable(ada, ago=2 * GRACE)
    services.start_session(session=stopped, actor=ada)
    tick()
    assert state_of(stopped) == S.STOPPED
    assert backend.observe_all() == {}
    enable(ada)
    stopped.refresh_from_db()
    assert services.start_session(session=stopped, actor=ada).status == S.REQUESTED


def test_without_a_grace_sessions_end_at_once(ada: User, running: NotebookSession, settings):
    settings.DISABLED_GRACE = timedelta()
    User.objects.filter(pk=ada.pk).update(is_active=False)
    tick()
    running.refresh_from_db()
    assert running.reason == "The owner's account was disabled."
    assert running.status in {S.STOPPING, S.STOPPED}


def by_form(operator: User, user: User) -> None:
    joined = user.date_joined
    given = {
        "username": user.username,
        "date_joined_0": joined.date().isoformat(),
        "date_joined_1": joined.time().isoformat(),
    }
    page = browser_of(operator)
    url = reverse("admin:accounts_user_change", args=[user.pk])
    for inline in page.get(url).context["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        given |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    assert page.post(url, given).status_code == 302


def by_save(_: User, user: User) -> None:
    user.is_active = False
    user.save()
    # Again, from before the database wrote it.
    user.save()


def by_query(_: User, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def by_bulk_update(_: User, user: User) -> None:
    user.is_active = False
    User.objects.bulk_update([user], ["is_active"])


@pytest.mark.parametrize("way", [by_form, by_save, by_query, by_bulk_update])
def test_every_way_of_disabling_counts(way, operator: User, ada: User) -> None:
    before = timezone.now()
    assert ada.disabled_at is None
    way(operator, ada)
    disabled = User.objects.get(pk=ada.pk)
    assert not disabled.is_active
    assert disabled.disabled_at is not None
    # The time of the transaction, which in this test is that of the test.
    assert abs(disabled.disabled_at - before) < timedelta(minutes=1)
    ada.is_active = True
    ada.save()
    ada.refresh_from_db()
    assert ada.disabled_at is None


def test_who_is_made_disabled_is_disabled_from_then_on(db: None) -> None:
    user = User.objects.create(username="later", is_active=False)
    user.refresh_from_db()
    assert user.disabled_at is not None


def test_other_changes_do_not_prolong_the_grace(ada: User) -> None:
    disable(ada, ago=GRACE)
    ada.refresh_from_db()
    since = ada.disabled_at
    User.objects.filter(pk=ada.pk).update(email="ada@example.com", is_active=False)
    ada.refresh_from_db()
    assert ada.disabled_at == since


@pytest.mark.django_db(transaction=True)
def test_who_was_disabled_before_the_upgrade_has_the_grace_from_then_on() -> None:
    with history() as at:
        old = at([("accounts", "0005_kept_answers")]).get_model("accounts", "User")
        old.objects.create(username="ada", is_active=False)
        old.objects.create(username="grace")
        before = timezone.now()
        new = at([("accounts", "0007_disabled_at_trigger")]).get_model("accounts", "User")
        assert new.objects.get(username="ada").disabled_at >= before
        assert new.objects.get(username="grace").disabled_at is None


def test_the_owner_is_told_when_the_account_is_enabled(ada: User, running: NotebookSession):
    assert REASONS["owner_disabled"].mender is Mender.OPERATOR
    disable(ada, ago=GRACE)
    tick()
    enable(ada)
    page = Client()
    page.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    text = page.get(reverse("session", args=[running.pk])).text
    assert "The owner&#x27;s account was disabled" in text
