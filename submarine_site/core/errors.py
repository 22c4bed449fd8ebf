"""`DomainError`: a refusal that a person is told about, in the same words on every edge."""

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """What was asked for cannot be done. Shown to the user as it is.

    `code` is stable and for programs, `message` for people, `status` the HTTP status, and
    `fields` names the inputs at fault with a message for each. `details` is what else programs are
    told. `retry_after` is the number of seconds after which to try again, where that is known.
    """

    code: str = "refused"
    status: int = 409
    retry_after: int | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        fields: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.details = dict(details or {})
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class InvalidInput(DomainError):
    """An input is not of the form it must have."""

    code = "invalid"
    status = 400

    @classmethod
    def field(cls, name: str, message: str) -> "InvalidInput":
        """One field is wrong."""
        return cls(message, fields={name: message})
