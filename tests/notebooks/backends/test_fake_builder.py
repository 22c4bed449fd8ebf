"""The fake keeps the contract of the real builders."""

import pytest

from environments.building import BuildSeen, BuildSpec
from notebooks.backends.fake_builder import FakeBuilder
from tests.contracts.builder_suite import BuilderContract, BuilderSite


class FakeSite(BuilderSite):
    def __init__(self) -> None:
        self.builder: FakeBuilder = FakeBuilder()

    def end(self, spec: BuildSpec) -> BuildSeen:
        if "no-such-package" in spec.kernel.pip:
            message = "There is no package “no-such-package”."
            self.builder.fail(spec.digest, "package_not_found", message, "no-such-package")
        elif spec.digest not in self.builder.store:
            version = "1.0" if "tiny<2" in spec.kernel.pip else "2.0"
            self.builder.say(spec.digest, f" + tiny=={version}")
            pip = [
                {"name": "ipykernel", "version": "1.0", "hashes": []},
                {"name": "tiny", "version": version, "hashes": []},
            ]
            self.builder.finish(spec.digest, lock=spec.lock or {"conda": [], "pip": pip})
        seen = self.builder.observe(spec.digest, spec.attempt)
        assert seen is not None
        return seen

    def kill(self, spec: BuildSpec) -> None:
        self.builder.lose(spec.digest)

    def is_stored(self, digest: str) -> bool:
        return digest in self.builder.store


class TestFakeBuilder(BuilderContract):
    @pytest.fixture
    def site(self) -> FakeSite:
        return FakeSite()
