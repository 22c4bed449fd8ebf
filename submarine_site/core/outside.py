"""What may go wrong with what the service asks of others: of a cluster, of a machine."""


class BackendError(Exception):
    """What was asked was not done. `code` is one of a catalogue of reasons."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class BackendRefused(BackendError):
    """It will not be done, now or later: tell the user, do not try again."""


class BackendUnavailable(BackendError):
    """There was no answer, or not in time: the outcome is unknown; try again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="backend_unavailable")
