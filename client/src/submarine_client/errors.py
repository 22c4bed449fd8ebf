"""What can go wrong: one family, each with a stable `code` and a `message` for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from submarine_client.version import __version__

OTHER_VERSION = (
    f"This client is version {__version__}. The service may be older or newer: "
    "install the client that it offers."
)


class SubmarineError(Exception):
    """The base of every error. `advice` says what to do next, where that is known."""

    code = "error"
    retry_after: float | None = None
    """After how many seconds the service asks to be asked again, where it does."""

    def __init__(self, message: str, *, code: str = "", advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.advice = advice


class ConfigurationError(SubmarineError):
    """The client does not know the service's address, or cannot read its own settings."""

    code = "not_configured"


class Unreachable(SubmarineError):
    """The service gave no answer, or one of a proxy in front of it. It may be worth a retry."""

    code = "unreachable"


class UnexpectedAnswer(SubmarineError):
    """What answers is not this service, or of a version that this client does not understand."""

    code = "unexpected_answer"


class Refused(SubmarineError):
    """The service said no. `fields` has a message for each input at fault, `details` what else
    there is to know, by code.
    """

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        fields: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(message, code=code, advice=advice)
        self.status = status
        self.fields = dict(fields or {})
        self.details = dict(details or {})
        self.retry_after = retry_after


class NotSignedIn(Refused):
    """There is no token, or it is unknown, revoked or expired."""


class Forbidden(Refused):
    """The token may not do this."""


class NotFound(Refused):
    """It does not exist, or is somebody else's."""


class Conflict(Refused):
    """It is in a state in which this cannot be done, or has been changed by somebody else."""


class TooMany(Refused):
    """There were too many requests, also after waiting as long as the service asked."""


class Unavailable(Refused):
    """The service answers that it cannot do this right now."""


class SessionFailed(SubmarineError):
    """A session ended where it should not have."""

    code = "session_failed"


class BuildFailed(SubmarineError):
    """A kernel of an environment could not be built."""

    code = "build_failed"


class WaitTimedOut(SubmarineError):
    """It took longer than the caller wanted to wait; it goes on."""

    code = "timeout"


class ExecutionFailed(SubmarineError):
    """Code that ran in a session raised an error. `name` and `value` are those of the error."""

    code = "execution_failed"

    def __init__(self, name: str, value: str, traceback: list[str]) -> None:
        super().__init__(f"{name}: {value}" if value else name)
        self.name = name
        self.value = value
        self.traceback = traceback


class KernelDied(SubmarineError):
    """The kernel that ran the code is gone."""

    code = "kernel_died"
