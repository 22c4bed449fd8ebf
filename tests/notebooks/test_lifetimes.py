"""How long a run may go on, what its size says of that now, and which sizes are offered."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from environments.models import Environment
from notebooks import lifecycle, services
from notebooks.backends.fake import FakeBackend
from notebooks.gateway.contract import Probed
from notebooks.idleness import claim_probes, record_probes
from notebooks.lifetimes import Signal
from notebooks.models import NotebookSession, Run
from notebooks.states import SessionStatus as S
from quotas.models import ResourceProfile
from submarine_site.core.errors import InvalidInput
from tests.factories import ProfileFactory, SessionFactory
from tests.sessions import key_of, moves, run_of, state_of, tick

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def page(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def give(session: NotebookSession, *, ran: timedelta = timedelta(), **values: object) -> None:
    """Have its run have these limits, and be ready for so long."""
    ready_at = timezone.now() - ran
    Run.objects.filter(session=session).update(ready_at=ready_at, **values)
    NotebookSession.objects.filter(pk=session.pk).update(
        last_activity_at=ready_at, status_changed_at=ready_at
    )


def text_of(page: Client, session: NotebookSession) -> str:
    said = page.get(reverse("session", args=[session.pk])).content.decode()
    return " ".join(said.split())


def test_a_size_that_is_hidden_is_not_offered_and_can_still_be_started(
    page: Client, api: APIClient, stopped: NotebookSession, plain: Environment
) -> None:
    ada = stopped.owner
    ResourceProfile.objects.update(hidden=True)
    ProfileFactory(name="shown")
    assert [each["name"] for each in api.get("/api/v2/profiles").json()] == ["shown"]
    assert api.get("/api/v2/profiles/small").json()["name"] == "small"
    assert 'value="small"' not in page.get(reverse("session-new")).content.decode()
    with pytest.raises(InvalidInput) as refusal:
        services.create_session(owner=ada, profile="small", environment=plain.name)
    assert list(refusal.value.fields) == ["profile"]
    assert services.start_session(session=stopped, actor=ada).status == S.REQUESTED


def test_a_size_that_is_switched_off_can_not_be_started(
    ada: User, stopped: NotebookSession
) -> None:
    ResourceProfile.objects.update(enabled=False)
    with pytest.raises(InvalidInput) as refusal:
        services.start_session(session=stopped, actor=ada)
    assert refusal.value.fields == {"profile": "There is no such size that you may use."}
    assert state_of(stopped) == S.STOPPED


def test_a_size_that_is_deprecated_says_why_and_what_to_use(
    page: Client, api: APIClient, stopped: NotebookSession, small: ResourceProfile
) -> None:
    successor = ProfileFactory(name="next", display_name="Next")
    ResourceProfile.objects.filter(pk=small.pk).update(
        deprecated=True, deprecation="Its machines go.", successor=successor
    )
    said = api.get("/api/v2/profiles/small").json()
    assert (said["deprecated"], said["deprecation"], said["successor"]) == (
        True,
        "Its machines go.",
        "next",
    )
    assert "Deprecated. Its machines go. Use Next for new work." in text_of(page, stopped)
    asked = "The size “Small” that was asked for is deprecated. Its machines go. Use Next."
    assert asked in page.get(reverse("session-new") + "?profile=small").content.decode()
    plainly = page.get(reverse("session-new")).content.decode()
    assert asked not in plainly
    assert "Its machines go. Use Next." in plainly


def test_a_size_cannot_take_its_own_place(small: ResourceProfile) -> None:
    small.successor = small
    with pytest.raises(ValidationError) as refusal:
        small.full_clean()
    assert list(refusal.value.message_dict) == ["successor"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("longest_life_minutes", 0),
        ("longest_life_minutes", -1),
        ("longest_life_minutes", 10**9),
        ("longest_life_minutes", "1.5"),
        ("longest_life_minutes", "NaN"),
        ("idle_limit_minutes", 4),
        ("idle_limit_minutes", 10**400),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(
    small: ResourceProfile, field: str, value: object
) -> None:
    setattr(small, field, value)
    with pytest.raises(ValidationError) as refusal:
        small.full_clean()
    assert list(refusal.value.message_dict) == [field]


def test_a_run_keeps_what_its_size_was_and_the_page_says_what_it_is_now(
    page: Client, api: APIClient, ada: User, running: NotebookSession, backend: FakeBackend
) -> None:
    assert "The next start takes it." not in text_of(page, running)
    ResourceProfile.objects.update(memory_mib=4096, longest_life_minutes=480)
    said = (
        "The size Small now has 1 CPU · 4 GiB, longest life 8 h; this run has 1 CPU · 2 GiB, no "
        "longest life. The next start takes it."
    )
    assert said in text_of(page, running)
    read = api.get(f"/api/v2/sessions/{running.pk}").json()
    assert read["size_change"] == said
    assert (read["run"]["memory_mib"], read["run"]["longest_life_minutes"]) == (2048, None)
    services.stop_session(session=running, actor=ada)
    lifecycle.halt(key_of(running))
    backend.settle()
    tick()
    services.start_session(session=running, actor=ada)
    run = run_of(running)
    assert (run.memory_mib, run.longest_life_minutes, run.idle_limit_minutes) == (4096, 480, None)
    assert api.get(f"/api/v2/sessions/{running.pk}").json()["size_change"] == ""


def test_a_run_is_stopped_when_its_longest_life_is_over(
    running: NotebookSession, backend: FakeBackend
) -> None:
    give(running, ran=HOUR - MINUTE, longest_life_minutes=60)
    tick()
    assert state_of(running) == S.RUNNING
    give(running, ran=HOUR, longest_life_minutes=60)
    # Whatever it does.
    NotebookSession.objects.stamp_activity({running.pk: timezone.now()})
    tick()
    running.refresh_from_db()
    assert (running.status, running.reason_code, running.reason) == (
        S.STOPPING,
        "lifetime_over",
        "It ran for 1 h, the longest that its size allows.",
    )
    backend.settle()
    tick()
    assert moves(running)[-2:] == [
        (S.RUNNING, S.STOPPING, "lifetime_over"),
        (S.STOPPING, S.STOPPED, "lifetime_over"),
    ]


def test_a_run_without_a_longest_life_runs_on(running: NotebookSession) -> None:
    give(running, ran=1000 * HOUR)
    tick()
    assert state_of(running) == S.RUNNING


def test_a_start_begins_the_time_anew(running: NotebookSession) -> None:
    give(running, ran=timedelta(), longest_life_minutes=60)
    Run.objects.filter(session=running).update(created_at=timezone.now() - 5 * HOUR)
    tick()
    assert state_of(running) == S.RUNNING


def test_the_end_is_told_before_and_warned_of_when_near(
    page: Client, api: APIClient, running: NotebookSession
) -> None:
    give(running, ran=HOUR, longest_life_minutes=120)
    stops_at = run_of(running).stops_at
    assert stops_at is not None
    assert "stops at the latest at <time" in text_of(page, running)
    assert f"{timezone.localtime(stops_at):%H:%M} to" in text_of(page, running)
    assert "Its time is over" not in text_of(page, running)
    told = api.get(f"/api/v2/sessions/{running.pk}").json()["run"]["stops_at"]
    assert told == stops_at.isoformat().replace("+00:00", "Z")
    give(running, ran=110 * MINUTE, longest_life_minutes=120)
    assert "Its time is over <span" in text_of(page, running)
    assert ">in 9 min 5" in text_of(page, running)


def test_an_idle_run_is_stopped_once_its_server_has_said_so(running: NotebookSession) -> None:
    give(running, ran=HOUR + MINUTE, idle_limit_minutes=60)
    tick()
    assert state_of(running) == S.RUNNING
    # Said before its time was over: something may have happened since.
    Run.objects.update(probed_at=timezone.now() - MINUTE)
    tick()
    assert state_of(running) == S.RUNNING
    Run.objects.update(probed_at=timezone.now())
    tick()
    running.refresh_from_db()
    assert (running.reason_code, running.reason) == (
        "idle_stop",
        "Nothing happened in it for 1 h, the longest that its size allows.",
    )


def test_what_happens_keeps_a_run(running: NotebookSession) -> None:
    give(running, ran=2 * HOUR, idle_limit_minutes=60)
    NotebookSession.objects.stamp_activity({running.pk: timezone.now() - 59 * MINUTE})
    Run.objects.update(probed_at=timezone.now())
    tick()
    assert state_of(running) == S.RUNNING


def test_what_happens_at_the_last_moment_keeps_a_run(running: NotebookSession) -> None:
    give(running, ran=2 * HOUR, idle_limit_minutes=60)
    Run.objects.update(probed_at=timezone.now())
    running.refresh_from_db()
    since = running.last_activity_at
    NotebookSession.objects.stamp_activity({running.pk: timezone.now()})
    lifecycle.stop_due(key_of(running), code="idle_stop", message="Idle.", idle_since=since)
    assert state_of(running) == S.RUNNING


def test_what_an_earlier_run_left_does_not_stop_the_next(
    ada: User, running: NotebookSession, backend: FakeBackend
) -> None:
    give(running, ran=2 * HOUR, idle_limit_minutes=60)
    Run.objects.update(probed_at=timezone.now())
    tick()
    backend.settle()
    tick()
    assert state_of(running) == S.STOPPED
    ResourceProfile.objects.update(idle_limit_minutes=60)
    services.start_session(session=running, actor=ada)
    tick()
    backend.settle()
    tick()
    running.refresh_from_db()
    assert (running.status, running.last_activity_signal) == (S.RUNNING, Signal.START)
    assert run_of(running).probed_at is None
    tick()
    assert state_of(running) == S.RUNNING


def test_the_page_counts_down_and_says_what_was_last(
    page: Client, api: APIClient, running: NotebookSession
) -> None:
    give(running, ran=HOUR, idle_limit_minutes=180)
    assert "by its start" in text_of(page, running)
    assert "idle stop <span" in text_of(page, running)
    assert ">in 1 h 59 min<" in text_of(page, running)
    at = timezone.now()
    NotebookSession.objects.stamp_activity({running.pk: at}, Signal.KERNEL)
    NotebookSession.objects.stamp_activity({running.pk: at - MINUTE}, Signal.USE)
    assert "just now</time>, by a kernel" in text_of(page, running)
    read = api.get(f"/api/v2/sessions/{running.pk}").json()
    assert read["last_activity_signal"] == "kernel"
    assert read["idle_stop_at"] == (at + 3 * HOUR).isoformat().replace("+00:00", "Z")


def probed(
    session: NotebookSession, *, kernel_at: datetime | None = None, failure: str = ""
) -> None:
    """Have its server be asked, and say this."""
    record_probes(
        [
            Probed(
                session_id=session.pk,
                run_id=run_of(session).pk,
                asked_at=timezone.now(),
                kernel_at=kernel_at,
                failure=failure,
            )
        ]
    )


def test_those_alone_are_asked_that_are_near_their_limit(running: NotebookSession) -> None:
    give(running, ran=5 * HOUR)
    assert claim_probes() == []
    give(running, ran=57 * MINUTE, idle_limit_minutes=60)
    assert claim_probes() == []
    give(running, ran=59 * MINUTE, idle_limit_minutes=60)
    assert claim_probes() == [run_of(running)]
    # One asks, and again after a while.
    assert claim_probes() == []
    Run.objects.update(probe_at=timezone.now())
    assert claim_probes() == [run_of(running)]


@pytest.mark.parametrize("status", [S.STARTING, S.STOPPING, S.STOPPED, S.FAILED])
def test_who_does_not_run_is_not_asked(status: S) -> None:
    session = SessionFactory.create(status=status)
    give(session, ran=5 * HOUR, idle_limit_minutes=60, address="unix:/x")
    assert claim_probes() == []


def test_a_busy_kernel_keeps_a_run_and_an_idle_one_does_not(running: NotebookSession) -> None:
    give(running, ran=2 * HOUR, idle_limit_minutes=60)
    probed(running, kernel_at=timezone.now())
    tick()
    running.refresh_from_db()
    assert (running.status, running.last_activity_signal) == (S.RUNNING, Signal.KERNEL)
    give(running, ran=2 * HOUR, idle_limit_minutes=60)
    probed(running, kernel_at=timezone.now() - 61 * MINUTE)
    tick()
    running.refresh_from_db()
    assert (running.status, running.reason_code) == (S.STOPPING, "idle_stop")


def test_a_run_of_which_it_is_not_known_runs_on_and_says_so_once(
    page: Client, running: NotebookSession
) -> None:
    give(running, ran=2 * HOUR, idle_limit_minutes=60)
    for _ in range(2):
        probed(running, failure="Jupyter answered api/kernels with 403.")
        tick()
    assert state_of(running) == S.RUNNING
    noted = running.events.get(message__startswith="Jupyter answered")
    assert noted.message == (
        "Jupyter answered api/kernels with 403. It is not stopped for being idle until that is "
        "known."
    )
    assert "Jupyter answered api/kernels with 403. It goes on until" in text_of(page, running)
    probed(running)
    assert run_of(running).probe_failure == ""
    tick()
    assert state_of(running) == S.STOPPING


def test_what_is_said_of_an_earlier_run_changes_nothing(running: NotebookSession) -> None:
    give(running, ran=2 * HOUR, idle_limit_minutes=60)
    said = Probed(
        session_id=running.pk, run_id=uuid4(), asked_at=timezone.now(), kernel_at=timezone.now()
    )
    record_probes([said])
    running.refresh_from_db()
    assert run_of(running).probed_at is None
    assert running.last_activity_at == run_of(running).ready_at
