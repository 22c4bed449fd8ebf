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

from submarine_site.core.responses import error_response, wants_api

GetResponse: TypeAlias = Callable[[HttpRequest], HttpResponseBase]

_FOR_MONITORS = {"/health", "/metrics"}

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
    """Adds the Content-Security-Policy of our own pages, and has no cache keep what they show.

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
        # Static files and what is no one's in particular say how long they may be kept.
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class OneHostMiddleware:
    """Leads pages that were requested by another of the site's names to the one in the settings.

    Cookies and the gateway's way back know that name alone. The API is never redirected: a redirect
    loses the credential, which clients do not send to another host and which may have stood in the
    path. It answers at every allowed host; where the site is https, plain http is refused except at
    the name that sessions have.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.host = urlsplit(settings.PAGES_URL).hostname
        self.sessions_host = urlsplit(settings.SESSIONS_API_URL).hostname

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        host = split_domain_port(request.get_host())[0]
        if wants_api(request):
            is_sessions = host == self.sessions_host
            if settings.SECURE_SSL_REDIRECT and not request.is_secure() and not is_sessions:
                return _https_required(request)
        elif host != self.host and request.path not in _FOR_MONITORS:
            response = HttpResponseRedirect(settings.PAGES_URL + request.get_full_path())
            # The method and the body go along.
            response.status_code = HTTPStatus.PERMANENT_REDIRECT
            return response
        return self.get_response(request)


def _https_required(request: HttpRequest) -> HttpResponseBase:
    return error_response(
        request,
        "https_required",
        "The API is reached by https here. A credential that was sent by plain http can have been "
        "read on the way: revoke it.",
        status=HTTPStatus.FORBIDDEN,
    )
