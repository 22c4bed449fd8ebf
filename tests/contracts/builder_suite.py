"""What every builder does, as tests. A builder's own tests subclass `BuilderContract` and give it a
`site`: the builder, and the means to make happen what it cannot be asked for.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import pytest

from environments.building import Builder, BuildProgress, BuildSeen, BuildSpec
from environments.kernels import Kernel
from submarine_site.core.outside import BackendUnavailable
from tests.contracts.eventually import eventually

IMAGE = "submarine/notebook:1"


class BuilderSite(ABC):
    """A builder to try, with an index that has `tiny` 1.0 and 2.0 and, as what takes long to
    install, `sleeper`.
    """

    builder: Builder

    @abstractmethod
    def end(self, spec: BuildSpec) -> BuildSeen:
        """See an attempt that was begun end by itself."""

    @abstractmethod
    def kill(self, spec: BuildSpec) -> None:
        """Have what is under way killed, half-way."""

    @abstractmethod
    def is_stored(self, digest: str) -> bool:
        """Whether the store has anything of this build."""


def a_build(*pip: str, attempt: int = 1) -> BuildSpec:
    return BuildSpec(
        digest=sha256(uuid4().bytes).hexdigest(),
        attempt=attempt,
        image=IMAGE,
        kernel=Kernel(name="tiny", display_name="Tiny things", pip=pip or ("tiny",)),
    )


def begun(site: BuilderSite, spec: BuildSpec) -> None:
    """Begin it, as soon as nothing of an earlier attempt is left."""

    def can_begin() -> bool:
        try:
            site.builder.begin(spec)
        except BackendUnavailable:
            return False
        return True

    eventually(can_begin, within=60)


def gone(site: BuilderSite, spec: BuildSpec) -> None:
    """Clear it, as often as is needed."""

    def is_gone() -> bool:
        try:
            site.builder.clear(spec.digest)
        except BackendUnavailable:
            return False
        return site.builder.observe(spec.digest, spec.attempt) is None

    eventually(is_gone, within=60)


def discarded(site: BuilderSite, spec: BuildSpec) -> None:
    def is_discarded() -> bool:
        try:
            site.builder.discard(spec.digest, image=spec.image)
        except BackendUnavailable:
            return False
        return True

    eventually(is_discarded, within=90)


def under_way(site: BuilderSite, spec: BuildSpec) -> None:
    seen = site.builder.observe(spec.digest, spec.attempt)
    assert seen is not None
    assert seen.progress is BuildProgress.UNDER_WAY


class BuilderContract:
    """Subclasses have a fixture `site`."""

    @pytest.fixture
    def built(self, site: BuilderSite) -> BuildSpec:
        spec = a_build()
        site.builder.begin(spec)
        assert site.end(spec).progress is BuildProgress.BUILT
        return spec

    def test_what_was_never_begun_is_not_there(self, site: BuilderSite) -> None:
        spec = a_build()
        assert site.builder.observe(spec.digest, 1) is None
        assert site.builder.log(spec.digest, 1, lines=10) == ""

    def test_what_was_never_begun_can_be_cleared_and_discarded(self, site: BuilderSite) -> None:
        spec = a_build()
        site.builder.clear(spec.digest)
        discarded(site, spec)

    def test_what_is_begun_is_under_way(self, site: BuilderSite) -> None:
        spec = a_build("sleeper")
        site.builder.begin(spec)
        site.builder.begin(spec)
        under_way(site, spec)
        gone(site, spec)

    def test_what_is_built_tells_its_size_and_what_is_in_it(
        self, site: BuilderSite, built: BuildSpec
    ) -> None:
        seen = site.builder.observe(built.digest, 1)
        assert seen is not None
        assert seen.outcome is not None
        assert seen.outcome.size_bytes > 0
        assert seen.outcome.lock is not None
        names = {each["name"]: each["version"] for each in seen.outcome.lock["pip"]}
        assert names == {"ipykernel": "1.0", "tiny": "2.0"}
        assert site.is_stored(built.digest)

    def test_the_log_says_what_was_done_without_the_outcome(
        self, site: BuilderSite, built: BuildSpec
    ) -> None:
        said = site.builder.log(built.digest, 1, lines=100)
        assert "tiny==2.0" in said
        assert '"outcome"' not in said
        assert len(site.builder.log(built.digest, 1, lines=1).splitlines()) == 1

    def test_what_fails_tells_why(self, site: BuilderSite) -> None:
        spec = a_build("no-such-package")
        site.builder.begin(spec)
        seen = site.end(spec)
        assert seen.progress is BuildProgress.FAILED
        assert seen.outcome is not None
        assert seen.outcome.code == "package_not_found"
        assert seen.outcome.requirement == "no-such-package"

    def test_what_was_built_is_kept_when_the_attempt_is_cleared(
        self, site: BuilderSite, built: BuildSpec
    ) -> None:
        gone(site, built)
        assert site.is_stored(built.digest)

    def test_another_attempt_finds_what_was_built(
        self, site: BuilderSite, built: BuildSpec
    ) -> None:
        again = replace(built, attempt=2)
        before = site.builder.observe(built.digest, 1)
        begun(site, again)
        assert site.end(again) == before

    def test_what_is_killed_half_way_is_lost_and_can_be_tried_again(
        self, site: BuilderSite
    ) -> None:
        spec = a_build("sleeper")
        site.builder.begin(spec)
        site.kill(spec)
        seen = site.builder.observe(spec.digest, 1)
        assert seen is not None
        assert seen.progress is BuildProgress.LOST
        again = replace(spec, attempt=2, kernel=replace(spec.kernel, pip=("tiny",)))
        begun(site, again)
        seen = site.end(again)
        assert seen.progress is BuildProgress.BUILT
        assert seen.outcome is not None
        assert seen.outcome.lock is not None
        assert [each["name"] for each in seen.outcome.lock["pip"]] == ["ipykernel", "tiny"]

    def test_the_same_is_built_from_a_lock(self, site: BuilderSite) -> None:
        spec = a_build("tiny<2")
        site.builder.begin(spec)
        seen = site.end(spec)
        assert seen.outcome is not None
        lock = seen.outcome.lock
        again = replace(a_build(), lock=lock)
        site.builder.begin(again)
        seen = site.end(again)
        assert seen.outcome is not None
        assert seen.outcome.lock == lock

    def test_what_is_discarded_leaves_nothing(self, site: BuilderSite, built: BuildSpec) -> None:
        discarded(site, built)
        assert site.builder.observe(built.digest, 1) is None
        assert not site.is_stored(built.digest)
