"""Processes of a run or a build that outlived who looked after them, found by the mark in their
environment.
"""

from contextlib import suppress
from uuid import UUID

import psutil

MARK = "SUBMARINE_RUN_ID"


def leftovers(of: UUID | str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        # Another user's, or ended meanwhile.
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(of):
                found.append(process)
    return found


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
