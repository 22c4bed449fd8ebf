"""What the tests of sessions share: the queue, and ways through a session's life."""

from collections.abc import Callable, Iterator

import pytest
from django.test import TestCase

from accounts.models import User
from environments.models import Environment
from notebooks import reconciler, services
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from quotas.models import ResourceProfile
from tests.broker import Broker


@pytest.fixture(autouse=True)
def broker() -> Iterator[Broker]:
    """The queue, empty at each test."""
    queue = Broker()
    queue.take()
    yield queue
    queue.take()


@pytest.fixture
def requested(ada: User, small: ResourceProfile, plain: Environment) -> NotebookSession:
    """Ada's session, as a click leaves it: nobody has begun with it, and its task was lost."""
    return services.create_session(
        owner=ada, profile=small.name, environment=plain.name, name="analysis"
    ).session


@pytest.fixture
def starting(requested: NotebookSession, tick: Callable[[], None]) -> NotebookSession:
    """It exists in the backend and does not answer yet."""
    assert requested.current_run is not None
    reconciler.apply(reconciler.Launch(requested.current_run.key))
    requested.refresh_from_db()
    return requested


@pytest.fixture
def running(
    starting: NotebookSession, backend: FakeBackend, tick: Callable[[], None]
) -> NotebookSession:
    """It runs."""
    backend.settle()
    tick()
    starting.refresh_from_db()
    return starting


@pytest.fixture
def tick() -> Callable[[], None]:
    """One look of the reconciler at everything."""

    def look() -> None:
        with TestCase.captureOnCommitCallbacks(execute=True):
            assert reconciler.reconcile_all()

    return look
