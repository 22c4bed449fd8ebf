"""Read by the session's Jupyter: adds our extensions to what the image and the user configure."""

import sys
from pathlib import Path

here = Path(__file__).parent
sys.path.append(str(here))

config = c  # type: ignore[name-defined]  # noqa: F821 - Jupyter has it

config.ServerApp.jpserver_extensions.update(
    {extension.stem: True for extension in here.glob("submarine_*.py")}
)
# JupyterLab finds in there what is in a folder of its own.
config.LabApp.extra_labextensions_path.append(str(here.parent))

config.ServerApp.open_browser = False
# Sessions are stopped on our pages.
config.ServerApp.quit_button = False
# Whoever sees to the image sees to its versions.
config.LabApp.news_url = None
config.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
