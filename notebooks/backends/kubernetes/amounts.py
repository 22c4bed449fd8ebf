"""Amounts of a cluster's resources, in words: `4 CPU`, `512 MiB of memory`, `1 GPU`."""

from collections.abc import Mapping
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

_MIB = 1024**2
_GIB = 1024**3

_BYTES = {
    "memory": " of memory",
    "storage": " of storage",
    "ephemeral-storage": " of scratch space",
}
_COUNTED = {"pods": "session", "persistentvolumeclaims": "volume"}


def amount(quantity: str | int) -> Decimal:
    """Read a quantity as the API writes it: `100m`, `4Gi`."""
    return Decimal(parse_quantity(quantity))


def size(amount: Decimal) -> str:
    """Bytes as people read them: `4.0 GiB`, `512 MiB`."""
    if amount >= _GIB:
        return f"{amount / _GIB:.1f} GiB"
    return f"{amount / _MIB:.0f} MiB"


def of_size(part: int, whole: int) -> str:
    """Bytes of bytes: `9.9 of 10.0 GiB`, `16 of 16 MiB`."""
    if whole >= _GIB:
        return f"{part / _GIB:.1f} of {whole / _GIB:.1f} GiB"
    return f"{part / _MIB:.0f} of {whole / _MIB:.0f} MiB"


def in_words(resource: str, amount: Decimal) -> str:
    """An amount of a resource by the name that pods or quotas give it."""
    kind = resource.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")
    if kind in _BYTES:
        return size(amount) + _BYTES[kind]
    if kind == "cpu":
        return f"{amount.normalize():f} CPU"
    if kind in _COUNTED:
        return f"{amount:f} {_COUNTED[kind]}{'' if amount == 1 else 's'}"
    if kind.rpartition("/")[2].startswith("gpu"):
        return f"{amount:f} GPU"
    return f"{amount:f} {kind}"


def list_in_words(amounts: Mapping[str, Decimal]) -> str:
    """`4 CPU and 8.0 GiB of memory`."""
    words = [in_words(resource, amounts[resource]) for resource in sorted(amounts)]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
