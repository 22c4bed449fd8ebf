"""The program that puts code into a home before the server starts; git calls it back for help.

    fetch <request> <outcome> [command]   do it, say what came of it, then become the command
    ssh | credential                      for git: a connection that is allowed, and who asks

It is this folder, run by any Python from 3.8 on with its standard library and git beside it. A
failure over code is never one of the session: it is told, and the command is run.
"""

import sys
from pathlib import Path

# In place of this folder alone, which is all that an isolated Python knows.
sys.path[0] = str(Path(__file__).parents[3])

from notebooks.backends.fetcher import connect, credential, program  # noqa: E402

PARTS = {"fetch": program.main, "ssh": connect.main, "credential": credential.main}

if __name__ == "__main__":
    PARTS[sys.argv[1]](sys.argv[2:])
