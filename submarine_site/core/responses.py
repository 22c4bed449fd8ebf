"""The one form of an error, in DRF's views and outside of them."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse

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


def error_response(
    code: str, message: str, *, status: int, headers: Mapping[str, str] | None = None
) -> JsonResponse:
    """An error outside DRF's views: routes that do not exist, lockouts, faults of ours."""
    return JsonResponse(error_body(code, message), status=status, headers=dict(headers or {}))
