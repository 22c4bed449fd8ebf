"""Read by a session's Jupyter server before every other configuration file."""

import json
import os
import sys
from pathlib import Path

# Taken out of the environment: another server that somebody starts in the session is theirs to
# configure.
session = json.loads(os.environ.pop("SUBMARINE_JUPYTER", "null"))
if session:
    sys.path.append(str(Path(__file__).parent))
    # Other programs of Jupyter read this file too, and may have no server to import.
    from session_server import pin_options, remove_old_workspaces

    pin_options(session["memory_mib"])
    remove_old_workspaces()
