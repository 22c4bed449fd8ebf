"""What is kept of a secret that we made."""

import hashlib


def digest(secret: str) -> str:
    """What a secret is known by. It is random and long, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
