"""A Jupyter server extension: every answer says how many processes here ran out of memory, and how
much of which volume is used.

The kernel's OOM killer may take the process of one notebook and leave the container as it is, and
then Kubernetes does not tell. The container's own counter does. Nor does Kubernetes tell how full a
volume is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

HEADER = "X-Submarine-Oom-Kills"
SECONDS = 1.0

USAGE_HEADER = "X-Submarine-Usage"
USAGE_SECONDS = 60.0
VOLUMES = "SUBMARINE_VOLUMES"
"""The variable that has the folder of each volume, by its id."""

MIB = 1024**2

COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)
"""By version of cgroups: 2, 1."""


def oom_kills() -> int:
    """How many processes of this container the OOM killer has ended, as far as can be known."""
    for counter in COUNTERS:
        try:
            lines = counter.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def usage(folders: Mapping[str, str]) -> str:
    """How much is used of each volume and how much there is of it, in MiB: `ID=3/10 ID=5/100`."""
    found = []
    for volume, folder in folders.items():
        try:
            seen = os.statvfs(folder)
        except OSError:
            continue
        used = (seen.f_blocks - seen.f_bfree) * seen.f_frsize
        found.append(f"{volume}={used // MIB}/{seen.f_blocks * seen.f_frsize // MIB}")
    return " ".join(found)


def _load_jupyter_server_extension(server: Any) -> None:
    settings = server.web_app.settings
    # Configured headers are copied: they may be anybody's.
    headers = settings["headers"] = dict(settings.get("headers", {}))

    def look() -> None:
        if kills := oom_kills():
            headers[HEADER] = str(kills)
        server.io_loop.call_later(SECONDS, look)

    look()
    if VOLUMES in os.environ:
        folders = json.loads(os.environ[VOLUMES])
        # In a thread of its own: storage that is away keeps whoever asks it waiting.
        Thread(target=_follow, args=(folders, headers, server.io_loop), daemon=True).start()


def _follow(folders: Mapping[str, str], headers: Any, loop: Any) -> None:
    never = Event()
    while True:
        loop.add_callback(headers.__setitem__, USAGE_HEADER, usage(folders))
        never.wait(USAGE_SECONDS)
