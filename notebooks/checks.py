"""What must not be overlooked in the settings, as system checks with stable ids."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

LOCAL_BACKEND = "notebooks.E001"


def local_backend_is_accepted(**_: Any) -> list[CheckMessage]:
    """Refuse the local backend in production, unless the operator says in words to accept it."""
    if settings.BACKEND != "local" or settings.DEBUG or settings.LOCAL_BACKEND_ACCEPTED:
        return []
    return [
        Error(
            "The local backend runs every session as the same Unix user on this machine: "
            "people can read each other's files and the service's own.",
            hint=(
                "Set SUBMARINE_BACKEND to kubernetes, or SUBMARINE_LOCAL_BACKEND_ACCEPTED to true "
                "if everyone who may sign in may see all of that."
            ),
            id=LOCAL_BACKEND,
        )
    ]
