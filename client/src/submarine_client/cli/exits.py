"""What the exit codes mean. They are documented, and stay."""

from __future__ import annotations

from submarine_client.errors import (
    BuildFailed,
    ConfigurationError,
    ExecutionFailed,
    KernelDied,
    NotFound,
    NotSignedIn,
    SessionFailed,
    SubmarineError,
    TooMany,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    WaitTimedOut,
)

INTERRUPTED = 130
_CODES: tuple[tuple[type[SubmarineError], int], ...] = (
    (NotSignedIn, 3),
    (ConfigurationError, 3),
    (NotFound, 4),
    (Unreachable, 5),
    (Unavailable, 5),
    (UnexpectedAnswer, 5),
    (SessionFailed, 6),
    (BuildFailed, 6),
    (WaitTimedOut, 7),
    (ExecutionFailed, 8),
    (KernelDied, 8),
    (TooMany, 9),
)


def exit_code(error: SubmarineError) -> int:
    """1 for what has no code of its own; 2 is of click, for a command line that is not right."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), 1)
