"""Out of memory inside a session that runs on: what its user is told, and how often."""

from uuid import uuid4

import pytest
from django.test import Client

from notebooks import services
from notebooks.failures import REASONS
from notebooks.memory import notice_of, record_oom_kills
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from tests.factories import SessionFactory
from tests.sessions import run_of, state_of
from tests.threads import at_once

pytestmark = pytest.mark.django_db

CODE = "kernel_out_of_memory"


def told(session: NotebookSession) -> list[str]:
    """What it was told of its memory, oldest first."""
    events = session.events.filter(code=CODE).order_by("id")
    return list(events.values_list("message", flat=True))


def test_the_note_says_what_happened_with_the_limit(running: NotebookSession) -> None:
    record_oom_kills({run_of(running).pk: 1})
    event = running.events.get(code=CODE)
    assert event.run == run_of(running)
    assert (event.from_status, event.to_status, event.actor) == ("", "", None)
    assert event.message == (
        "Out of memory: 1 process was ended; the limit is 2 GiB. "
        "Kernels may be lost; files are safe."
    )
    assert event.explanation.advice == REASONS[CODE].advice
    assert run_of(running).oom_kills == 1
    assert state_of(running) == S.RUNNING


def test_open_pages_hear_of_it(
    running: NotebookSession, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks() as hints:
        record_oom_kills({run_of(running).pk: 1})
    assert len(hints) == 1


def test_a_number_is_told_once_and_a_higher_one_by_what_came_to_it(
    running: NotebookSession,
) -> None:
    run_id = run_of(running).pk
    for kills in (1, 1, 3, 2, 3):
        record_oom_kills({run_id: kills})
    assert [message.partition(";")[0] for message in told(running)] == [
        "Out of memory: 1 process was ended",
        "Out of memory: 2 processes were ended",
    ]


@pytest.mark.django_db(transaction=True)
def test_several_gateways_tell_once() -> None:
    session = SessionFactory.create(status=S.RUNNING)
    run_id = run_of(session).pk
    at_once(8, lambda _: record_oom_kills({run_id: 1}))
    assert len(told(session)) == 1


def test_each_run_of_a_batch_is_told_of_its_own(running: NotebookSession) -> None:
    other = SessionFactory.create(status=S.RUNNING)
    record_oom_kills({run_of(running).pk: 1, uuid4(): 1, run_of(other).pk: 2})
    assert [run_of(each).oom_kills for each in (running, other)] == [1, 2]


def test_nothing_is_told_of_a_run_that_is_over(stopping: NotebookSession) -> None:
    record_oom_kills({run_of(stopping).pk: 1})
    assert told(stopping) == []
    assert run_of(stopping).oom_kills == 0


def test_the_page_tells_of_it_as_long_as_the_run_lasts(
    running: NotebookSession, browser: Client
) -> None:
    url = f"/sessions/{running.pk}/state"
    assert browser.get(url).context["notice"] is None
    record_oom_kills({run_of(running).pk: 1})
    page = browser.get(url)
    assert page.context["notice"] == running.events.get(code=CODE)
    assert REASONS[CODE].advice in page.content.decode()
    services.stop_session(session=running, actor=running.owner)
    assert REASONS[CODE].advice not in browser.get(url).content.decode()


def test_a_new_run_begins_without_it(stopped: NotebookSession) -> None:
    stopped.runs.update(oom_kills=1)
    services.start_session(session=stopped, actor=stopped.owner)
    NotebookSession.objects.filter(pk=stopped.pk).update(status=S.RUNNING)
    assert notice_of(NotebookSession.objects.get(pk=stopped.pk)) is None
