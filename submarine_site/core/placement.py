"""Where and how a session's server is placed: what a profile says beyond CPU, memory and GPUs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """In the words of Kubernetes; other backends have no use for it.

    Requests are limits divided by the overcommit. `service_account` empty: no token of the cluster
    in the session. `pod_patch` is merged into the pod after it was checked.
    """

    shared_memory_mib: int = 64
    cpu_overcommit: Decimal = Decimal(1)
    memory_overcommit: Decimal = Decimal(1)
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    preferred_nodes: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    priority_class: str = ""
    service_account: str = ""
    pod_patch: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What a JSON column can hold, for `from_json`."""
        return asdict(self) | {
            "cpu_overcommit": str(self.cpu_overcommit),
            "memory_overcommit": str(self.memory_overcommit),
            "tolerations": [dict(toleration) for toleration in self.tolerations],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` gave, also where a version with fewer fields gave it."""
        known = {each.name: kept[each.name] for each in fields(cls) if each.name in kept}
        for name in ("cpu_overcommit", "memory_overcommit"):
            if name in known:
                known[name] = Decimal(known[name])
        if "tolerations" in known:
            known["tolerations"] = tuple(known["tolerations"])
        return cls(**known)
