"""Has what a request does be recorded as coming from it."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from audit.origin import coming_from, of_request
from submarine_site.core.http import GetResponse


class AuditMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with coming_from(of_request(request)):
            return self.get_response(request)
