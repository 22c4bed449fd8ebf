"""What a session's pod gets of ours: a folder with a Jupyter configuration and what it loads.

The two files run in the pod, on the image's own Python (3.8 or later) and its standard library.
"""

from importlib.resources import files

FOLDER = "/etc/submarine-notebooks"
"""Where it is in the pod: first in `JUPYTER_CONFIG_PATH`."""

VOLUMES = "SUBMARINE_VOLUMES"
"""The variable that says where which volume is."""

FILES = {
    name: files(__name__).joinpath(name).read_text()
    for name in ("jupyter_server_config.py", "submarine_session.py")
}
