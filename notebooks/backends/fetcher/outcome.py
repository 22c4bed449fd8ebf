"""What came of fetching one repository.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_MESSAGE = 200


@dataclass(frozen=True)
class Outcome:
    """`status` is fetched, kept (its folder was there already) or failed; then there is a code."""

    status: str
    code: str = ""
    message: str = ""


class Failure(Exception):
    """It could not be fetched; `code` is one of the catalogue in `failures`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.outcome = Outcome("failed", code, message[:MAX_MESSAGE])
