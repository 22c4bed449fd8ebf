"""How a build ended: its last line of output, as JSON.

{"outcome": "built", "size_bytes": 1234, "lock": {"conda": […], "pip": […]}}
{"outcome": "failed", "code": "package_not_found", "message": "…", "requirement": "pandass"}
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

MAX_MESSAGE = 500
_CREDENTIALS = re.compile(r"://[^/\s@]+@")


class BuildFailed(Exception):
    """Why there is no kernel, in a sentence, and the requirement that is at fault if it is one.

    `docs/builds.md` has the codes.
    """

    def __init__(self, code: str, message: str, requirement: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.requirement = requirement


@dataclass(frozen=True, kw_only=True)
class Outcome:
    outcome: str
    size_bytes: int = 0
    lock: dict[str, Any] | None = None
    code: str = ""
    message: str = ""
    requirement: str = ""

    @property
    def is_built(self) -> bool:
        return self.outcome == "built"

    @classmethod
    def of_failure(cls, failure: BuildFailed) -> "Outcome":
        return cls(
            outcome="failed",
            code=failure.code,
            message=without_credentials(failure.message)[:MAX_MESSAGE],
            requirement=failure.requirement[:MAX_MESSAGE],
        )

    def as_line(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})


def read_outcome(log: str) -> tuple[str, Outcome | None]:
    """Part a log from the outcome that ends it; None if it was cut short."""
    body, _, last = log.rstrip("\n").rpartition("\n")
    try:
        # A package may call itself what no database can hold.
        found = Outcome(**json.loads(last.replace("\\u0000", "")))
    except (ValueError, TypeError):
        return log, None
    return (body + "\n" if body else ""), found


def without_credentials(text: str) -> str:
    """The text without the names and passwords in its addresses."""
    return _CREDENTIALS.sub("://[…]@", text)
