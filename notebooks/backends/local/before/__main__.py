"""The program that comes before a server: `python -I -S before RUN_FOLDER COMMAND…`.

It ends, saying why in the run's folder, where the home is full or volumes cannot be read-only; else
it becomes the command.
"""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

# In place of this folder alone, which is all that an isolated Python knows.
sys.path[0] = str(Path(__file__).parents[4])

from notebooks.backends.local.before import room  # noqa: E402


def main() -> None:
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    run = json.loads((folder / "run.json").read_bytes())
    if not run["is_rescue"] and (message := room.why_full(run["home"], run["home_mib"])):
        _end(folder, code="home_full", message=message)
    if run["read_only"]:
        # What it needs takes as long to import as all the rest.
        from notebooks.backends.local.before import read_only  # noqa: PLC0415

        try:
            read_only.make_read_only(run["read_only"])
        except OSError as error:
            message = f"This machine cannot attach a volume read-only: {error.strerror}."
            # Rather than one that can be written to.
            _end(folder, code="mount_read_only_unsupported", message=message)
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"The server could not be started: {error}\n")
        sys.exit(127)


def _end(folder: Path, *, code: str, message: str) -> NoReturn:
    # In the log too: the run's folder may be on a disk that is full.
    sys.stderr.write(f"{message}\n")
    (folder / "failure.json").write_text(json.dumps({"code": code, "message": message}))
    sys.exit(1)


if __name__ == "__main__":
    main()
