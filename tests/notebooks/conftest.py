"""What the tests of sessions share: the queue, and a session in each of its states."""

from collections.abc import Iterator

import pytest

from accounts.models import User
from environments.models import Environment
from notebooks import lifecycle, services
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from quotas.models import ResourceProfile
from tests.broker import Broker
from tests.sessions import key_of, tick


@pytest.fixture
def broker() -> Iterator[Broker]:
    """The queue, empty at each test."""
    queue = Broker()
    queue.take()
    yield queue
    queue.take()


@pytest.fixture
def requested(ada: User, small: ResourceProfile, plain: Environment) -> NotebookSession:
    """Ada's session, as a click leaves it; no worker has begun with it."""
    return services.create_session(
        owner=ada, profile=small.name, environment=plain.name, name="analysis"
    ).session


@pytest.fixture
def starting(requested: NotebookSession) -> NotebookSession:
    """It exists in the backend and does not answer yet."""
    lifecycle.launch(key_of(requested))
    requested.refresh_from_db()
    return requested


@pytest.fixture
def running(starting: NotebookSession, backend: FakeBackend) -> NotebookSession:
    backend.settle()
    tick()
    starting.refresh_from_db()
    return starting


@pytest.fixture
def stopping(running: NotebookSession) -> NotebookSession:
    """It was asked to stop and has not yet."""
    assert running.current_run is not None
    services.stop_session(session=running, actor=running.owner)
    lifecycle.halt(running.current_run.key)
    running.refresh_from_db()
    return running


@pytest.fixture
def stopped(stopping: NotebookSession, backend: FakeBackend) -> NotebookSession:
    backend.settle()
    tick()
    stopping.refresh_from_db()
    return stopping


@pytest.fixture
def failed(running: NotebookSession, backend: FakeBackend) -> NotebookSession:
    """Its server crashed."""
    assert running.current_run is not None
    backend.exit(running.current_run.key, 1)
    tick()
    running.refresh_from_db()
    return running
