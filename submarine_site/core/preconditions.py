"""Preconditions of API requests (RFC 9110, 13): `If-Match` on changes, `If-None-Match` on reads."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar, cast

from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils.cache import get_conditional_response
from rest_framework.request import Request

from submarine_site.core.etags import refuse_changed, with_representation

Handler = TypeVar("Handler", bound=Callable[..., Any])


def conditional(what: str) -> Callable[[Handler], Handler]:
    """Have a view's action on one record honour `If-Match`.

    The action runs in a transaction that has locked the record before it compares: a concurrent
    change either is compared with, or waits. Actions lock the same row first, so that the order
    of locks stays as it is.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def checked(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
            expected = request.headers.get("If-Match", "")
            if not expected:
                return handler(view, request, *args, **kwargs)
            with transaction.atomic():
                record = view.get_object()
                rows = type(record)._default_manager.select_for_update()  # noqa: SLF001 - it is public
                locked = rows.filter(pk=record.pk).first()
                if locked is None:
                    raise Http404
                refuse_changed(what, locked.etag, expected)
                return handler(view, request, *args, **kwargs)

        return cast("Handler", checked)

    return decorate


class EtagMiddleware:
    """Tags what is read as JSON from API version 2, and answers `If-None-Match` with 304."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        if not _is_representation(request, response):
            return response
        response["ETag"] = with_representation(response.get("ETag", ""), response.content)
        if "If-None-Match" not in request.headers:
            return response
        return get_conditional_response(request, etag=response["ETag"], response=response)


def _is_representation(request: HttpRequest, response: Any) -> bool:
    return (
        request.path.startswith("/api/v2/")
        and request.method in {"GET", "HEAD"}
        and response.status_code == HTTPStatus.OK
        and not response.streaming
        and str(response.get("Content-Type", "")).startswith("application/json")
    )
