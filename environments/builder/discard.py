"""Removes what was built: `python -m environments.builder.discard FOLDER`."""

import sys
from pathlib import Path

from environments.builder.build import discard

if __name__ == "__main__":
    discard(Path(sys.argv[1]))
