"""What nodes could hold if they were empty, and whether a pod could ever be placed on one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from notebooks.backends.contract import Capacity
from notebooks.backends.kubernetes.amounts import amount, list_in_words
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.reading import has_condition

_PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Taints by which a cluster marks that a node is away, full, closed or new: they come and go."""

_OF_CLUSTER = "node-role.kubernetes.io/"
"""Taints of nodes for the control plane."""


_LEAVING = {
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
}
"""Taints of nodes that are cleared before they are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCapacity:
    """What one node could hold if it were empty, and what it is kept for."""

    offers: Mapping[str, Decimal]
    labels: Mapping[str, str]
    name: str = ""
    taints: tuple[Json, ...] = ()
    is_open: bool = True
    """Whether it takes pods now: it is there, and nobody has closed it."""
    is_cordoned: bool = False
    """Whether its pods are to go elsewhere: somebody has closed it, or it is to be removed."""


def node_capacity(node: Json) -> NodeCapacity:
    """Read a node."""
    taints = node["spec"].get("taints", [])
    is_closed = node["spec"].get("unschedulable", False)
    return NodeCapacity(
        name=node["metadata"].get("name", ""),
        offers={
            resource: amount(quantity)
            for resource, quantity in node["status"].get("allocatable", {}).items()
        },
        labels=node["metadata"].get("labels", {}),
        taints=tuple(
            taint
            for taint in taints
            if taint["effect"] != "PreferNoSchedule" and not taint["key"].startswith(_PASSING)
        ),
        is_open=not is_closed and has_condition(node, "Ready", "True"),
        is_cordoned=is_closed or any(taint["key"] in _LEAVING for taint in taints),
    )


def capacity_of(nodes: Sequence[NodeCapacity]) -> Capacity:
    """Sum what those that are open have, but for those that the cluster keeps for itself."""
    total: dict[str, Decimal] = {}
    for node in nodes:
        if not node.is_open or any(each["key"].startswith(_OF_CLUSTER) for each in node.taints):
            continue
        for resource, offered in node.offers.items():
            total[resource] = total.get(resource, Decimal()) + offered
    return Capacity(
        cpu_milli=int(total.pop("cpu", Decimal()) * 1000),
        memory_mib=int(total.pop("memory", Decimal()) / 1024**2),
        # Devices have names with a domain.
        gpus={resource: int(offered) for resource, offered in total.items() if "/" in resource},
    )


def needs(spec: Json) -> dict[str, Decimal]:
    """What a pod has to have of each resource."""
    total: dict[str, Decimal] = {}
    for container in spec["containers"]:
        for resource, needed in _requests(container).items():
            total[resource] = total.get(resource, Decimal()) + needed
    for container in spec.get("initContainers", []):
        for resource, needed in _requests(container).items():
            total[resource] = max(total.get(resource, Decimal()), needed)
    return total


def _requests(container: Json) -> dict[str, Decimal]:
    resources = container.get("resources", {})
    asked = {**resources.get("limits", {}), **resources.get("requests", {})}
    return {resource: amount(quantity) for resource, quantity in asked.items()}


def never_fits(spec: Json, nodes: Sequence[NodeCapacity]) -> str:
    """Why none of these nodes could hold the pod even if it were empty; empty if one could."""
    if not nodes:
        return ""
    selector = spec.get("nodeSelector", {})
    chosen = [node for node in nodes if selector.items() <= node.labels.items()]
    if not chosen:
        labels = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
        return f"No machine has the labels that this size asks for: {labels}."
    tolerations = spec.get("tolerations", [])
    admitted = [
        node
        for node in chosen
        if all(any(_tolerates(each, taint) for each in tolerations) for taint in node.taints)
    ]
    if not admitted:
        return "All machines that this size could use are kept for other work."
    needed = needs(spec)
    if any(_holds(node, needed) for node in admitted):
        return ""
    most = {
        resource: max(node.offers.get(resource, Decimal()) for node in admitted)
        for resource in needed
    }
    lacking = {
        resource: needed[resource] for resource in needed if needed[resource] > most[resource]
    }
    if not lacking:
        return f"No machine offers {list_in_words(needed)} together."
    offered = {resource: most[resource] for resource in lacking if most[resource]}
    best = (
        f"the largest machine offers {list_in_words(offered)}" if offered else "no machine has any"
    )
    return f"It needs {list_in_words(lacking)}; {best}."


def _holds(node: NodeCapacity, needed: Mapping[str, Decimal]) -> bool:
    return all(
        node.offers.get(resource, Decimal()) >= wanted for resource, wanted in needed.items()
    )


def _tolerates(toleration: Json, taint: Json) -> bool:
    """As the scheduler decides it: an empty key or effect stands for every one."""
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("key") not in {None, "", taint["key"]}:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    value: str = taint.get("value", "")
    return bool(toleration.get("value", "") == value)
