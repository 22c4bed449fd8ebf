"""Sessions and the versions of their environments."""

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from environments import services as environments
from environments.kernels import Kernel
from environments.models import Build, Environment, EnvironmentVersion
from environments.services import Draft
from environments.usage import usage_of
from notebooks import services
from notebooks.models import NotebookSession, SessionEvent
from quotas.models import ResourceProfile
from submarine_site.core.errors import DomainError, InvalidInput
from tests.factories import EnvironmentFactory, SessionFactory
from tests.sessions import run_of

pytestmark = pytest.mark.django_db

IMAGE = "example/notebook:2"
KERNELS = (
    Kernel(name="science", display_name="Science", pip=("pandas",)),
    Kernel(name="art", display_name="Art", pip=("pillow",)),
)


@pytest.fixture
def second(plain: Environment, operator: User) -> EnvironmentVersion:
    """A newer version than the one that sessions have; it has two kernels."""
    draft = Draft(image=IMAGE, kernels=KERNELS)
    return environments.add_version(environment=plain, actor=operator, draft=draft)


def create(owner: User, *, name: str = "") -> NotebookSession:
    return services.create_session(
        owner=owner, profile="small", environment="notebook-env", name=name
    ).session


def test_a_new_session_takes_the_newest_version(
    ada: User, small: ResourceProfile, second: EnvironmentVersion
) -> None:
    session = create(ada)
    run = run_of(session)
    assert session.environment_version == second
    assert (run.environment_number, run.image) == (2, IMAGE)
    assert run.kernels == [
        {"digest": kernel.digest(IMAGE), "name": kernel.name} for kernel in KERNELS
    ]
    assert set(run.builds.all()) == set(Build.objects.all())


def test_a_start_keeps_the_version(stopped: NotebookSession, second: EnvironmentVersion) -> None:
    services.start_session(session=stopped, actor=stopped.owner)
    run = run_of(stopped)
    assert (run.number, run.environment_number, run.image) == (2, 1, "example/notebook:1")
    assert (run.kernels, run.builds.count()) == ([], 0)


def test_the_newest_version_is_taken_when_it_is_asked_for(
    stopped: NotebookSession, second: EnvironmentVersion
) -> None:
    for _ in range(2):
        services.take_newest_environment(session=stopped, actor=stopped.owner)
    services.start_session(session=stopped, actor=stopped.owner)
    assert run_of(stopped).environment_number == 2
    note = "Takes version 2 of its environment at the next start, after version 1."
    assert SessionEvent.objects.filter(message=note).count() == 1


def test_what_runs_goes_on_as_it_is(running: NotebookSession, second: EnvironmentVersion) -> None:
    services.take_newest_environment(session=running, actor=running.owner)
    running.refresh_from_db()
    assert running.status == "running"
    assert (running.environment_version, run_of(running).environment_number) == (second, 1)


def test_what_was_deleted_takes_nothing(
    stopped: NotebookSession, second: EnvironmentVersion
) -> None:
    services.delete_session(session=stopped, actor=stopped.owner)
    with pytest.raises(DomainError) as refusal:
        services.take_newest_environment(session=stopped, actor=stopped.owner)
    assert refusal.value.code == "not_found"


def test_what_is_hidden_can_be_started_and_not_chosen(stopped: NotebookSession, ada: User) -> None:
    Environment.objects.update(hidden=True)
    with pytest.raises(InvalidInput) as refusal:
        create(ada, name="another")
    assert list(refusal.value.fields) == ["environment"]
    assert services.start_session(session=stopped, actor=ada).status == "requested"


def test_who_may_start_it_no_more_takes_no_newer_version(
    stopped: NotebookSession, plain: Environment, second: EnvironmentVersion
) -> None:
    plain.groups.add(Group.objects.create(name="physics"))
    with pytest.raises(InvalidInput) as refusal:
        services.take_newest_environment(session=stopped, actor=stopped.owner)
    assert list(refusal.value.fields) == ["environment"]


@pytest.mark.parametrize(
    ("needs", "lacking", "instead"),
    [
        ({"needs_gpu": True}, "a GPU", "one with a GPU"),
        ({"smallest_cpu_milli": 1500}, "1.5 CPU", "a larger one"),
        ({"smallest_memory_mib": 4096}, "4 GiB of memory", "a larger one"),
    ],
)
def test_a_size_that_is_too_small_is_refused(
    stopped: NotebookSession, needs: dict[str, int], lacking: str, instead: str
) -> None:
    EnvironmentVersion.objects.update(**needs)
    for start in (
        lambda: create(stopped.owner, name="another"),
        lambda: services.start_session(session=stopped, actor=stopped.owner),
    ):
        with pytest.raises(InvalidInput) as refusal:
            start()
        assert refusal.value.fields == {
            "profile": f"The environment “Notebook-Env” needs {lacking}; the size “Small” has "
            f"1 CPU · 2 GiB. Choose {instead}."
        }


def test_an_environment_without_a_version_cannot_be_chosen(
    ada: User, small: ResourceProfile, plain: Environment
) -> None:
    Environment.objects.update(newest=None)
    with pytest.raises(InvalidInput) as refusal:
        create(ada)
    assert list(refusal.value.fields) == ["environment"]


def test_a_start_costs_no_more_than_one_without_kernels_but_for_its_builds(
    ada: User, small: ResourceProfile, plain: Environment, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(PLAIN_QUERIES):
        create(ada, name="a")


PLAIN_QUERIES = 12


def test_usage_is_told_without_names_to_users(ada: User, operator: User) -> None:
    science = EnvironmentFactory.create()
    SessionFactory.create(owner=ada, name="thesis", environment=science)
    SessionFactory.create_batch(2, environment=science)
    for viewer, mine, count in ((ada, ("thesis",), 0), (operator, (), 3)):
        usage = usage_of(science, viewer=viewer)
        assert (usage.sessions, usage.people, usage.mine) == (3, 3, mine)
        assert len(usage.owners) == count
