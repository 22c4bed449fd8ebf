"""The conda part of a kernel, by rattler: no conda program, and no script of a package is run.

A process of its own, `python -m environments.builder.conda PREFIX CACHE LOCK`: it reads the request
and leaves in LOCK what it has installed. What takes too long or too much memory ends with it.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rattler import Channel, Client, Gateway, MatchSpec, VirtualPackage, solve
from rattler import install as install_records
from rattler.repo_data import RepoDataRecord

from environments.builder.commands import say
from environments.builder.outcome import without_credentials
from environments.builder.request import Request


async def install(request: Request, prefix: Path, cache: Path) -> list[dict[str, Any]]:
    """Solve and install; what was installed, exactly."""
    specs = (
        [_exact(each) for each in request.lock["conda"]]
        if request.lock
        else [MatchSpec(spec) for spec in request.conda]
    )
    client = Client.default_client()
    records = await solve(
        sources=[Channel(each) for each in request.channels],
        specs=specs,
        gateway=Gateway(cache_dir=cache / "repodata", client=client),
        virtual_packages=VirtualPackage.detect(),
    )
    say(f"Installing {len(records)} conda packages.")
    await install_records(
        records,
        target_prefix=prefix,
        cache_dir=cache / "packages",
        show_progress=False,
        client=client,
        execute_link_scripts=False,
    )
    return _lock(records)


def _exact(locked: dict[str, Any]) -> MatchSpec:
    conditions = f"sha256={locked['sha256']}" if locked["sha256"] else f"build={locked['build']}"
    return MatchSpec(f"{locked['name']}=={locked['version']}[{conditions}]", strict=True)


def _lock(records: Sequence[RepoDataRecord]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": record.name.source,
            "version": str(record.version),
            "build": str(record.build),
            "url": without_credentials(record.url),
            "sha256": record.sha256.hex() if record.sha256 else "",
        }
        for record in records
    ]
    return sorted(found, key=lambda each: str(each["name"]))


def main() -> int:
    prefix, cache, lock = map(Path, sys.argv[1:])
    request = Request.from_text(sys.stdin.read())
    try:
        found = asyncio.run(install(request, prefix, cache))
    except Exception as error:  # noqa: BLE001 - rattler's have no common class; all are told
        say(f"{type(error).__name__}: {error}")
        return 1
    lock.write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    # Without Python's own end: rattler's threads may still want what that takes down.
    os._exit(main())
