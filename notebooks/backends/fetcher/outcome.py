"""What came of fetching one repository.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Iterable

MAX_MESSAGE = 400
MAX_BYTES = 4000
"""Of all outcomes as JSON: a pod's termination message has 4096."""


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


def dump(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as JSON of at most `MAX_BYTES`, with shorter messages if need be."""
    kept = list(outcomes)
    limit = MAX_MESSAGE
    while True:
        short = [replace(each, message=each.message[:limit]) for each in kept]
        text = json.dumps([asdict(each) for each in short])
        if len(text) <= MAX_BYTES or not limit:
            return text
        limit //= 2
