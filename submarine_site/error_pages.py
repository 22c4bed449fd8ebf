"""What is answered when no view could: a page, or JSON under `/api/`."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from submarine_site.core.responses import NOT_FOUND, error_response, wants_api


def _error(
    request: HttpRequest, code: str, title: str, message: str, status: int
) -> HttpResponseBase:
    if wants_api(request):
        return error_response(request, code, message, status=status)
    return render(request, "error.html", {"title": title, "message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    return _error(request, "bad_request", "Bad request", "The request cannot be read.", 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    return _error(request, "forbidden", "Not allowed", "You may not do this.", 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    return _error(request, "not_found", "Not found", NOT_FOUND, 404)


def server_error(request: HttpRequest) -> HttpResponseBase:
    message = "Something went wrong on our side. Try again; if it stays, tell an operator."
    return _error(request, "internal", "Something went wrong", message, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:  # noqa: ARG001
    message = "The page was open for too long, or cookies are off. Go back, reload it, try again."
    return _error(request, "csrf_failed", "Not accepted", message, 403)
