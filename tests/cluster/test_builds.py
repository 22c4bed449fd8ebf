"""Kernels built by Jobs, and used by sessions, on a real cluster."""

import subprocess
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from environments.builder.request import Site
from environments.building import BuildProgress, BuildSeen, BuildSpec
from notebooks.backends.kubernetes.api import Api
from notebooks.backends.kubernetes.builds import KubernetesBuilder
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.manifests import STORE_PATH
from notebooks.backends.kubernetes.names import BUILD
from submarine_site.core.outside import BackendRefused
from tests.cluster.cluster import NOTEBOOK, Administrator
from tests.cluster.service import OnCluster, on_cluster
from tests.contracts.builder_suite import BuilderContract, BuilderSite, a_build, begun, discarded
from tests.contracts.eventually import eventually
from tests.environments.builder.indexes import add_ipykernel, add_wheel, an_index, served
from tests.environments.builder.installed import files_of
from tests.stack.service import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


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
    with pytest.raises(BackendRefused) as refusal:
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


def test_a_store_that_is_full_fails_the_build_and_keeps_nothing_half_built(
    site: ClusterSite,
) -> None:
    before, spec = a_build(), a_build("tiny==1.0")
    site.builder.begin(before)
    site.end(before)
    store = site.store()
    options = "size=128k,mode=2775,gid=100"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", store], check=True)
    try:
        site.builder.begin(spec)
        seen = site.end(spec)
        assert seen.outcome is not None
        assert seen.outcome.code == "build_out_of_disk"
        assert not (store / spec.digest / "complete.json").exists()
    finally:
        subprocess.run(["umount", "--lazy", store], check=True)
    again = replace(spec, attempt=spec.attempt + 1)
    begun(site, again)
    assert site.end(again).progress is BuildProgress.BUILT
    assert site.is_stored(spec.digest)
    for each in (before, again):
        discarded(site, each)


# Sessions.

DECLARED = """
from environments.kernels import Kernel
from environments.models import Environment, EnvironmentVersion
kernel = Kernel(name="mine", display_name="Mine", pip=({spec!r},))
environment = Environment.objects.create(name={name!r}, display_name={name!r})
environment.newest = EnvironmentVersion.objects.create(
    environment=environment, number=1, image={image!r}, kernels=[kernel.as_json()]
)
environment.save()
"""


@pytest.fixture(scope="module")
def own(
    admin: Administrator,
    kubeconfig: Path,
    host: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OnCluster]:
    """A service whose builds find a kernel that works."""
    index = tmp_path_factory.mktemp("own-index")
    add_ipykernel(index, files_of("ipykernel"))
    add_wheel(index, "tiny")
    data = tmp_path_factory.mktemp("service") / "data"
    with (
        served(index, host) as url,
        on_cluster(
            admin,
            kubeconfig,
            data,
            SUBMARINE_INSTALLATION="own",
            SUBMARINE_KUBERNETES_STORE_SIZE="100Mi",
            SUBMARINE_KUBERNETES_STORE_ACCESS_MODE="ReadWriteOnce",
            SUBMARINE_BUILD_INDEXES=url,
            SUBMARINE_BUILD_MEMORY_MIB="512",
        ) as on,
    ):
        yield on
        on.delete_all()


def declare(on: OnCluster, name: str, spec: str) -> None:
    on.manage("shell", "-c", DECLARED.format(name=name, spec=spec, image=NOTEBOOK))


def test_a_notebook_runs_on_a_kernel_that_was_built_once(own: OnCluster) -> None:
    declare(own, "mine", "tiny")
    session = own.demo.start(environment="mine", profile="small")
    code = "import sys, tiny; sys.prefix + ' ' + tiny.VERSION"
    prefix, version = literal_eval(own.demo.run_cell(session, code, kernel_name="mine")).split()
    store, digest, _ = prefix.rsplit("/", 2)
    assert (store, version) == (STORE_PATH, "1.0")
    # Of the store it sees its own kernel alone, and cannot write to it.
    sees = f"import os; os.listdir({store!r}), os.access({prefix!r}, os.W_OK)"
    assert literal_eval(own.demo.run_cell(session, sees)) == ([digest], False)

    other = own.demo.start(environment="mine", profile="small")
    assert prefix in own.demo.run_cell(other, code, kernel_name="mine")
    attempts = own.manage(
        *("shell", "-v0", "-c"),
        "from environments.models import Build; print(Build.objects.get(state='built').attempt)",
    )
    assert attempts.strip() == "1"
    # Once it has ended it leaves nothing but what was built.
    wait_until(lambda: not [job for job in own.admin.names("jobs") if job.startswith("build-")])


def test_a_session_whose_packages_do_not_exist_says_which(own: OnCluster) -> None:
    declare(own, "broken-packages", "no-such-package")
    created = own.demo.create(environment="broken-packages", profile="small")
    failed = own.demo.wait_for(created["id"], "failed", seconds=90)
    assert failed["reason"]["code"] == "environment_build_failed"
    assert "no-such-package" in failed["reason"]["message"]
