"""What must not be overlooked in the settings, as system checks with stable ids."""

from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from notebooks.addresses import service_url
from notebooks.backends.kubernetes.config import InvalidSite, read_site

LOCAL_BACKEND = "notebooks.E001"
SAME_HOST = "notebooks.E002"
KUBERNETES = "notebooks.E003"
CODE = "notebooks.E004"
NOT_TOLD = "notebooks.W001"


def local_backend_is_accepted(**_: Any) -> list[CheckMessage]:
    """Refuse the local backend in production, unless the operator says in words to accept it."""
    if settings.BACKEND != "local" or settings.DEBUG or settings.LOCAL_BACKEND_ACCEPTED:
        return []
    return [
        Error(
            "The local backend runs every session as the same Unix user on this machine: "
            "people can read each other's files and the service's own.",
            hint=(
                "Set SUBMARINE_LOCAL_BACKEND_ACCEPTED to true if everyone who may sign in may "
                "see all of that."
            ),
            id=LOCAL_BACKEND,
        )
    ]


def gateway_has_its_own_host(**_: Any) -> list[CheckMessage]:
    """Refuse pages and gateway under one host name: ports do not separate cookies."""
    if urlsplit(settings.PAGES_URL).hostname != urlsplit(settings.GATEWAY_URL).hostname:
        return []
    return [
        Error(
            "Pages and gateway have the same host name, so what runs in a notebook can set the "
            "pages' cookies.",
            hint="Give SUBMARINE_GATEWAY_URL a host name other than SUBMARINE_PAGES_URL's.",
            id=SAME_HOST,
        )
    ]


def kubernetes_settings_can_be_used(**_: Any) -> list[CheckMessage]:
    """Refuse settings of the Kubernetes backend with which no session would start."""
    if settings.BACKEND != "kubernetes":
        return []
    try:
        read_site(settings.KUBERNETES)
    except InvalidSite as invalid:
        return [Error(problem, id=KUBERNETES) for problem in invalid.problems]
    return []


def pods_can_reach_the_service(**_: Any) -> list[CheckMessage]:
    """Warn where sessions on Kubernetes are not told where the service is."""
    if settings.BACKEND != "kubernetes" or not settings.SESSIONS_API_URL or service_url():
        return []
    return [
        checks.Warning(
            f"Pods cannot reach the service at {settings.SESSIONS_API_URL}, which is a loopback "
            "address. Sessions get no SUBMARINE_URL and no credential.",
            hint=(
                "Set SUBMARINE_SESSIONS_API_URL to an address of web that pods reach by plain "
                "http, such as http://web.submarine.svc:8000."
            ),
            id=NOT_TOLD,
        )
    ]


def code_settings_can_be_used(**_: Any) -> list[CheckMessage]:
    """Refuse settings with which no code could be fetched."""
    problems = [
        f"SUBMARINE_CODE_{name.upper()}: {network!r} is no network such as 10.0.0.0/8."
        for name in ("allowed_networks", "blocked_networks")
        for network in settings.CODE[name]
        if not _is_network(network)
    ]
    problems += [
        f"SUBMARINE_CODE_{name.upper()}: a number from 1 on is needed."
        for name in ("seconds", "mib", "files")
        if settings.CODE[name] < 1
    ]
    return [Error(problem, id=CODE) for problem in problems]


def _is_network(written: str) -> bool:
    try:
        ip_network(written)
    except ValueError:
        return False
    return True
