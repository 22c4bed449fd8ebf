"""The resources that are counted, and amounts of them as people write and read them. Pure.

An amount is a whole number of the resource's unit: thousandths of a core, MiB, or pieces. GPUs are
counted by their class, each a resource of its own: `gpu:a100`.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

from submarine_site.core.catalogue import CATALOGUE_NAME
from submarine_site.core.errors import InvalidInput
from submarine_site.core.sizes import of_size, size

SESSIONS = "sessions"
CPU = "cpu_milli"
MEMORY = "memory_mib"
STORAGE = "storage_mib"
VOLUMES = "volumes"
_GPU = "gpu:"

OTHER_GPUS = "gpu:*"
"""In limits: of each class that is not named beside it."""

SIZES = (MEMORY, STORAGE)
"""Those whose amounts do not say of what they are."""

FIXED = (SESSIONS, CPU, MEMORY, STORAGE, VOLUMES)

MAX_AMOUNT = 10**12
"""More of anything than there is; far below what a column holds."""

Amounts: TypeAlias = Mapping[str, int]
"""By resource. What is not named is none."""

_LABELS = {
    SESSIONS: "sessions",
    CPU: "CPU",
    MEMORY: "memory",
    STORAGE: "storage",
    VOLUMES: "volumes",
}
_MIB = {"MiB": 1, "Mi": 1, "GiB": 1024, "Gi": 1024, "TiB": 1024**2, "Ti": 1024**2}
# Numbers are short: what is read has at most `MAX_AMOUNT` in it.
_NUMBER = r"(\d{1,16}(?:\.\d{1,6})?)"
_WITH_UNIT = re.compile(rf"{_NUMBER}\s*([A-Za-z]*)\Z", re.ASCII)


def gpu(accelerator: str) -> str:
    """Return the resource that GPUs of a class are."""
    return f"{_GPU}{accelerator}"


def is_gpu(resource: str) -> bool:
    return resource.startswith(_GPU)


def is_resource(name: str) -> bool:
    """Whether limits may be set for it."""
    accelerator = name.removeprefix(_GPU)
    return name in FIXED or (
        is_gpu(name)
        and (name == OTHER_GPUS or re.match(CATALOGUE_NAME.regex, accelerator) is not None)
    )


def label(resource: str) -> str:
    """Return what people call it: `memory`, `GPU a100`."""
    if resource == OTHER_GPUS:
        return "GPU, any other class"
    if is_gpu(resource):
        accelerator = resource.removeprefix(_GPU)
        return "GPU" if accelerator == "gpu" else f"GPU {accelerator}"
    return _LABELS[resource]


def show(resource: str, amount: int | None) -> str:
    """Return an amount as people read it: `4 CPU`, `16 GiB`, `1 session`; None is unlimited."""
    if amount is None:
        return "unlimited"
    if resource in SIZES:
        return size(amount)
    if resource == CPU:
        return f"{_number(resource, amount)} CPU"
    if resource in {SESSIONS, VOLUMES}:
        return f"{amount} {label(resource).removesuffix('s') if amount == 1 else label(resource)}"
    return f"{amount} {label(resource)}"


def written(resource: str, amount: int | None) -> str:
    """Return an amount as `parse` reads it."""
    if resource == CPU and amount is not None:
        return show(resource, amount).removesuffix(" CPU")
    if amount is None or _kind(resource) == "size":
        return show(resource, amount)
    return str(amount)


def of(resource: str, used: int, limit: int | None) -> str:
    """Return how much of a limit is in use: `6 of 8`, `24 of 64 GiB`; of none, `4 CPU`."""
    if limit is None:
        return show(resource, used)
    if resource in SIZES:
        return of_size(used, limit)
    return f"{_number(resource, used)} of {_number(resource, limit)}"


def _number(resource: str, amount: int) -> str:
    return f"{(Decimal(amount) / 1000).normalize():f}" if resource == CPU else str(amount)


def ordered(resources: Iterable[str]) -> list[str]:
    """Return them in the order in which they are shown: GPUs stand behind memory."""
    ranks = {SESSIONS: 0, CPU: 1, MEMORY: 2, STORAGE: 4, VOLUMES: 5}
    return sorted(set(resources), key=lambda name: (ranks.get(name, 3), name))


def parse(
    resource: str, text: str, *, field: str = "amount", offers_unlimited: bool = True
) -> int | None:
    """Read an amount: cores such as `0.5`, memory and storage with their unit such as `10 GiB`,
    whole numbers of all else; `unlimited` is None, which not everybody is told.

    Raises `InvalidInput` naming `field`.
    """
    raw = text.strip()
    if raw.lower() == "unlimited":
        return None
    match = _WITH_UNIT.match(raw)
    amount = _read(resource, *match.groups()) if match else None
    if amount is None or amount != int(amount):
        other = "; or “unlimited”." if offers_unlimited else "."
        raise InvalidInput.field(field, _WANTED[_kind(resource)] + other)
    if amount > MAX_AMOUNT:
        raise InvalidInput.field(field, f"At most {show(resource, MAX_AMOUNT)}.")
    return int(amount)


def _read(resource: str, number: str, unit: str) -> Decimal | None:
    value = Decimal(number)
    match _kind(resource):
        case "size":
            return value * _MIB[unit] if unit in _MIB else None
        case "cores":
            return value * 1000 if not unit else None
        case _:
            return value if not unit and "." not in number else None


def _kind(resource: str) -> str:
    if resource in SIZES:
        return "size"
    return "cores" if resource == CPU else "pieces"


_WANTED = {
    "size": "A number with MiB, GiB or TiB is needed, such as “10 GiB”",
    "cores": "A number of cores is needed, such as “4” or “0.5”",
    "pieces": "A whole number is needed, 0 or more",
}
