"""What must not be overlooked about the vault's keys and the life of tokens, as system checks with
stable ids.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

WEAK_KEY = "accounts.E001"
NO_KEY = "accounts.W001"
NO_LIFE = "accounts.E002"
NO_ATTEMPTS = "accounts.E003"
LEAST_CHARACTERS = 32


def vault_keys_are_long(**_: Any) -> list[CheckMessage]:
    """Refuse keys that could be guessed: they are not stretched, as passwords are."""
    if all(len(key) >= LEAST_CHARACTERS for key in settings.VAULT_KEYS[:-1]):
        return []
    return [
        Error(
            f"A key in SUBMARINE_VAULT_KEYS has fewer than {LEAST_CHARACTERS} characters.",
            hint="Make one with: openssl rand -base64 32",
            id=WEAK_KEY,
        )
    ]


def vault_has_its_own_key(**_: Any) -> list[CheckMessage]:
    """Warn where users' secrets depend on the key that may be changed for other reasons."""
    if len(settings.VAULT_KEYS) > 1:
        return []
    return [
        CheckWarning(
            "Users' secrets are encrypted under SECRET_KEY: when that changes, they are lost.",
            hint="Set SUBMARINE_VAULT_KEYS, such as by: openssl rand -base64 32",
            id=NO_KEY,
        )
    ]


def tokens_can_be_made(**_: Any) -> list[CheckMessage]:
    """Refuse a longest life in which no token lives a day."""
    if timedelta(days=1) <= settings.TOKENS_LONGEST_LIFE:
        return []
    return [
        Error(
            "SUBMARINE_TOKENS_LONGEST_DAYS is less than 1: no API token could be made, and no "
            "program could sign in.",
            hint="Give the number of days that an API token may live, such as 90.",
            id=NO_LIFE,
        )
    ]


def people_can_sign_in(**_: Any) -> list[CheckMessage]:
    """Refuse a limit that leaves room for no attempt to sign in."""
    if settings.SIGN_IN_FAILURES_PER_NETWORK >= 1:
        return []
    return [
        Error(
            "SUBMARINE_SIGN_IN_FAILURES_PER_ADDRESS is less than 1: nobody could sign in.",
            hint="Set the number of failed sign-ins that a network may have in five minutes.",
            id=NO_ATTEMPTS,
        )
    ]
