"""Sessions whose environment is built: they wait for it, start with it, or fail for want of it."""

import pytest

from environments import builds as asked
from environments import lifecycle as builds
from environments.kernels import Kernel
from environments.models import Build
from notebooks import lifecycle, services
from notebooks.backends.contract import KernelMount, RunKey
from notebooks.backends.fake import FakeBackend
from notebooks.backends.fake_builder import FakeBuilder
from notebooks.models import NotebookSession
from tests import factories
from tests.broker import Broker

pytestmark = pytest.mark.django_db(transaction=True)

PANDAS = Kernel(name="pandas", display_name="Pandas", pip=("pandas",))
WAITS = "Waiting for the environment to be built."


@pytest.fixture
def session(ada, small) -> NotebookSession:
    factories.EnvironmentFactory.create(name="pandas", newest__kernels=[PANDAS.as_json()])
    return services.create_session(owner=ada, profile="small", environment="pandas").session


@pytest.fixture
def digest(session: NotebookSession) -> str:
    return Build.objects.get().digest


def now(session: NotebookSession) -> NotebookSession:
    return NotebookSession.objects.select_related("current_run").get(pk=session.pk)


def key_of(session: NotebookSession) -> RunKey:
    run = now(session).current_run
    assert run is not None
    return run.key


def test_a_session_waits_for_its_environment_and_says_so(
    session: NotebookSession, backend: FakeBackend
) -> None:
    assert lifecycle.requested(limit=9) == []
    builds.advance()
    assert lifecycle.requested(limit=9) == []
    run = now(session).current_run
    assert run is not None
    assert (now(session).status, run.held_up) == ("requested", WAITS)
    assert backend.started == []


def test_it_starts_with_its_kernel_when_that_is_built(
    session: NotebookSession, digest: str, builder: FakeBuilder, backend: FakeBackend
) -> None:
    Broker().work()
    builder.finish(digest)
    builds.advance()
    # To launch it makes its owner's home, which is then looked after.
    assert Broker().work() == ["launch", "settle"]
    assert [spec.kernels for spec in backend.started] == [
        (KernelMount(digest=digest, name="pandas"),)
    ]


def test_a_session_whose_environment_cannot_be_built_fails_and_says_why(
    session: NotebookSession, digest: str, builder: FakeBuilder, backend: FakeBackend
) -> None:
    builds.advance()
    builder.fail(digest, "package_not_found", "There is no package “pandass”.", "pandass")
    builds.advance()
    lifecycle.launch(*lifecycle.requested(limit=9))
    session = now(session)
    assert (session.status, session.reason_code) == ("failed", "environment_build_failed")
    assert session.reason == "There is no package “pandass”."
    assert backend.started == []


def test_it_can_be_started_when_the_build_was_tried_again(
    session: NotebookSession, digest: str, builder: FakeBuilder, ada
) -> None:
    builds.advance()
    builder.fail(digest, "index_unavailable", "It did not answer.")
    builds.advance()
    lifecycle.launch(*lifecycle.requested(limit=9))
    asked.retry(Build.objects.get())
    services.start_session(session=now(session), actor=ada)
    assert lifecycle.requested(limit=9) == []
    builds.advance()
    builder.finish(digest)
    builds.advance()
    assert lifecycle.requested(limit=9) == [key_of(session)]


def test_a_session_that_waits_can_be_stopped(session: NotebookSession, ada) -> None:
    services.stop_session(session=session, actor=ada)
    lifecycle.halt(key_of(session))
    assert now(session).status == "stopped"


def test_a_session_of_what_is_built_waits_for_nothing(
    session: NotebookSession, digest: str, builder: FakeBuilder, ada
) -> None:
    builds.advance()
    builder.finish(digest)
    builds.advance()
    again = services.create_session(owner=ada, profile="small", environment="pandas").session
    assert key_of(again) in lifecycle.requested(limit=9)
    run = now(again).current_run
    assert run is not None
    assert run.held_up == ""


def test_which_runs_can_begin_is_one_question(
    session: NotebookSession, django_assert_num_queries
) -> None:
    with django_assert_num_queries(1):
        lifecycle.requested(limit=9)


def test_many_that_ask_at_once_share_one_build(session: NotebookSession, ada, small) -> None:
    for _ in range(3):
        services.create_session(owner=ada, profile="small", environment="pandas")
    assert Build.objects.count() == 1
