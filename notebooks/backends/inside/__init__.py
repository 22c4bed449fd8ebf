"""What every session gets of ours: a folder that is first in `JUPYTER_CONFIG_PATH`, with a
configuration that adds what lies beside it to what the image and the user configure.

Its Python runs in the session, on the image's own (3.8 or later) and its standard library. Its
JavaScript runs in JupyterLab as it is: nothing has to be built. The folder has the name of the
JupyterLab extension that it is as well, and none within it, so that pods need not be told where
each file goes.
"""

import json
from importlib.resources import files
from pathlib import Path

from notebooks.backends.contract import SessionSpec

FOLDER = Path(str(files(__name__).joinpath("submarine_session")))

FILES = {
    name: (FOLDER / name).read_text()
    for name in (
        "jupyter_config.py",
        "jupyter_server_config.py",
        "session_identity.py",
        "session_server.py",
        "submarine_port.py",
        "submarine_traffic.py",
        "submarine_workspace.py",
        "package.json",
        "remoteEntry.js",
        "example.ipynb",
    )
}
"""By their names in the folder."""

JUPYTER = "SUBMARINE_JUPYTER"
"""The variable by which `jupyter_config.py` knows the session's own server. The server removes it
from its environment.
"""

_WORKSPACES = ".jupyter/lab/workspaces/submarine"
"""Below the home. Beside it are the workspaces that all sessions of the home had in common."""


def workspaces(home: Path, spec: SessionSpec) -> dict[str, str]:
    """Return the variable by which JupyterLab keeps a session's open tabs apart from other ones'.

    The folder stays with the home, so that the session has its tabs when it starts again;
    `session_server.py` removes those of other sessions that were not started for longest.
    """
    return {"JUPYTERLAB_WORKSPACES_DIR": str(home / _WORKSPACES / str(spec.key.session_id))}


def variable(spec: SessionSpec) -> str:
    """Return the value of that variable."""
    return json.dumps({"memory_mib": spec.resources.memory_mib})
