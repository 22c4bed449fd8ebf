"""The one form of an answer to Apache Submarine's clients, success or not.

They read every key of it, so none is ever left out; and of a refusal they print `message`.
"""

from http import HTTPStatus
from typing import Any

PREFIXES = ("/api/v1/", "/api/auth/", "/api/sys/")

# As JAX-RS has them, where Python has other names.
_NAMES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "REQUEST_ENTITY_TOO_LARGE",
    HTTPStatus.UNPROCESSABLE_ENTITY: "UNPROCESSABLE_ENTITY",
}


def is_enveloped(path: str) -> bool:
    """Whether what is at this path answers in the envelope, whatever happens."""
    return f"{path}/".startswith(PREFIXES)


def envelope(
    *, status: int = 200, message: str | None = None, result: Any = None
) -> dict[str, Any]:
    """An answer with this HTTP status, which the body repeats by number and name."""
    known = HTTPStatus(status)
    return {
        "status": _NAMES.get(known, known.name),
        "code": status,
        "success": status < HTTPStatus.BAD_REQUEST,
        "message": message,
        "result": result,
        "attributes": {},
    }
