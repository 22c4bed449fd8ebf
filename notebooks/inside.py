"""What a session is told of the service, by the names that our own client and Apache Submarine's
look for.
"""

from urllib.parse import urlsplit

from notebooks.addresses import base_path, service_url
from notebooks.credentials import run_credential
from notebooks.models import NotebookSession, Run

HTTP_PORT = 80


def variables_of(session: NotebookSession) -> dict[str, str]:
    """What is no secret: its own ids, the path that it is reached at, and where the service is;
    nothing where sessions cannot reach that.
    """
    if not (url := service_url()):
        return {}
    return {
        "JOB_ID": session.notebook_id,
        "NB_PREFIX": base_path(session.pk).rstrip("/"),
        "SUBMARINE_SESSION_ID": str(session.pk),
        "SUBMARINE_URL": url,
    }


def secrets_of(run: Run) -> dict[str, str]:
    """The run's own credential: by itself, and as a part of the path at which Apache Submarine's
    clients reach the service; nothing where sessions cannot reach it.
    """
    if not (url := service_url()):
        return {}
    address = urlsplit(url)
    host, credential = address.hostname or "", run_credential(run.pk)
    return {
        "SUBMARINE_TOKEN": credential,
        "SUBMARINE_SERVER_DNS_NAME": f"[{host}]" if ":" in host else host,
        # Clients put host and port together, with nothing in between but a colon.
        "SUBMARINE_SERVER_PORT": f"{address.port or HTTP_PORT}/s/{credential}",
    }
