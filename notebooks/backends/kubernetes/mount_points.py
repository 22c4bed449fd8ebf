"""The step before the server that makes the folders at which volumes are attached: an init
container. Pure.

Else the machine makes them, and they are root's; nor may it on every kind of storage. What stands
in the home already is never hidden by a volume.
"""

import re

from notebooks.backends.contract import SessionSpec
from notebooks.backends.kubernetes import storage
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.text import literal
from submarine_site.core.pod_shapes import MOUNT_POINTS_CONTAINER

EXIT_CODE = 73
"""With which it ends where something stands there, whose path is its termination message."""

# What cannot be made, for want of room above all, is told by what comes next.
_SCRIPT = f"""\
set -f
cd -- "$HOME" || exit 0
for path do
  mkdir -p -- "$path" 2>/dev/null
  at=.
  IFS=/
  for part in $path; do
    at=$at/$part
    if [ -L "$at" ] || {{ [ -e "$at" ] && [ ! -d "$at" ]; }}; then taken=1; fi
  done
  if [ -n "$taken" ] || [ -n "$(ls -A -- "$at" 2>/dev/null)" ]; then
    printf %s "$path" >/dev/termination-log
    exit {EXIT_CODE}
  fi
done
"""


def container(spec: SessionSpec, site: SiteConfig) -> Json:
    return {
        "name": MOUNT_POINTS_CONTAINER,
        "image": spec.image,
        "command": ["sh", "-c", literal(_SCRIPT), "sh"],
        "args": [literal(mount.path) for mount in spec.mounts],
        "env": [{"name": "HOME", "value": site.home_path}],
        "volumeMounts": [storage.home_mount(site)],
    }


def taken(exit_code: int | None, message: str) -> str:
    """Say in words what stood in the way; empty if nothing did."""
    if exit_code != EXIT_CODE or not re.fullmatch(r"[^\n]{1,500}", message):
        return ""
    return (
        f"There is something at “{message}” in the home already: move it, or attach the volume "
        "elsewhere."
    )
