"""Pins the options of Jupyter's server that the service depends on, and removes what sessions that
are gone have left in the home.

Of Jupyter's own rules none is enough. The command line wins over the section `ServerApp` of
configuration files, and loses to the sections `NotebookApp` and `LabApp` there, which JupyterLab
copies to `ServerApp` afterwards.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from uuid import UUID

from jupyter_server.auth.authorizer import AllowAllAuthorizer
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

LETS_IN: dict[str, object]
try:
    from session_identity import SessionIdentityProvider
except ModuleNotFoundError as missing:
    if missing.name != "jupyter_server.auth.identity":
        raise
    # Before jupyter_server 2.0 the server has these options itself.
    LETS_IN = {
        "allow_password_change": False,
        "login_handler_class": "jupyter_server.auth.login.LoginHandler",
        "password": "",
        "password_required": False,
        "token": os.environ["JUPYTER_TOKEN"],
    }
else:
    LETS_IN = {"identity_provider_class": SessionIdentityProvider}

MANAGERS = (
    "AsyncFileContentsManager",
    "AsyncLargeFileManager",
    "AsyncMappingKernelManager",
    "FileContentsManager",
    "LargeFileManager",
    "MappingKernelManager",
)
"""The classes that have a root folder of their own, by default the server's."""

WORKSPACES_KEPT = 50
"""Of how many sessions a home keeps the open tabs."""


def pin_options(memory_mib: int) -> None:
    """Make the options of the command line, and those below, win over all configuration."""
    app = ServerApp.instance()
    pinned = deepcopy(app.cli_config)
    pinned.ServerApp.update(
        allow_origin="",
        allow_origin_pat="",
        authorizer_class=AllowAllAuthorizer,
        certfile="",
        client_ca="",
        # With another file, the folder of this one would not be read again.
        config_file="",
        config_file_name=app.config_file_name,
        file_to_run="",
        keyfile="",
        open_browser=False,
        ssl_options={},
        websocket_url="",
        **LETS_IN,
    )
    for manager in MANAGERS:
        # Within `ServerApp` a section wins over the same one outside of it.
        pinned.ServerApp[manager].root_dir = app.root_dir
    # For `submarine_traffic.py`.
    pinned.SubmarineSession.memory_mib = memory_mib
    update_config = app.update_config

    def update_with_pinned(config: Config) -> None:
        config = deepcopy(config)
        config.merge(pinned)
        update_config(config)

    app.update_config = update_with_pinned


def remove_old_workspaces() -> None:
    """Remove the workspaces of sessions that share this home and were not started for longest.

    A pod does not learn which sessions were deleted.
    """
    own = Path(os.environ["JUPYTERLAB_WORKSPACES_DIR"])
    # A home that is full or read-only is no reason not to start.
    with suppress(OSError):
        if own.exists():
            # The time of this start: saving changes files alone.
            os.utime(own)
        folders = [folder for folder in own.parent.iterdir() if _is_of_session(folder)]
        folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in folders[WORKSPACES_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)


def _is_of_session(folder: Path) -> bool:
    """Tell whether a session made it: an image may have put the workspaces among other files."""
    try:
        return folder.name == str(UUID(folder.name))
    except ValueError:
        return False
