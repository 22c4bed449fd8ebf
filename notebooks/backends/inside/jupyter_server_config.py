"""Read by the session's Jupyter: adds our extensions to what the image and the user configure."""

import sys
from pathlib import Path

here = Path(__file__).parent
sys.path.append(str(here))

c.ServerApp.jpserver_extensions.update(  # type: ignore[name-defined]  # noqa: F821 - Jupyter has it
    {extension.stem: True for extension in here.glob("submarine_*.py")}
)
c.LabApp.extra_labextensions_path.append(  # type: ignore[name-defined]  # noqa: F821
    str(here / "labextensions")
)
