"""The ResourceQuota that has the site's limits, should the ledger ever let too much in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from notebooks.backends.contract import Ceiling
from notebooks.backends.kubernetes.api import Api, ApiError
from notebooks.backends.kubernetes.backend import KubernetesBackend
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.outside import BackendRefused
from tests.cluster.cluster import Administrator
from tests.contracts.backend_suite import a_spec
from tests.contracts.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

NAME = "default-backstop"


def backend_of(kubeconfig: Path, *, quota_backstop: bool) -> KubernetesBackend:
    site = SiteConfig(home_size="", quota_backstop=quota_backstop)
    return KubernetesBackend(site, Api(kubeconfig=str(kubeconfig)))


@pytest.fixture
def backend(admin: Administrator, kubeconfig: Path) -> Iterator[KubernetesBackend]:
    yield backend_of(kubeconfig, quota_backstop=True)
    if NAME in admin.names("resourcequotas"):
        admin.api.delete(f"resourcequotas/{NAME}")
    for name in admin.names("pods"):
        admin.api.delete(f"pods/{name}", grace_seconds=0)
    eventually(lambda: not admin.names("pods"))


def hard(admin: Administrator) -> dict[str, str]:
    said: dict[str, str] = admin.api.get(f"resourcequotas/{NAME}")["spec"]["hard"]
    return said


def managed(admin: Administrator) -> list[str]:
    """When each but the cluster, which counts, has written it."""
    entries = admin.api.get(f"resourcequotas/{NAME}")["metadata"]["managedFields"]
    return [each["time"] for each in entries if "f:spec" in each["fieldsV1"]]


def test_it_is_made_kept_and_follows_the_limits(
    admin: Administrator, backend: KubernetesBackend
) -> None:
    ceiling = Ceiling(pods=7, cpu_milli=19_000, memory_mib=2048, gpus={"nvidia.com/gpu": 2})
    backend.keep_below(ceiling)
    assert hard(admin) == {
        "pods": "7",
        "limits.cpu": "19",
        "limits.memory": "2Gi",
        "requests.nvidia.com/gpu": "2",
    }
    written = managed(admin)
    backend.keep_below(ceiling)
    assert managed(admin) == written
    backend.keep_below(Ceiling(pods=8))
    assert hard(admin) == {"pods": "8"}


def test_what_goes_beyond_it_is_refused_in_words(
    admin: Administrator, backend: KubernetesBackend
) -> None:
    backend.keep_below(Ceiling(pods=1))

    def counted() -> bool:
        try:
            status = admin.api.get(f"resourcequotas/{NAME}").get("status", {})
        except ApiError:
            return False
        return bool(status.get("hard") == {"pods": "1"})

    eventually(counted)
    backend.start(a_spec())
    second = a_spec()
    with pytest.raises(BackendRefused) as refusal:
        backend.start(second)
    assert refusal.value.code == "namespace_full"
    assert backend.observe(second.key) is None


def test_unless_it_is_wanted_there_is_none(
    admin: Administrator, backend: KubernetesBackend, kubeconfig: Path
) -> None:
    backend_of(kubeconfig, quota_backstop=False).keep_below(Ceiling(pods=1))
    assert NAME not in admin.names("resourcequotas")
