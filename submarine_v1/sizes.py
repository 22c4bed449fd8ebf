"""Which size goes with the resources that are asked for as Kubernetes writes them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from environments.models import EnvironmentVersion
from quotas.models import ResourceProfile
from submarine_site.core.errors import InvalidInput
from submarine_site.core.resources import Resources

GPU = "nvidia.com/gpu"
FIELD = "resources"
_MIB = 1024**2

_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})([A-Za-z]{0,2})", re.ASCII)
_CPU = {"": 1000, "m": 1}
_MEMORY = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T"), start=1)},
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), start=1)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """At least so much; 0: however much there is."""

    cpu_milli: int = 0
    memory_mib: int = 0
    gpus: int = 0
    gpu_resource: str = ""
    """The kind of GPU as Kubernetes names it; empty: any."""

    def fits(self, size: ResourceProfile) -> bool:
        return (
            size.cpu_milli >= self.cpu_milli
            and size.memory_mib >= self.memory_mib
            and size.gpus >= self.gpus
            and self.gpu_resource in {"", size.gpu_resource}
        )

    def __str__(self) -> str:
        said = Resources(cpu_milli=self.cpu_milli, memory_mib=self.memory_mib, gpus=self.gpus)
        parts = []
        if self.cpu_milli:
            parts.append(f"{said.cpu} CPU")
        if self.memory_mib:
            parts.append(said.memory)
        if self.gpus:
            kind = f" ({self.gpu_resource})" if self.gpu_resource else ""
            parts.append(f"{said.gpus} GPU{kind}")
        return " · ".join(parts)


def read_wanted(spec: Mapping[str, str], sizes: Iterable[ResourceProfile]) -> Wanted:
    """Read `resources`, such as `cpu=1,memory=1.0Gi,nvidia.com/gpu=1`, and the attributes beside
    it, which may not say otherwise. Raises `InvalidInput`.

    As in Submarine, resources of other names are left out, unless a size has GPUs of that name.
    `nvidia.com/gpu`, the only name that Submarine has for them, is any GPU.
    """
    kinds = {size.gpu_resource for size in sizes if size.gpus}
    gpu_resource = ""
    said: dict[str, str] = {}
    for part in filter(str.strip, spec[FIELD].split(",")):
        name, _, quantity = (each.strip() for each in part.partition("="))
        if name in kinds - {GPU}:
            gpu_resource = name
        if name in {"gpu", GPU, *kinds}:
            name = "gpu"
        elif name not in {"cpu", "memory"}:
            continue
        if name in said:
            raise InvalidInput.field(FIELD, f"“{name}” is there twice.")
        said[name] = quantity
    listed = Wanted(
        cpu_milli=_cpu(said.get("cpu"), FIELD),
        memory_mib=_memory(said.get("memory"), FIELD),
        gpus=_gpus(said.get("gpu"), FIELD),
    )
    beside = Wanted(
        cpu_milli=_cpu(spec["cpu"].strip() or None, "cpu"),
        memory_mib=_memory(spec["memory"].strip() or None, "memory"),
        gpus=_gpus(spec["gpu"].strip() or None, "gpu"),
    )
    gpus = _agreed("gpu", listed.gpus, beside.gpus)
    return Wanted(
        cpu_milli=_agreed("cpu", listed.cpu_milli, beside.cpu_milli),
        memory_mib=_agreed("memory", listed.memory_mib, beside.memory_mib),
        gpus=gpus,
        gpu_resource=gpu_resource if gpus else "",
    )


def choose(
    sizes: Sequence[ResourceProfile],
    version: EnvironmentVersion,
    wanted: Wanted,
    *,
    profile: str = "",
) -> ResourceProfile:
    """Return the smallest of the sizes that holds what is wanted, and that will do for the
    environment; or the one of this name, which has to hold it. Raises `InvalidInput`.
    """
    if profile:
        named = next((size for size in sizes if size.name == profile), None)
        if named is None:
            raise InvalidInput.field("profile", "There is no such size that you may use.")
        if not wanted.fits(named):
            raise InvalidInput.field(
                "profile", f"The size “{named}” has {named.resources}, less than {wanted}."
            )
        return named
    ascending = sorted(sizes, key=_weight)
    for size in ascending:
        if wanted.fits(size) and not version.lacks(size.resources):
            return size
    if holding := [size for size in ascending if wanted.fits(size)]:
        needs = f"{version.lacks(holding[-1].resources)}, which the environment needs"
    else:
        needs = str(wanted) or "been offered to you"
    there = "; ".join(f"“{size}” has {size.resources}" for size in ascending)
    raise InvalidInput.field(FIELD, f"No size that you may use has {needs}. {there}.".strip(" ."))


def as_text(resources: Resources, gpu_resource: str = GPU) -> str:
    """Return these resources in the form that clients read."""
    memory = (
        f"{resources.memory_mib // 1024}Gi"
        if resources.memory_mib % 1024 == 0
        else f"{resources.memory_mib}Mi"
    )
    gpus = f",{gpu_resource}={resources.gpus}" if resources.gpus else ""
    return f"cpu={resources.cpu},memory={memory}{gpus}"


def _weight(size: ResourceProfile) -> tuple[int, int, int]:
    return size.gpus, size.memory_mib, size.cpu_milli


def _agreed(name: str, listed: int, beside: int) -> int:
    if listed and beside and listed != beside:
        raise InvalidInput.field(name, "This and `resources` say different things.")
    return listed or beside


def _cpu(raw: str | None, field: str) -> int:
    return _amount(raw, field, _CPU, example="0.5 or 500m")


def _memory(raw: str | None, field: str) -> int:
    return int(
        (Decimal(_amount(raw, field, _MEMORY, example="512Mi or 1.5Gi")) / _MIB).to_integral(
            ROUND_CEILING
        )
    )


def _gpus(raw: str | None, field: str) -> int:
    if raw is not None and not re.fullmatch(r"[0-9]{1,6}(\.0{0,9})?", raw, re.ASCII):
        raise InvalidInput.field(field, f"“{raw[:100]}” is no number of GPUs, such as 1.")
    return int((raw or "0").partition(".")[0])


def _amount(raw: str | None, field: str, units: Mapping[str, int], *, example: str) -> int:
    if raw is None:
        return 0
    found = _QUANTITY.fullmatch(raw)
    if found is None or found[2] not in units:
        raise InvalidInput.field(field, f"“{raw[:100]}” is no quantity, such as {example}.")
    return int((Decimal(found[1]) * units[found[2]]).to_integral(ROUND_CEILING))
