"""Sizes as they are typed on pages: in GiB."""

import math

from submarine_site.core.errors import InvalidInput

_GIB = 1024


def in_gib(mib: int) -> str:
    """Write a size for its field: `10`, `0.5`."""
    return f"{mib / _GIB:.3f}".rstrip("0").rstrip(".")


def read_size(typed: str) -> int:
    """Return a size in MiB. Raises `InvalidInput`, at the field `size_mib`."""
    try:
        mib = float(typed.strip().replace(",", ".")) * _GIB
    except ValueError:
        mib = math.nan
    # What is too small or too large is told so where classes are known, in the same words to all.
    if not math.isfinite(mib):
        raise InvalidInput.field("size_mib", "A size in GiB is needed, such as 10 or 0.5.")
    return math.ceil(mib)
