"""Values in Redis of which the service can tell that it wrote them itself.

The signature is made with `SECRET_KEY` and covers the name under which a value is kept, so that a
value cannot be copied to another name. Whoever can write to Redis can still delete and delay.
"""

from datetime import timedelta
from typing import Any

from django.core.signing import BadSignature, TimestampSigner


def sign(name: str, value: Any) -> str:
    """Return `value`, which JSON can represent, as text to keep under `name`."""
    return _signer(name).sign_object(value)


def verify(name: str, stored: Any, *, max_age: timedelta) -> Any:
    """Return the value that was signed for `name` at most `max_age` ago, else None.

    `stored` is what the Redis client answered: bytes, or None where nothing is kept.
    """
    if not isinstance(stored, bytes):
        return None
    try:
        return _signer(name).unsign_object(stored.decode(errors="replace"), max_age=max_age)
    except BadSignature:
        return None


def _signer(name: str) -> TimestampSigner:
    return TimestampSigner(salt=f"redis:{name}")
