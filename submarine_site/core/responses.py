"""The one form of an error, in DRF's views and outside of them; of Submarine's API, its own."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse

from submarine_site.core.envelope import envelope, is_enveloped

NOT_FOUND = "There is no such thing here, or it is not yours."


def error_body(
    code: str,
    message: str,
    fields: Mapping[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The one form of an error."""
    body: dict[str, Any] = {"code": code, "message": message}
    if fields:
        body["fields"] = dict(fields)
    if details:
        body["details"] = dict(details)
    return body


def wants_api(request: HttpRequest) -> bool:
    """Whether the answer to this request is JSON whatever happens."""
    return request.path.startswith("/api/")


def error_told(path: str, code: str, message: str, *, status: int) -> dict[str, Any]:
    """An error in the form that clients of this path know."""
    if is_enveloped(path):
        return envelope(status=status, message=message)
    return error_body(code, message)


def error_response(request: HttpRequest, code: str, message: str, *, status: int) -> JsonResponse:
    """An error outside DRF's views: routes that do not exist, lockouts, faults of ours."""
    return JsonResponse(error_told(request.path, code, message, status=status), status=status)
