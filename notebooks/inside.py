"""What a session is told of the service, by the names that Apache Submarine's clients look for."""

from urllib.parse import urlsplit

from django.conf import settings

from notebooks.addresses import base_path
from notebooks.credentials import run_credential
from notebooks.models import NotebookSession, Run

HTTP_PORT = 80


def variables_of(session: NotebookSession) -> dict[str, str]:
    """What is no secret: its own id, and the path that it is reached at; nothing where sessions
    cannot reach the service.
    """
    if not settings.SESSIONS_API_URL:
        return {}
    return {"JOB_ID": session.notebook_id, "NB_PREFIX": base_path(session.pk).rstrip("/")}


def secrets_of(run: Run) -> dict[str, str]:
    """Where the service is, with the run's own credential as a part of the path; nothing where
    sessions cannot reach it.
    """
    if not settings.SESSIONS_API_URL:
        return {}
    address = urlsplit(settings.SESSIONS_API_URL)
    host = address.hostname or ""
    return {
        "SUBMARINE_SERVER_DNS_NAME": f"[{host}]" if ":" in host else host,
        # Clients put host and port together, with nothing in between but a colon.
        "SUBMARINE_SERVER_PORT": f"{address.port or HTTP_PORT}/s/{run_credential(run.pk)}",
    }
