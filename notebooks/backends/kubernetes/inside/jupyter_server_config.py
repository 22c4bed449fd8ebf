"""Read by the session's Jupyter: adds our extension to what the image and the user configure."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

c.ServerApp.jpserver_extensions.update(  # type: ignore[name-defined]  # noqa: F821 - Jupyter has it
    {"submarine_session": True}
)
