"""Amounts of memory and storage, kept in MiB, as people read them."""

_GIB = 1024


def size(mib: int) -> str:
    """Return an amount with its unit, exact: `512 MiB`, `10 GiB`."""
    return f"{mib} MiB" if mib % _GIB else f"{mib // _GIB} GiB"


def about(mib: int) -> str:
    """Return an amount that was measured, to a tenth: `512 MiB`, `3.2 GiB`."""
    return f"{mib} MiB" if mib < _GIB else f"{mib / _GIB:.1f}".removesuffix(".0") + " GiB"


def of_size(used_mib: int, total_mib: int) -> str:
    """Return how much of a whole is used: `3.2 of 10 GiB`, `512 MiB of 10 GiB`, `0 of 10 GiB`."""
    used, total = about(used_mib), about(total_mib)
    number, unit = used.split()
    return f"{number} of {total}" if total.endswith(unit) or not used_mib else f"{used} of {total}"
