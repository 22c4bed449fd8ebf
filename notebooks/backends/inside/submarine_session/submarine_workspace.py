"""A Jupyter server extension: names the session's JupyterLab workspace after the session.

The folder of workspaces is the session's own already. The name is for the browser: where the
sessions of a person have one origin, JupyterLab takes two tabs with workspaces of one name for two
tabs of one server, and gives the second a new, empty one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import UUID

UNNAMED = "default"
"""What JupyterLab calls the workspace of an address that names none."""

NAME_LENGTH = 12
"""At the end of an id, which is random in every version of UUID in use."""


class PageConfig(dict):  # type: ignore[type-arg]
    """JupyterLab's configuration of a page. Its server sets the workspace after all hooks."""

    def __init__(self, config: dict[str, Any], workspace: str) -> None:
        super().__init__(config)
        self._workspace = workspace

    def __setitem__(self, key: str, value: Any) -> None:
        is_unnamed = (key, value) == ("workspace", UNNAMED)
        super().__setitem__(key, self._workspace if is_unnamed else value)


def _load_jupyter_server_extension(server: Any) -> None:
    folder = Path(os.environ.get("JUPYTERLAB_WORKSPACES_DIR", ""))
    try:
        session = UUID(folder.name)
    except ValueError:
        # In rescue it is a folder that ends with the run.
        return
    name = session.hex[-NAME_LENGTH:]
    settings = server.web_app.settings
    configured = settings.get("page_config_hook")

    def hook(handler: Any, config: dict[str, Any]) -> dict[str, Any]:
        return PageConfig(configured(handler, config) if configured else config, name)

    settings["page_config_hook"] = hook
