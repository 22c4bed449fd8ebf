"""How a build ended: its last line of output, as JSON.

{"outcome": "built", "size_bytes": 1234, "lock": {"conda": […], "pip": […]}}
{"outcome": "failed", "code": "package_not_found", "message": "…", "requirement": "pandass"}
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

MAX_MESSAGE = 500
MAX_CODE = 40
MAX_SIZE = 2**63 - 1
# To the last @: a password may hold one, too.
_CREDENTIALS = re.compile(r"://[^/\s]+@")


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

    @classmethod
    def of_line(cls, line: str) -> "Outcome":
        """Read what `as_line` gave. Raises `ValueError`, also for what could not be kept: a build
        runs the code of packages, which may write what it likes.
        """
        try:
            # There are no fractions in it, and what is no number is none to a database either.
            given = json.loads(line, parse_float=_refused, parse_constant=_refused)
            found = cls(**_storable(given))
        except (TypeError, RecursionError) as error:
            raise ValueError("This is no outcome.") from error
        texts = (found.outcome, found.code, found.message, found.requirement)
        if (
            not all(isinstance(each, str) for each in texts)
            or len(found.code) > MAX_CODE
            or type(found.size_bytes) is not int
            or not 0 <= found.size_bytes <= MAX_SIZE
            or not isinstance(found.lock, dict | None)
        ):
            raise ValueError("This is no outcome.")
        return found

    def as_line(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})


def read_outcome(log: str) -> tuple[str, Outcome | None]:
    """Part a log from the outcome that ends it; None if it was cut short."""
    body, _, last = log.rstrip("\n").rpartition("\n")
    try:
        found = Outcome.of_line(last)
    except ValueError:
        return log, None
    return (body + "\n" if body else ""), found


def _refused(number: str) -> NoReturn:
    raise ValueError(number)


def _storable(said: Any) -> Any:
    """The same without what no database can hold: a package may call itself so."""
    match said:
        case str():
            return said.replace("\0", "").encode(errors="replace").decode()
        case list():
            return [_storable(each) for each in said]
        case dict():
            return {_storable(name): _storable(each) for name, each in said.items()}
        case _:
            return said


def without_credentials(text: str) -> str:
    """The text without the names and passwords in its addresses."""
    return _CREDENTIALS.sub("://[…]@", text)
