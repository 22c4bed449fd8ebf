"""What the cluster has for sessions, as the service sees it with the optional right and without."""

from pathlib import Path

import pytest

from notebooks.backends.contract import Capacity
from notebooks.backends.kubernetes.amounts import amount
from notebooks.backends.kubernetes.api import Api
from notebooks.backends.kubernetes.backend import KubernetesBackend
from notebooks.backends.kubernetes.config import SiteConfig
from tests.cluster.cluster import Administrator, nodes_seen
from tests.contracts.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]


def seen(kubeconfig: Path) -> Capacity | None:
    return KubernetesBackend(SiteConfig(), Api(kubeconfig=str(kubeconfig))).capacity()


def test_it_is_seen_by_whoever_may_list_nodes(admin: Administrator, kubeconfig: Path) -> None:
    assert seen(kubeconfig) is None
    with nodes_seen(admin):
        # The cluster heeds a new right after a moment.
        eventually(lambda: seen(kubeconfig) is not None)
        found = seen(kubeconfig)
    offered = [node["status"]["allocatable"] for node in admin.api.get("nodes")["items"]]
    assert found is not None
    assert found.cpu_milli == sum(int(amount(each["cpu"]) * 1000) for each in offered)
    assert found.memory_mib == int(sum(amount(each["memory"]) for each in offered) / 1024**2)


def test_a_closed_node_does_not_count(admin: Administrator, kubeconfig: Path) -> None:
    with nodes_seen(admin):
        eventually(lambda: seen(kubeconfig) is not None)
        before = seen(kubeconfig)
        assert before is not None
        node = admin.api.get("nodes/test-node")
        admin.api.merge("nodes/test-node", {"spec": {"unschedulable": True}})
        try:
            # Answered from the API server's cache, which follows.
            eventually(lambda: seen(kubeconfig) != before)
            after = seen(kubeconfig)
        finally:
            admin.api.merge("nodes/test-node", {"spec": {"unschedulable": None}})
    assert after is not None
    gone = int(amount(node["status"]["allocatable"]["cpu"]) * 1000)
    assert before.cpu_milli - after.cpu_milli == gone
