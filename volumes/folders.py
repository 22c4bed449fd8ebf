"""Comparison of folders that operators adopt as volumes."""

import os
from collections.abc import Iterable


def overlaps_any(folder: str, others: Iterable[str]) -> bool:
    """Return whether a folder is one of the others, holds one or is within one.

    Paths are compared as written and with symbolic links resolved, as the local backend opens
    them. A folder that is not on this machine is compared as written.
    """
    spellings = _spellings(folder)
    return any(
        _overlap(one, two) for other in others for two in _spellings(other) for one in spellings
    )


def _spellings(folder: str) -> set[str]:
    return {folder, os.path.realpath(folder)}


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
