"""Which symbolic links of a repository lead out of it.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

from typing import Collection, Mapping

MAX_HOPS = 40
"""The kernel follows no more links than that in one path."""


def leads_out(path: str, links: Mapping[str, str], submodules: Collection[str]) -> bool:
    """Return whether the link at `path` can be followed to outside the repository.

    `links` has the target of every link by its path. Links within submodules are not known, so
    that a link which passes through a submodule and up again counts as leading out.
    """
    folder = path.split("/")[:-1]
    steps = links[path].split("/")[::-1]
    if links[path].startswith("/"):
        return True
    hops = 1
    while steps:
        step = steps.pop()
        if step in {"", "."}:
            continue
        if step == "..":
            if not folder:
                return True
            folder.pop()
            continue
        folder.append(step)
        here = "/".join(folder)
        if here in submodules and ".." in steps:
            return True
        target = links.get(here)
        if target is None:
            continue
        hops += 1
        if target.startswith("/"):
            return True
        if hops > MAX_HOPS:
            return False
        folder.pop()
        steps.extend(target.split("/")[::-1])
    return False
