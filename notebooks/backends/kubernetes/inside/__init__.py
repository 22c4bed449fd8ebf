"""What a session's pod gets of ours: what every session gets, and what looks at its container."""

from importlib.resources import files

from notebooks.backends import inside

FOLDER = f"/etc/submarine-notebooks/{inside.FOLDER.name}"
"""Where it is in the pod: first in `JUPYTER_CONFIG_PATH`."""

VOLUMES = "SUBMARINE_VOLUMES"
"""The variable that says where which volume is."""

JUPYTER, variable, workspaces = inside.JUPYTER, inside.variable, inside.workspaces

_OF_PODS = "submarine_container.py"

FILES = {**inside.FILES, _OF_PODS: files(__name__).joinpath(_OF_PODS).read_text()}
"""By their names in the folder, which are their keys in the ConfigMap that all pods share."""
