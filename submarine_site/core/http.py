"""What the pages' HTTP has in common: headers, and where a redirect may lead."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase

from submarine_site.core.envelope import is_enveloped

GetResponse: TypeAlias = Callable[[HttpRequest], HttpResponseBase]

API_V2 = "/api/v2/"

_CONTROL_OR_BACKSLASH = re.compile(r"[\x00-\x20\x7f\\]")


def safe_path(raw: str, *, default: str) -> str:
    r"""Return `raw` if it is a plain path of this site that a redirect may lead to, else `default`.

    The one allow-list for what comes as `next`: browsers read `//host`, `/\host` and paths with
    control characters as other sites (CVE-2019-10255, CVE-2026-33709).
    """
    plain = raw.startswith("/") and not raw.startswith("//")
    if not plain or _CONTROL_OR_BACKSLASH.search(raw):
        return default
    parts = urlsplit(raw)
    return default if parts.scheme or parts.netloc else raw


def _gateway_source() -> str:
    """The gateway's origins: its own, or that of every session."""
    scheme, _, host = settings.GATEWAY_URL.partition("://")
    return f"{scheme}://*.{host}" if settings.GATEWAY_SUBDOMAINS else settings.GATEWAY_URL


class PageHeadersMiddleware:
    """Adds the Content-Security-Policy of our own pages.

    Forms may lead to the gateway: whoever signs in on the way to a session is sent on to it.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = (
            "default-src 'self'; img-src 'self' data:; object-src 'none'; "
            "base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {_gateway_source()}"
        )

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # The admin (Alpine.js), Swagger UI and the browsable API bring inline scripts.
        if not request.path.startswith(("/admin/", "/api/")):
            response.headers.setdefault("Content-Security-Policy", self.policy)
        return response


class OneHostMiddleware:
    """Leads whoever came by another of the pages' names to the one that the settings give.

    Cookies and the gateway's way back know that one alone.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.host = urlsplit(settings.PAGES_URL).hostname
        self.sessions_host = urlsplit(settings.SESSIONS_API_URL).hostname

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = split_domain_port(request.get_host())[0]
        if asked == self.host:
            return self.get_response(request)
        # Sessions know the service by a name that may be of the cluster alone.
        is_api = is_enveloped(request.path) or request.path.startswith(API_V2)
        if asked == self.sessions_host and is_api:
            return self.get_response(request)
        response = HttpResponseRedirect(settings.PAGES_URL + request.get_full_path())
        # The method and the body go along.
        response.status_code = HTTPStatus.PERMANENT_REDIRECT
        return response
