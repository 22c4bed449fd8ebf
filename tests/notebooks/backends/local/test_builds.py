"""The local builder keeps the contract, and its builds end as they are bounded."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from environments.builder.request import Site
from environments.building import BuildProgress, BuildSeen, BuildSpec
from notebooks.backends.local import processes
from notebooks.backends.local.builds import LocalBuilder
from tests.contracts.builder_suite import BuilderContract, BuilderSite, a_build
from tests.contracts.eventually import eventually
from tests.environments.builder.indexes import an_index

pytestmark = pytest.mark.timeout(180)


class LocalSite(BuilderSite):
    def __init__(self, data: Path, index: str, *, memory_mib: int = 4096) -> None:
        self.data = data
        packages = Site(indexes=(index,), seconds=60)
        self.builder: LocalBuilder = LocalBuilder(data=data, site=packages, memory_mib=memory_mib)

    def end(self, spec: BuildSpec) -> BuildSeen:
        def ended() -> BuildSeen | None:
            seen = self.builder.observe(spec.digest, spec.attempt)
            assert seen is not None
            return None if seen.progress is BuildProgress.UNDER_WAY else seen

        return eventually(ended, within=60)

    def kill(self, spec: BuildSpec) -> None:
        # Half-way: a tool installs, which now outlives it.
        eventually(lambda: "Installing" in self.builder.log(spec.digest, spec.attempt, lines=9))
        eventually(lambda: len(self.processes(spec.digest)) > 1)
        self.program(spec).kill()
        eventually(lambda: self.lost(spec))

    def lost(self, spec: BuildSpec) -> bool:
        seen = self.builder.observe(spec.digest, spec.attempt)
        return seen is not None and seen.progress is BuildProgress.LOST

    def program(self, spec: BuildSpec) -> psutil.Process:
        """The program itself, of all that it has started the eldest."""
        return min(self.processes(spec.digest), key=lambda each: each.create_time())

    def have_ended(self, digest: str) -> bool:
        """Kill what is left of a build, which may start more meanwhile; whether nothing is."""
        left = self.processes(digest)
        processes.kill(left)
        return not left

    def processes(self, digest: str) -> list[psutil.Process]:
        return processes.leftovers(str(self.data / "environments" / digest))

    def is_stored(self, digest: str) -> bool:
        return (self.data / "environments" / digest).exists()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with an_index(tmp_path_factory.mktemp("index")) as url:
        yield url


@pytest.fixture
def site(tmp_path: Path, index: str) -> Iterator[LocalSite]:
    site = LocalSite(tmp_path, index)
    yield site
    for folder in (tmp_path / "builds").glob("*"):
        digest = folder.name.partition(".")[0]
        eventually(partial(site.have_ended, digest))


class TestLocalBuilder(BuilderContract):
    """With the `site` of this module."""


def test_a_build_outlives_the_worker_that_began_it(site: LocalSite) -> None:
    spec = a_build("sleeper")
    site.builder.begin(spec)
    assert os.getpid() not in [parent.pid for parent in site.program(spec).parents()]


def test_a_killed_build_leaves_nothing_that_writes_once_it_is_begun_anew(site: LocalSite) -> None:
    spec = a_build("sleeper")
    site.builder.begin(spec)
    site.kill(spec)
    assert site.processes(spec.digest)
    eventually(lambda: _cleared(site, spec))
    assert site.processes(spec.digest) == []


def _cleared(site: LocalSite, spec: BuildSpec) -> bool:
    try:
        site.builder.clear(spec.digest)
    except Exception:  # noqa: BLE001 - still being ended
        return False
    return True


def test_a_package_that_takes_too_much_memory_fails_the_build(tmp_path: Path, index: str) -> None:
    site = LocalSite(tmp_path, index, memory_mib=1000)
    spec = a_build("eater")
    site.builder.begin(spec)
    seen = site.end(spec)
    assert seen.outcome is not None
    assert seen.outcome.code == "build_out_of_memory"
    assert not site.is_stored(spec.digest)


def test_nothing_of_the_service_s_environment_reaches_a_build(
    site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "of the service")
    spec = a_build("sleeper")
    site.builder.begin(spec)
    assert "of the service" not in site.program(spec).environ().values()


def test_two_services_on_a_machine_leave_each_other_s_builds_alone(
    site: LocalSite, tmp_path_factory: pytest.TempPathFactory, index: str
) -> None:
    spec = a_build("sleeper")
    site.builder.begin(spec)
    program = site.program(spec)
    other = LocalSite(tmp_path_factory.mktemp("other"), index)
    other.builder.begin(spec)
    eventually(lambda: _cleared(other, spec))
    assert other.processes(spec.digest) == []
    assert program.is_running()
