"""How the code of a session is shown: what it is, and what came of it at the last start."""

from dataclasses import dataclass
from itertools import zip_longest

from notebooks.backends.contract import CodeSource, CodeStatus
from notebooks.failures import Explanation, explain
from notebooks.models import NotebookSession
from notebooks.setup import Setup

WAITING = "waiting"
"""The status of what no start has come to yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeShown:
    """`status` is a `CodeStatus` or `WAITING`; `reason` is there where it failed."""

    source: CodeSource
    status: str
    message: str
    reason: Explanation | None

    @property
    def code(self) -> str:
        return self.reason.code if self.reason else ""


def code_of(session: NotebookSession) -> list[CodeShown]:
    """The code of the session's present or last run, in its order."""
    run = session.current_run
    sources = Setup.from_json(run.setup).code if run else ()
    outcomes = run.code_outcomes if run else []
    return [_shown(source, outcome) for source, outcome in zip_longest(sources, outcomes)]


def _shown(source: CodeSource, outcome: dict[str, str] | None) -> CodeShown:
    if outcome is None:
        return CodeShown(source=source, status=WAITING, message="", reason=None)
    failed = outcome["status"] == CodeStatus.FAILED
    return CodeShown(
        source=source,
        status=outcome["status"],
        message=outcome["message"],
        reason=explain(outcome["code"], outcome["message"]) if failed else None,
    )
