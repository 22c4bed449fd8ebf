"""The tests on a real cluster: everything under test has the rights of its Role, no more."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import KUBECONFIG, Administrator, a_namespace, limited_kubeconfig


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
