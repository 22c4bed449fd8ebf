"""Views that are for everybody take small bodies: what reads them costs before anybody is known."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from submarine_site.core.http import GetResponse
from submarine_site.core.responses import error_response, wants_api

MAX_OPEN_BODY = 16 * 1024

V = TypeVar("V", bound=Callable[..., Any])


def open_to_all(view: V) -> V:
    """Mark a view of pages, function or class, whose body is read of whoever sends it."""
    view.is_open = True  # type: ignore[attr-defined]
    return view


def is_open(view: Any) -> bool:
    """Whether anybody may send this view a body: it is marked, or it is the API's and asks for no
    permission.
    """
    if (api_view := getattr(view, "cls", None)) is not None:
        return not api_view.permission_classes
    return getattr(getattr(view, "view_class", view), "is_open", False)


class OpenBodiesMiddleware:
    """Refuses larger bodies of open views before anything of them is read. Has to come before what
    reads forms, which is the check of CSRF tokens.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Return the refusal, if it is one."""
        # The server has checked it, and made one of a body in parts.
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length <= MAX_OPEN_BODY or not is_open(view):
            return None
        message = f"The body may have {MAX_OPEN_BODY} bytes."
        if wants_api(request):
            return error_response(request, "too_large", message, status=413)
        return render(request, "error.html", {"title": "Too large", "message": message}, status=413)
