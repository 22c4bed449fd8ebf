"""Read by the session's Jupyter: adds our extensions to what the image and the user configure."""

import sys
from pathlib import Path

here = Path(__file__).parent
sys.path.append(str(here))

c.ServerApp.jpserver_extensions.update(  # type: ignore[name-defined]  # noqa: F821 - Jupyter has it
    {extension.stem: True for extension in here.glob("submarine_*.py")}
)
# JupyterLab finds in there what is in a folder of its own.
c.LabApp.extra_labextensions_path.append(str(here.parent))  # type: ignore[name-defined]  # noqa: F821

c.ServerApp.open_browser = False  # type: ignore[name-defined]  # noqa: F821
# Sessions are stopped on our pages.
c.ServerApp.quit_button = False  # type: ignore[name-defined]  # noqa: F821
# Whoever sees to the image sees to its versions.
c.LabApp.news_url = None  # type: ignore[name-defined]  # noqa: F821
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"  # type: ignore[name-defined]  # noqa: F821
