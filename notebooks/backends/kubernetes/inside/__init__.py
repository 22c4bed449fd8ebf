"""What a session's pod gets of ours: what every session gets, and what looks at its container."""

from importlib.resources import files

from notebooks.backends import inside

FOLDER = "/etc/submarine-notebooks"
"""Where it is in the pod: first in `JUPYTER_CONFIG_PATH`."""

VOLUMES = "SUBMARINE_VOLUMES"
"""The variable that says where which volume is."""

_OF_PODS = "submarine_session.py"
_FILES = {**inside.FILES, _OF_PODS: files(__name__).joinpath(_OF_PODS).read_text()}


def _key(path: str) -> str:
    return path.replace("/", ".")


FILES = {_key(path): text for path, text in _FILES.items()}
"""By the keys of the ConfigMap that all pods share."""

ITEMS = [{"key": _key(path), "path": path} for path in _FILES]
"""Which of its keys is where in the folder."""
