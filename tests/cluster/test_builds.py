"""Kernels built by Jobs, and used by sessions, on a real cluster."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from environments.builder.request import Site
from environments.building import BuilderRefused, BuildProgress, BuildSeen, BuildSpec
from notebooks.backends.kubernetes.api import Api
from notebooks.backends.kubernetes.builds import KubernetesBuilder
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.names import BUILD
from tests.cluster.cluster import Administrator
from tests.contracts.builder_suite import BuilderContract, BuilderSite, a_build, discarded
from tests.contracts.eventually import eventually
from tests.environments.builder.indexes import an_index

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def host(admin: Administrator) -> str:
    """Where pods reach this machine, which is the node."""
    [node] = admin.api.get("nodes", labelSelector="kubernetes.io/hostname=test-node")["items"]
    addresses = {each["type"]: str(each["address"]) for each in node["status"]["addresses"]}
    return addresses["InternalIP"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, host: str) -> Iterator[str]:
    with an_index(tmp_path_factory.mktemp("index"), host) as url:
        yield url


def _process(digest: str) -> psutil.Process | None:
    """The tool that is at the installation: the node is this machine."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ()
        if "install" in words and any(digest in word for word in words):
            return process
    return None


class ClusterSite(BuilderSite):
    def __init__(
        self,
        admin: Administrator,
        kubeconfig: Path,
        index: str,
        *,
        memory_mib: int = 512,
        seconds: int = 120,
    ) -> None:
        self.admin = admin
        self.builder: KubernetesBuilder = KubernetesBuilder(
            SiteConfig(store_size="100Mi", store_access_mode="ReadWriteOnce"),
            Api(kubeconfig=str(kubeconfig)),
            Site(indexes=(index,), seconds=seconds),
            memory_mib=memory_mib,
        )

    def end(self, spec: BuildSpec) -> BuildSeen:
        def ended() -> BuildSeen | None:
            seen = self.builder.observe(spec.digest, spec.attempt)
            assert seen is not None
            return None if seen.progress is BuildProgress.UNDER_WAY else seen

        return eventually(ended, within=90)

    def kill(self, spec: BuildSpec) -> None:
        tool = eventually(lambda: _process(spec.digest), within=60)
        program = tool.parent()
        assert program is not None
        program.kill()
        assert self.end(spec).progress is BuildProgress.LOST

    def is_stored(self, digest: str) -> bool:
        return (self.store() / digest).exists()

    def store(self) -> Path:
        """The folder of the claim, which is on this machine."""
        claim = self.admin.api.get("persistentvolumeclaims/default-environments")
        volume = self.admin.api.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
        return Path(volume["spec"]["hostPath"]["path"])


@pytest.fixture
def site(admin: Administrator, kubeconfig: Path, index: str) -> Iterator[ClusterSite]:
    site = ClusterSite(admin, kubeconfig, index)
    yield site
    for job in admin.names("jobs"):
        admin.api.delete(f"jobs/{job}")
    eventually(lambda: not admin.api.get("pods", labelSelector=BUILD)["items"], within=60)


class TestKubernetesBuilder(BuilderContract):
    """With the `site` of this module."""


def test_without_a_store_nothing_is_built(kubeconfig: Path) -> None:
    builder = KubernetesBuilder(
        SiteConfig(), Api(kubeconfig=str(kubeconfig)), Site(), memory_mib=512
    )
    with pytest.raises(BuilderRefused) as refusal:
        builder.begin(a_build())
    assert refusal.value.code == "no_environment_store"


def test_a_package_that_takes_too_much_memory_fails_the_build(
    admin: Administrator, kubeconfig: Path, index: str
) -> None:
    site = ClusterSite(admin, kubeconfig, index, memory_mib=256)
    spec = a_build("eater")
    site.builder.begin(spec)
    seen = site.end(spec)
    assert seen.outcome is not None
    assert seen.outcome.code == "build_out_of_memory"
    discarded(site, spec)


def test_a_build_that_takes_too_long_fails(
    admin: Administrator, kubeconfig: Path, index: str
) -> None:
    site = ClusterSite(admin, kubeconfig, index, seconds=5)
    spec = a_build("sleeper")
    site.builder.begin(spec)
    seen = site.end(spec)
    assert seen.outcome is not None
    assert seen.outcome.code == "build_timed_out"
    discarded(site, spec)
