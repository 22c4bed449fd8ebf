"""Where a session is reached through the gateway: by a name of its own, or by a path. And where a
session reaches the service.
"""

from urllib.parse import quote, urlsplit
from uuid import UUID

from django.conf import settings

from submarine_site.core.networks import is_loopback


def base_path(session_id: UUID) -> str:
    """Return the path that Jupyter serves under, with a slash at both ends."""
    return "/" if settings.GATEWAY_SUBDOMAINS else f"/session/{session_id}/"


def session_url(session_id: UUID) -> str:
    """Return the session's address at the gateway, with a slash at its end."""
    if settings.GATEWAY_SUBDOMAINS:
        parts = urlsplit(settings.GATEWAY_URL)
        return f"{parts.scheme}://{session_id}.{parts.netloc}/"
    return f"{settings.GATEWAY_URL}{base_path(session_id)}"


def enter_url(session_id: UUID, *, code: str, path: str) -> str:
    """Return the address at which the gateway takes a one-time code, then goes on to `path`."""
    query = f"code={quote(code, safe='')}&next={quote(path, safe='')}"
    return f"{session_url(session_id)}_submarine/enter?{query}"


def service_url() -> str:
    """Return where sessions reach the service; empty where they cannot.

    On loopback a pod finds itself, and not the service.
    """
    url: str = settings.SESSIONS_API_URL
    is_in_pods = settings.BACKEND == "kubernetes"
    return "" if is_in_pods and is_loopback(urlsplit(url).hostname or "") else url
