"""`Idempotency-Key`: what a client calls a create by that it may have to send again."""

from submarine_site.core.errors import DomainError, InvalidInput

HEADER = "Idempotency-Key"
MAX_KEY = 200
REPLAYED = {"Idempotency-Replayed": "true"}
"""The header of an answer that was given before."""


class KeyReused(DomainError):
    """The key came with another request before."""

    code = "idempotency_key_reused"
    status = 422

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another request.")


def clean_key(raw: str) -> str:
    """Return the key as it is; empty: there is none. Raises `InvalidInput`."""
    if len(raw) > MAX_KEY or not (raw.isascii() and raw.isprintable()):
        raise InvalidInput.field(HEADER, f"At most {MAX_KEY} printable ASCII characters.")
    return raw
