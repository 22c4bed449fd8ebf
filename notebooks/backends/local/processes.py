"""Processes of a run that outlived its shim, found by the mark in their environment."""

from contextlib import suppress
from uuid import UUID

import psutil

MARK = "SUBMARINE_RUN_ID"


def leftovers(run_id: UUID) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        # Another user's, or ended meanwhile.
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(run_id):
                found.append(process)
    return found


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
