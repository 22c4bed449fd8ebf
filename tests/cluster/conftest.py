"""The tests on a real cluster: everything under test has the rights of its Role, no more."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import KUBECONFIG, Administrator, a_namespace, limited_kubeconfig
from tests.cluster.service import OnCluster, on_cluster
from tests.stack.service import Program


@pytest.fixture(scope="session", autouse=True)
def _cluster() -> None:
    if KUBECONFIG:
        return
    if "SUBMARINE_ALL_TIERS" in os.environ:
        pytest.fail("SUBMARINE_TEST_KUBECONFIG names no cluster.")
    pytest.skip("SUBMARINE_TEST_KUBECONFIG names no cluster")


@pytest.fixture(scope="module")
def admin() -> Iterator[Administrator]:
    """The administrator, in a namespace that is this module's own."""
    with a_namespace() as admin:
        yield admin


@pytest.fixture(scope="module")
def kubeconfig(admin: Administrator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service finds the cluster by, with the rights of its Role."""
    return limited_kubeconfig(admin, tmp_path_factory.mktemp("kubeconfig"))


@pytest.fixture(scope="module")
def host(admin: Administrator) -> str:
    """Where pods reach this machine, which is the node."""
    [node] = admin.api.get("nodes", labelSelector="kubernetes.io/hostname=test-node")["items"]
    addresses = {each["type"]: str(each["address"]) for each in node["status"]["addresses"]}
    return addresses["InternalIP"]


@pytest.fixture(scope="module")
def on(
    admin: Administrator, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OnCluster]:
    """One running service for the tests of a module."""
    with on_cluster(admin, kubeconfig, tmp_path_factory.mktemp("service") / "data") as on:
        yield on


@pytest.fixture
def demo(on: OnCluster) -> Iterator[Program]:
    """The demo user's program. After it, nothing may be left of any session."""
    yield on.demo
    on.delete_all()
