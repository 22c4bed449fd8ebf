"""What must not be overlooked in the settings of Submarine's API, with stable ids."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error

from submarine_site.core.networks import is_loopback

AUTH_NONE = "submarine_v1.E001"
NOT_HTTP = "submarine_v1.E002"


def nobody_else_can_be_let_in(**_: Any) -> list[CheckMessage]:
    """Refuse to let everybody in without a credential where others than oneself can come."""
    if not settings.V1_AUTH_NONE or is_loopback(urlsplit(settings.PAGES_URL).hostname or ""):
        return []
    return [
        Error(
            "SUBMARINE_V1_AUTH_NONE lets everybody in who reaches the service, and "
            "SUBMARINE_PAGES_URL is not on loopback.",
            hint="Take it out. It is for development on one's own machine.",
            id=AUTH_NONE,
        )
    ]


def clients_can_reach_the_service(**_: Any) -> list[CheckMessage]:
    """Refuse an address for sessions that Submarine's clients could not write."""
    address = urlsplit(settings.SESSIONS_API_URL)
    if not settings.SESSIONS_API_URL or (
        address.scheme == "http" and address.hostname and not address.path
    ):
        return []
    return [
        Error(
            "SUBMARINE_SESSIONS_API_URL is not of the form http://host:port, which is all that "
            "Submarine's clients know.",
            hint="Give the name of a Service within the cluster, or leave it out.",
            id=NOT_HTTP,
        )
    ]
