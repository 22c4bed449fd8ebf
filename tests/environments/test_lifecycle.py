"""What workers do to builds, with a builder in memory."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from environments import builds, lifecycle
from environments.kernels import Kernel
from environments.models import Build, EnvironmentVersion
from environments.states import TRANSITIONS, BuildState
from notebooks.backends.fake_builder import FakeBuilder
from submarine_site.core.outside import BackendRefused
from tests import factories
from tests.broker import Broker

pytestmark = pytest.mark.django_db

PANDAS = Kernel(name="pandas", display_name="Pandas", pip=("pandas",))


@pytest.fixture
def version() -> EnvironmentVersion:
    made = factories.EnvironmentFactory.create(newest__kernels=[PANDAS.as_json()])
    assert made.newest is not None
    return made.newest


@pytest.fixture
def build(version: EnvironmentVersion) -> Build:
    """Asked for, and seen by no worker."""
    return ensured(version)


def ensured(version: EnvironmentVersion) -> Build:
    with transaction.atomic():
        [build] = builds.ensure(version)
    return build


def now(build: Build) -> Build:
    build.refresh_from_db()
    return build


def built(builder: FakeBuilder, build: Build) -> Build:
    lifecycle.advance()
    builder.finish(build.digest)
    lifecycle.advance()
    return now(build)


@pytest.mark.parametrize("to", BuildState)
@pytest.mark.parametrize("state", BuildState)
def test_a_build_moves_only_as_the_table_says(
    build: Build, state: BuildState, to: BuildState
) -> None:
    Build.objects.update(state=state)
    moved = Build.objects.transition(to)
    assert bool(moved) == (state in TRANSITIONS[to])
    assert now(build).state == (to if moved else state)


def test_two_versions_that_need_the_same_share_one_build(version: EnvironmentVersion) -> None:
    other = factories.EnvironmentFactory.create(newest__kernels=[PANDAS.as_json()])
    assert other.newest is not None
    assert ensured(version) == ensured(other.newest)


def test_what_is_asked_for_is_begun_by_a_worker(
    build: Build, builder: FakeBuilder, django_capture_on_commit_callbacks
) -> None:
    lifecycle.advance()
    assert [(spec.digest, spec.attempt) for spec in builder.begun] == [(build.digest, 1)]
    assert builder.begun[0].kernel == PANDAS
    assert now(build).state == BuildState.BUILDING


def test_a_worker_is_asked_when_the_request_commits(
    version: EnvironmentVersion, django_capture_on_commit_callbacks
) -> None:
    broker = Broker()
    broker.take()
    with django_capture_on_commit_callbacks(execute=True):
        builds.ensure(version)
    assert broker.take() == [("advance", [])]


def test_what_is_built_is_asked_of_nobody_again(
    version: EnvironmentVersion,
    build: Build,
    builder: FakeBuilder,
    django_capture_on_commit_callbacks,
) -> None:
    built(builder, build)
    with django_capture_on_commit_callbacks() as callbacks:
        builds.ensure(version)
    assert callbacks == []


def test_an_end_is_recorded_with_size_lock_and_log(build: Build, builder: FakeBuilder) -> None:
    lifecycle.advance()
    builder.say(build.digest, "Installing.")
    builder.finish(build.digest, size_bytes=123)
    lifecycle.advance()
    now(build)
    assert build.state == BuildState.BUILT
    assert build.size_bytes == 123
    assert build.lock == builder.store[build.digest].lock
    assert build.log_tail == "Installing.\n"
    assert builder.observe(build.digest, 1) is None


def test_the_log_can_be_followed_while_it_is_built(build: Build, builder: FakeBuilder) -> None:
    lifecycle.advance()
    builder.say(build.digest, "Solving\0.")
    lifecycle.advance()
    assert now(build).log_tail == "Solving.\n"


def test_a_failure_is_recorded_with_its_code(build: Build, builder: FakeBuilder) -> None:
    lifecycle.advance()
    builder.fail(build.digest, "package_not_found", "There is no package “pandass”.", "pandass")
    lifecycle.advance()
    now(build)
    assert (build.state, build.error_code) == (BuildState.FAILED, "package_not_found")
    assert build.error == "There is no package “pandass”."


def test_a_refusal_fails_the_build(build: Build, builder: FakeBuilder) -> None:
    builder.refusal = BackendRefused("There is no store.", code="no_environment_store")
    lifecycle.advance()
    assert (now(build).state, build.error_code) == (BuildState.FAILED, "no_environment_store")


def test_while_the_builder_is_away_the_build_waits(build: Build, builder: FakeBuilder) -> None:
    builder.is_reachable = False
    lifecycle.advance()
    assert now(build).state == BuildState.BUILDING
    builder.is_reachable = True
    lifecycle.advance()
    assert len(builder.begun) == 1


def test_what_was_asked_for_twice_is_begun_once(build: Build, builder: FakeBuilder) -> None:
    for _ in range(3):
        lifecycle.advance()
    assert len(builder.begun) == 1


def test_a_killed_build_is_tried_again_as_another_attempt(
    build: Build, builder: FakeBuilder
) -> None:
    lifecycle.advance()
    builder.lose(build.digest)
    lifecycle.advance()
    assert [spec.attempt for spec in builder.begun] == [1, 2]
    assert built(builder, build).state == BuildState.BUILT


def test_a_build_that_is_killed_each_time_is_given_up(build: Build, builder: FakeBuilder) -> None:
    for _ in range(lifecycle.MAX_LOSSES):
        lifecycle.advance()
        builder.lose(build.digest)
    lifecycle.advance()
    assert (now(build).state, build.error_code) == (BuildState.FAILED, "build_failed")
    assert len(builder.begun) == lifecycle.MAX_LOSSES


def test_a_failed_build_can_be_tried_again(build: Build, builder: FakeBuilder) -> None:
    lifecycle.advance()
    builder.fail(build.digest, "index_unavailable", "It did not answer.")
    lifecycle.advance()
    assert builds.retry(build) is True
    assert (now(build).attempt, build.error_code, build.log_tail) == (2, "", "")
    assert built(builder, build).state == BuildState.BUILT


def test_what_has_not_failed_is_not_tried_again(build: Build, builder: FakeBuilder) -> None:
    built(builder, build)
    assert builds.retry(build) is False


def test_only_so_many_are_built_at_the_same_time(builder: FakeBuilder) -> None:
    for number in range(lifecycle.AT_ONCE + 1):
        kernel = Kernel(name="k", display_name="K", pip=(f"package{number}",))
        environment = factories.EnvironmentFactory.create(newest__kernels=[kernel.as_json()])
        assert environment.newest is not None
        ensured(environment.newest)
    lifecycle.advance()
    lifecycle.advance()
    assert len(builder.begun) == lifecycle.AT_ONCE
    builder.finish(builder.begun[0].digest)
    lifecycle.advance()
    lifecycle.advance()
    assert len(builder.begun) == lifecycle.AT_ONCE + 1


# Retention.


def test_one_user_s_builds_leave_room_for_another_s(builder: FakeBuilder) -> None:
    ada, grace = factories.UserFactory.create_batch(2)
    hers = [asked_for_by(ada, number) for number in range(lifecycle.AT_ONCE + 1)]
    another_s = asked_for_by(grace, 99)
    lifecycle.advance()
    begun = {spec.digest for spec in builder.begun}
    assert begun == {*(build.digest for build in hers[: lifecycle.AT_ONCE_EACH]), another_s.digest}
    builder.finish(hers[0].digest)
    lifecycle.advance()
    lifecycle.advance()
    assert builder.begun[-1].digest == hers[lifecycle.AT_ONCE_EACH].digest


def test_what_several_need_is_not_held_back_by_one_of_them(builder: FakeBuilder) -> None:
    ada, grace = factories.UserFactory.create_batch(2)
    for number in range(lifecycle.AT_ONCE_EACH):
        asked_for_by(ada, number)
    shared = [asked_for_by(owner, 99) for owner in (ada, grace)]
    assert shared[0] == shared[1]
    lifecycle.advance()
    assert shared[0].digest in {spec.digest for spec in builder.begun}


def asked_for_by(owner: User, number: int) -> Build:
    """A build of a package of that number, for an environment of the owner's."""
    kernel = Kernel(name="own", display_name="Own", pip=(f"package-{number}",))
    made = factories.EnvironmentFactory.create(owner=owner, newest__kernels=[kernel.as_json()])
    assert made.newest is not None
    return ensured(made.newest)


def make_old(build: Build) -> None:
    Build.objects.filter(pk=build.pk).update(last_used_at=timezone.now() - timedelta(days=31))


def supersede(version: EnvironmentVersion) -> None:
    environment = version.environment
    environment.newest = EnvironmentVersion.objects.create(
        environment=environment, number=2, image=version.image
    )
    environment.save(update_fields=["newest"])


@pytest.fixture
def unused(version: EnvironmentVersion, build: Build, builder: FakeBuilder) -> Build:
    """Built, of an old version, used by nobody for long."""
    built(builder, build)
    supersede(version)
    make_old(build)
    return build


def test_what_nobody_has_used_for_long_is_discarded(unused: Build, builder: FakeBuilder) -> None:
    lifecycle.discard_unused()
    assert (now(unused).state, unused.size_bytes) == (BuildState.DISCARDED, None)
    assert builder.store == {}


def test_what_was_used_lately_is_kept(unused: Build) -> None:
    Build.objects.update(last_used_at=timezone.now())
    lifecycle.discard_unused()
    assert now(unused).state == BuildState.BUILT


def test_the_newest_version_is_kept(
    version: EnvironmentVersion, build: Build, builder: FakeBuilder
) -> None:
    built(builder, build)
    make_old(build)
    lifecycle.discard_unused()
    assert now(build).state == BuildState.BUILT


def test_what_a_session_may_start_with_is_kept(version: EnvironmentVersion, unused: Build) -> None:
    factories.SessionFactory.create(environment_version=version, status="stopped")
    lifecycle.discard_unused()
    assert now(unused).state == BuildState.BUILT


def test_what_only_a_deleted_session_had_is_discarded(
    version: EnvironmentVersion, unused: Build
) -> None:
    factories.SessionFactory.create(
        environment_version=version, status="stopped", deleted_at=timezone.now()
    )
    lifecycle.discard_unused()
    assert now(unused).state == BuildState.DISCARDED


def test_what_was_discarded_is_built_again_as_it_was(
    version: EnvironmentVersion, unused: Build, builder: FakeBuilder
) -> None:
    lock = now(unused).lock
    lifecycle.discard_unused()
    ensured(version)
    lifecycle.advance()
    assert builder.begun[-1].lock == lock
    assert now(unused).state == BuildState.BUILDING


def test_what_the_store_has_lost_is_built_again_as_it_was(
    build: Build, builder: FakeBuilder
) -> None:
    lock = built(builder, build).lock
    builder.discard(build.digest, image=build.image)
    assert builds.rebuild(build)
    lifecycle.advance()
    assert (now(build).state, build.attempt) == (BuildState.BUILDING, 2)
    assert builder.begun[-1].lock == lock


def test_what_the_store_has_is_found_there_and_not_built_again(
    build: Build, builder: FakeBuilder
) -> None:
    built(builder, build)
    kept = dict(builder.store)
    assert builds.rebuild(build)
    lifecycle.advance()
    lifecycle.advance()
    assert now(build).state == BuildState.BUILT
    assert builder.store == kept


@pytest.mark.parametrize("state", [s for s in BuildState if s != BuildState.BUILT])
def test_only_what_was_built_is_looked_for(build: Build, state: BuildState) -> None:
    Build.objects.update(state=state)
    assert not builds.rebuild(build)
    assert (now(build).state, build.attempt) == (state, 1)


def test_what_is_wanted_again_before_it_is_removed_is_not(
    version: EnvironmentVersion, unused: Build, builder: FakeBuilder
) -> None:
    builder.is_reachable = False
    lifecycle.discard_unused()
    ensured(version)
    builder.is_reachable = True
    lifecycle.advance()
    lifecycle.advance()
    assert now(unused).state == BuildState.BUILT
    assert list(builder.store) == [unused.digest]


def test_channels_are_asked_at_the_site_s_address(settings: Any) -> None:
    settings.ENVIRONMENTS_CHANNELS = ["conda-forge", "https://mirror.example.com/bioconda"]
    kernel = Kernel(
        name="a",
        display_name="A",
        channels=("conda-forge", "bioconda"),
        conda=("bioconda::samtools 1.*", "conda-forge::x", "y"),
    )
    made = factories.EnvironmentFactory.create(newest__kernels=[kernel.as_json()])
    assert made.newest is not None
    build = ensured(made.newest)
    spec = lifecycle._spec(build)
    assert spec.channels == ("conda-forge", "https://mirror.example.com/bioconda")
    assert spec.kernel.conda == (
        "https://mirror.example.com/bioconda::samtools 1.*",
        "conda-forge::x",
        "y",
    )
    # What a digest names does not change with the address.
    assert spec.digest == kernel.digest(build.image)
