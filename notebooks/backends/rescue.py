"""What is otherwise in a rescue: a start with a home that has no room, or that keeps the server
from starting.
"""

from collections.abc import Mapping
from pathlib import Path

OPTIONS: Mapping[str, object] = {
    # What is deleted would only move to the home's trash, which needs room and makes none.
    "FileContentsManager.delete_to_trash": False,
}
"""Of the Jupyter server's configuration."""


def environment(folder: Path) -> dict[str, str]:
    """Variables by which the server and its kernels keep their own files in this folder, and
    import nothing from the home.
    """
    return {
        "IPYTHONDIR": f"{folder}/ipython",
        "JUPYTERLAB_SETTINGS_DIR": f"{folder}/lab/settings",
        "JUPYTERLAB_WORKSPACES_DIR": f"{folder}/lab/workspaces",
        "JUPYTER_CONFIG_DIR": f"{folder}/config",
        "JUPYTER_DATA_DIR": f"{folder}/data",
        "PYTHONNOUSERSITE": "1",
        "XDG_CACHE_HOME": f"{folder}/cache",
    }
