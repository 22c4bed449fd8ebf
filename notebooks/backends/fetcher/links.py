"""Which symbolic links of a repository lead out of it.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

from typing import Collection, Mapping

MAX_HOPS = 40
"""The kernel follows no more links than that in one path."""

MAX_LENGTH = 4096
"""The kernel takes no longer path."""

MAX_STEPS = 1000
"""How many names are followed from one link; real links have a few."""


def leads_out(path: str, links: Mapping[str, str], submodules: Collection[str]) -> bool:
    """Return whether the link at `path` can be followed to outside the repository.

    `links` has the target of every link by its path. Links within submodules are not known, so
    that a link which passes through a submodule and up again counts as leading out. So does one of
    more than `MAX_STEPS`.
    """
    folder = path.split("/")[:-1]
    steps: list[str] = []
    target: str | None = links[path]
    hops = 0
    for _ in range(MAX_STEPS):
        if target is not None:
            if target.startswith("/") or len(target) > MAX_LENGTH:
                return True
            hops += 1
            steps.extend(target.split("/")[::-1])
        if not steps or hops > MAX_HOPS:
            return False
        target, step = None, steps.pop()
        if step == "..":
            if not folder:
                return True
            folder.pop()
        elif step not in {"", "."}:
            here = "/".join([*folder, step])
            if here in submodules and ".." in steps:
                return True
            target = links.get(here)
            if target is None:
                folder.append(step)
    return True
