"""What nodes have for sessions in all."""

from collections.abc import Mapping
from typing import Any

from notebooks.backends.contract import Capacity
from notebooks.backends.kubernetes.nodes import capacity_of, node_capacity


def a_node(
    offers: Mapping[str, str] = {}, *, ready: str = "True", closed: bool = False, taint: str = ""
) -> dict[str, Any]:
    taints = [{"key": taint, "effect": "NoSchedule"}] if taint else []
    return {
        "metadata": {"labels": {}},
        "spec": {"taints": taints, **({"unschedulable": True} if closed else {})},
        "status": {
            "allocatable": {"cpu": "3500m", "memory": "8Gi", "pods": "110", **offers},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def test_what_takes_pods_is_summed_and_devices_by_their_name() -> None:
    nodes = [
        a_node(),
        a_node({"nvidia.com/gpu": "2", "hugepages-2Mi": "0"}, taint="nvidia.com/gpu"),
        a_node({"nvidia.com/gpu": "4"}),
    ]
    assert capacity_of([node_capacity(node) for node in nodes]) == Capacity(
        cpu_milli=10_500, memory_mib=3 * 8192, gpus={"nvidia.com/gpu": 6}
    )


def test_what_is_away_closed_or_the_cluster_s_own_is_not() -> None:
    nodes = [
        a_node(ready="Unknown"),
        a_node(closed=True),
        a_node(taint="node-role.kubernetes.io/control-plane"),
        a_node(),
    ]
    assert capacity_of([node_capacity(node) for node in nodes]) == Capacity(
        cpu_milli=3500, memory_mib=8192
    )
    assert capacity_of([]) == Capacity(cpu_milli=0, memory_mib=0)
