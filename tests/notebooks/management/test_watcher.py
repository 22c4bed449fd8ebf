"""The watcher deals with what it is told, one at a time, and nothing ends it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from kombu.exceptions import OperationalError as QueueError

from notebooks import tasks
from notebooks.backends.contract import Observed, RunKey
from notebooks.backends.fake import FakeBackend
from notebooks.management.commands import watcher
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from submarine_site.core.heartbeat import Heartbeat, seconds_since
from submarine_site.core.locks import AdvisoryLock, try_lock
from submarine_site.core.outside import BackendUnavailable
from tests.broker import Broker
from tests.outages import break_connection
from tests.sessions import key_of, state_of
from tests.threads import at_once

pytestmark = pytest.mark.django_db

Batch = Mapping[RunKey, Observed | None]


class Enough(Exception):
    """Ends what has no end of its own."""


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the watcher told these batches; an exception among them is raised."""

    def tell(*batches: Batch | Exception) -> None:
        class Telling(FakeBackend):
            def changes(self) -> Iterator[Batch]:
                for batch in batches:
                    if isinstance(batch, Exception):
                        raise batch
                    yield batch

        monkeypatch.setattr(watcher, "backend", Telling)

    return tell


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """What is done each time that the watcher waits before it tries again; after them it ends."""
    due: list[Callable[[], Any]] = []

    class Pause:
        def wait(self, _seconds: float) -> None:
            if not due:
                raise Enough
            due.pop(0)()

    monkeypatch.setattr(watcher, "Event", Pause)
    return due


def ready(session: NotebookSession, backend: FakeBackend) -> Batch:
    backend.settle()
    return backend.observe_all()


def test_what_is_quick_is_done_at_once(
    starting: NotebookSession, backend: FakeBackend, broker: Broker, tell: Callable[..., None]
) -> None:
    broker.take()
    tell(ready(starting, backend))
    watcher._watch()
    assert state_of(starting) == S.RUNNING
    assert broker.take() == []


def test_what_may_take_long_is_given_to_a_worker(
    running: NotebookSession, broker: Broker, tell: Callable[..., None]
) -> None:
    key = key_of(running)
    broker.take()
    tell({key: None})
    watcher._watch()
    assert state_of(running) == S.RUNNING
    assert broker.take() == [("reconcile_session", [str(key.session_id), str(key.run_id)])]


def test_a_run_of_another_installation_is_nothing_to_do(
    broker: Broker, tell: Callable[..., None]
) -> None:
    tell({RunKey(uuid4(), uuid4()): None})
    watcher._watch()
    assert broker.take() == []


def test_a_queue_that_is_away_ends_nothing(
    running: NotebookSession,
    tell: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def away(*arguments: str) -> None:
        asked.append(arguments)
        raise QueueError

    monkeypatch.setattr(tasks.reconcile_session, "delay", away)
    key = key_of(running)
    tell({key: None}, {key: None})
    watcher._watch()
    assert len(asked) == 2


def test_a_fault_over_one_batch_does_not_lose_the_next(
    starting: NotebookSession, backend: FakeBackend, tell: Callable[..., None]
) -> None:
    tell({key_of(starting): "nonsense"}, ready(starting, backend))
    watcher._watch()
    assert state_of(starting) == S.RUNNING


# Its sign of life.


def test_it_is_heard_while_the_backend_is(tell: Callable[..., None]) -> None:
    tell({})
    watcher._watch()
    assert seconds_since(Heartbeat.WATCHER) is not None


def test_it_is_not_heard_while_the_backend_is_not(tell: Callable[..., None]) -> None:
    tell()
    watcher._watch()
    assert seconds_since(Heartbeat.WATCHER) is None


def test_its_sign_of_life_is_not_given_at_every_change(
    tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Heartbeat] = []
    monkeypatch.setattr(watcher, "beat", given.append)
    monkeypatch.setattr(watcher, "BEAT_SECONDS", 3600.0)
    tell({}, {}, {})
    watcher._watch()
    assert given == [Heartbeat.WATCHER]


# Nothing ends it, and one watches at a time.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [BackendUnavailable("away"), ValueError("odd")])
def test_it_watches_again_after_an_error(
    error: Exception,
    starting: NotebookSession,
    backend: FakeBackend,
    tell: Callable[..., None],
    rounds: list[Callable[[], Any]],
) -> None:
    tell(error)
    rounds.append(lambda: tell(ready(starting, backend)))
    with pytest.raises(Enough):
        call_command("watcher")
    assert state_of(starting) == S.RUNNING


@pytest.mark.django_db(transaction=True)
def test_who_lost_the_connection_that_held_the_lock_begins_anew(
    tell: Callable[..., None], rounds: list[Callable[[], Any]]
) -> None:
    told = []

    class Ending(dict):
        def __bool__(self) -> bool:
            told.append(break_connection())
            return False

    tell(Ending(), {}, {})
    rounds.append(lambda: tell({}))
    with pytest.raises(Enough):
        call_command("watcher")
    assert told == [True]
    assert rounds == []


@pytest.mark.django_db(transaction=True)
def test_it_stands_by_while_another_watches_and_then_takes_over(
    starting: NotebookSession,
    backend: FakeBackend,
    tell: Callable[..., None],
    rounds: list[Callable[[], Any]],
) -> None:
    tell(ready(starting, backend))

    def stand_by(_: int) -> None:
        rounds.append(lambda: None)
        with pytest.raises(Enough):
            call_command("watcher")

    with try_lock(AdvisoryLock.WATCHER):
        at_once(1, stand_by)
        assert state_of(starting) == S.STARTING
    at_once(1, stand_by)
    assert state_of(starting) == S.RUNNING
