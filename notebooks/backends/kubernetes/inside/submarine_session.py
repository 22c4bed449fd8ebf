"""A Jupyter server extension: every answer says how many processes here ran out of memory.

The kernel's OOM killer may take the process of one notebook and leave the container as it is, and
then Kubernetes does not tell. The container's own counter does.
"""

from pathlib import Path
from typing import Any

HEADER = "X-Submarine-Oom-Kills"
SECONDS = 1.0

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


def _load_jupyter_server_extension(server: Any) -> None:
    settings = server.web_app.settings
    # Configured headers are copied: they may be anybody's.
    headers = settings["headers"] = dict(settings.get("headers", {}))

    def look() -> None:
        if kills := oom_kills():
            headers[HEADER] = str(kills)
        server.io_loop.call_later(SECONDS, look)

    look()
