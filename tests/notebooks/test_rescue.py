"""Rescue: a session starts although its home is full, or has in it what keeps its server away."""

from dataclasses import replace

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from notebooks import lifecycle, services
from notebooks.backends.contract import CodeSource
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from notebooks.setup import Setup
from notebooks.states import SessionStatus as S
from tests.sessions import key_of, moves, run_of, sites_homes, state_of, tick
from volumes.services import homes_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "plain")]

GOOD = {"profile": "small", "environment": "notebook-env"}


@pytest.fixture
def full(ada: User, backend: FakeBackend, settings) -> NotebookSession:
    """A session that starts in a home with no room in it."""
    sites_homes(settings, home_size="16Mi")
    setup = Setup(code=(CodeSource(url="https://git.example.com/team/project"),), opens="a.ipynb")
    session = services.create_session(owner=ada, setup=setup, **GOOD).session
    lifecycle.launch(key_of(session))
    backend.fill(homes_of([ada])[ada.pk].pk, used_mib=16)
    backend.settle()
    return session


def test_a_full_home_has_the_session_started_in_rescue(
    full: NotebookSession, backend: FakeBackend
) -> None:
    tick()
    run = run_of(full)
    assert (run.number, run.is_rescue, run.is_restart) == (2, True, False)
    assert [spec.is_rescue for spec in backend.started] == [False, True]
    assert [spec.home for spec in backend.started] == [backend.started[0].home] * 2
    backend.settle()
    tick()
    assert state_of(full) == S.RUNNING
    assert moves(full) == [
        ("", S.REQUESTED, ""),
        (S.REQUESTED, S.STARTING, ""),
        (S.STARTING, S.FAILED, "home_full"),
        (S.FAILED, S.REQUESTED, "home_full"),
        (S.REQUESTED, S.STARTING, ""),
        (S.STARTING, S.RUNNING, ""),
    ]
    said = full.events.get(to_status=S.REQUESTED, code="home_full")
    assert said.message == "The home is full: 16 of 16 MiB. It is started in rescue."
    assert said.run == run


def test_in_rescue_no_code_is_fetched_and_that_is_said(
    full: NotebookSession, backend: FakeBackend, api: APIClient
) -> None:
    tick()
    assert [len(spec.code) for spec in backend.started] == [1, 0]
    backend.settle()
    tick()
    told = api.get(f"/api/v2/sessions/{full.pk}").json()
    assert told["run"]["is_rescue"] is True
    assert [(each["status"], each["code"]) for each in told["code"]] == [
        ("failed", "code_not_in_rescue")
    ]


def test_the_next_start_is_no_rescue(
    full: NotebookSession, ada: User, backend: FakeBackend
) -> None:
    tick()
    backend.settle()
    tick()
    services.stop_session(session=full, actor=ada)
    tick()
    backend.fill(homes_of([ada])[ada.pk].pk, used_mib=3)
    backend.settle()
    tick()
    services.start_session(session=full, actor=ada)
    lifecycle.launch(key_of(full))
    backend.settle()
    tick()
    assert (state_of(full), run_of(full).is_rescue) == (S.RUNNING, False)
    assert [outcome["status"] for outcome in run_of(full).code_outcomes] == ["fetched"]


def test_a_rescue_that_is_lost_is_a_rescue_again(
    full: NotebookSession, backend: FakeBackend
) -> None:
    tick()
    lifecycle.restart(key_of(full), code="node_lost", message="Its machine was lost.")
    run = run_of(full)
    assert (run.number, run.is_rescue, run.is_restart) == (3, True, True)


def test_what_was_lost_before_is_rescued_still(full: NotebookSession, backend: FakeBackend) -> None:
    run = run_of(full)
    run.is_restart = True
    run.save(update_fields=["is_restart"])
    tick()
    again = run_of(full)
    assert (again.number, again.is_rescue, again.is_restart) == (2, True, True)


def test_a_rescue_that_does_not_help_ends(full: NotebookSession, backend: FakeBackend) -> None:
    tick()
    run = backend._runs[key_of(full)]
    run.observed = replace(run.observed, failure_code="home_full", failure_detail="Still full.")
    tick()
    full.refresh_from_db()
    assert (full.status, full.reason_code) == (S.FAILED, "home_full")
    assert full.runs.count() == 2


def test_people_ask_for_a_rescue(
    failed: NotebookSession, api: APIClient, ada: User, backend: FakeBackend
) -> None:
    answer = api.post(f"/api/v2/sessions/{failed.pk}/start", {"rescue": True})
    assert (answer.status_code, answer.json()["run"]["is_rescue"]) == (202, True)
    lifecycle.launch(key_of(failed))
    assert backend.started[-1].is_rescue
    said = failed.events.filter(to_status=S.REQUESTED).first()
    assert said is not None
    assert (said.message, said.actor) == ("Asked for in rescue.", ada)


@pytest.mark.parametrize("body", [None, {}, {"rescue": False}])
def test_a_start_is_no_rescue_unasked(
    failed: NotebookSession, api: APIClient, body: dict[str, object] | None
) -> None:
    answer = api.post(f"/api/v2/sessions/{failed.pk}/start", body)
    assert (answer.status_code, answer.json()["run"]["is_rescue"]) == (202, False)


@pytest.mark.parametrize(
    ("body", "field"), [({"rescue": "perhaps"}, "rescue"), ({"safe": True}, "safe")]
)
def test_a_rescue_is_asked_for_by_its_name(
    failed: NotebookSession, api: APIClient, body: dict[str, object], field: str
) -> None:
    answer = api.post(f"/api/v2/sessions/{failed.pk}/start", body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert state_of(failed) == S.FAILED
