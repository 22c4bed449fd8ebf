"""What every endpoint of the API has in common: errors, strict input, schema.

An error is always JSON: `{"code", "message"}`, with `fields` (a message for each input at fault)
where inputs are, and with `details` where programs can be told more.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from http import HTTPStatus
from operator import attrgetter
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, QueryDict
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from submarine_site.core.errors import DomainError
from submarine_site.core.examples import shown
from submarine_site.core.idempotency import HEADER, MAX_KEY
from submarine_site.core.responses import NOT_FOUND, error_body

logger = logging.getLogger(__name__)

T = TypeVar("T")

BUSY = 503
"""The status of what may well be done when it is asked for again."""

UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""Of the ids in addresses: what looks otherwise is no address."""


IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag that was read. If it has changed since, the answer is 412. Several are "
    "separated by commas; `*` is any.",
)

IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    description=f"At most {MAX_KEY} printable ASCII characters, not to be guessed. Sent again with "
    "the same body within a day, it makes nothing more and gives the same back, marked "
    "`Idempotency-Replayed: true`. With another body the answer is 422.",
)


class ErrorSerializer(serializers.Serializer[Any]):
    """What an error looks like."""

    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField(help_text="For people.")
    details = serializers.DictField(
        required=False,
        help_text="What else there is to know, by code: `over_quota` has `shortages`, one for each "
        "limit that is in the way.",
    )


# `fields` names a property of every serializer, so it cannot be declared in the class.
ErrorSerializer._declared_fields["fields"] = serializers.DictField(  # noqa: SLF001
    child=serializers.CharField(),
    required=False,
    help_text="A message for each input at fault.",
)


class StrictSerializer(serializers.Serializer[Any]):
    """Input: names the fields it does not know rather than ignore them, and takes from JSON no
    other types than the schema names. Of a form all is text.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name: ["There is no such field."] for name in unknown}
                )
            if not isinstance(data, QueryDict):
                self._refuse_other_types(data)
        return super().to_internal_value(data)

    def _refuse_other_types(self, data: Mapping[str, Any]) -> None:
        wrong = {
            name: said
            for name, field in self.fields.items()
            if (said := _other_type(field, data.get(name)))
        }
        if wrong:
            raise serializers.ValidationError(wrong)


def _other_type(field: serializers.Field[Any, Any, Any, Any], value: Any) -> Any:
    """What is wrong with the types of a value that DRF would have made into those of the field, as
    DRF says it; empty if nothing is.
    """
    match field:
        case serializers.ListField() if isinstance(value, list):
            return _others(field, enumerate(value))
        case serializers.DictField() if isinstance(value, dict):
            return _others(field, value.items())
        case serializers.CharField():
            is_other = isinstance(value, int | float)
        case serializers.IntegerField():
            is_other = isinstance(value, str | bool | float)
        case serializers.BooleanField():
            is_other = isinstance(value, str | int | float) and not isinstance(value, bool)
        case _:
            is_other = False
    return [str(field.error_messages["invalid"])] if is_other else []


def _others(field: Any, values: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    return {str(name): said for name, each in values if (said := _other_type(field.child, each))}


class TaggedRetrieveMixin:
    """Reads one record, with the tag that a later change can be conditional on."""

    def retrieve(self: Any, *_: Any, **__: Any) -> Response:
        record = self.get_object()
        return Response(self.get_serializer(record).data, headers={"ETag": record.etag})


# A docstring would be that of each serializer that has none, in the schema.
class PlainSerializer(serializers.Serializer[T]):
    # Output of records whose fields are attributes, or of what these hold: read without what DRF
    # does for each, which takes ten times as long.

    def to_representation(self, instance: T) -> dict[str, Any]:
        """Return what DRF would of attributes, which are no methods; ids, and times in UTC, as they
        are, which in JSON is the same.
        """
        shown: dict[str, Any] = self._names.copy()
        names, read_all = self._plain
        shown.update(zip(names, read_all(instance), strict=True))
        for name, read, write in self._others:
            value = read(instance)
            shown[name] = value if value is None or write is None else write(value)
        return shown

    @cached_property
    def _names(self) -> dict[str, None]:
        """In the order in which they are shown."""
        return {name: None for name, field in self.fields.items() if not field.write_only}

    @cached_property
    def _plain(self) -> tuple[list[str], Callable[[T], tuple[Any, ...]]]:
        """The fields that are there in any case and written as they are, of which there are two or
        more; and how all are read at once.
        """
        names = [name for name in self._names if _is_plain(self.fields[name])]
        return names, attrgetter(*(str(self.fields[name].source) for name in names))

    @cached_property
    def _others(self) -> list[tuple[str, Callable[[T], Any], Callable[[Any], Any] | None]]:
        """Each other field's name, how it is read, and how it is written if not as it is."""
        return [
            (
                name,
                _reader(field),
                None if type(field) in _AS_THEY_ARE else field.to_representation,
            )
            for name, field in self.fields.items()
            if name in self._names and not _is_plain(field)
        ]


_AS_THEY_ARE = {
    serializers.BooleanField,
    serializers.CharField,
    serializers.ChoiceField,
    serializers.DateTimeField,
    serializers.IntegerField,
    serializers.UUIDField,
}


def _is_plain(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    return type(field) in _AS_THEY_ARE and field.default is serializers.empty


_MISSING = object()


def _reader(field: serializers.Field[Any, Any, Any, Any]) -> Callable[[Any], Any]:
    path, default = field.source_attrs, field.default
    if default is serializers.empty:
        return attrgetter(".".join(path)) if path else lambda record: record

    def read(record: Any) -> Any:
        for name in path:
            is_dict = isinstance(record, dict)
            record = record.get(name, _MISSING) if is_dict else getattr(record, name, _MISSING)
            if record is _MISSING:
                return default() if callable(default) else default
        return record

    return read


class NothingSerializer(StrictSerializer):
    """For verbs that take no input."""


def valid(serializer_class: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """The body of a request, checked."""
    return cast("dict[str, Any]", _shared(serializer_class).run_validation(request.data))


def answer(serializer_class: type[serializers.Serializer[T]], record: T) -> dict[str, Any]:
    """What a serializer says of one record."""
    return _shared(serializer_class).to_representation(record)


def created(request: Request, path: str, body: Any, *, etag: str) -> Response:
    """Return the response to a create: 201 with the address and the tag of what was made."""
    headers = {"Location": request.build_absolute_uri(path), "ETag": etag}
    return Response(body, status=HTTPStatus.CREATED, headers=headers)


@cache
def _shared(serializer_class: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """One for all requests, which keeps nothing of any: to make one copies all of its fields."""
    return serializer_class()


_UUID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)

_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETags of representations that you have. If one of them is current, the "
    "response is 304.",
)


def _response_header(name: str, kind: Any, *statuses: str, text: str) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        kind,
        OpenApiParameter.HEADER,
        description=text,
        response=[*statuses],
    )


_RETRY_AFTER = _response_header(
    "Retry-After", int, "default", text="On 429 and 503, the seconds until the next try."
)
_WWW_AUTHENTICATE = _response_header(
    "WWW-Authenticate", str, "default", text="On 401, how to authenticate."
)
_READ_TAG = _response_header("ETag", str, "200", text="The tag of this representation.")
NEW_TAG = _response_header("ETag", str, "200", "201", "202", text="The tag of the new version.")
IDEMPOTENCY_REPLAYED = _response_header(
    "Idempotency-Replayed", str, "201", text="`true`, where the key made this before."
)
_LOCATION = _response_header(
    "Location", OpenApiTypes.URI, "201", text="The address of what was made."
)


class Schema(AutoSchema):
    """Documents what every operation has in common, unless it does so itself: errors, headers of
    responses, conditional reads, and ids that are UUIDs.
    """

    def get_override_parameters(self) -> list[Any]:
        """Return parameters and, as drf-spectacular has it, headers of responses."""
        parameters = [_RETRY_AFTER, _WWW_AUTHENTICATE]
        if "{id}" in self.path:
            parameters.append(_UUID)
        if self.method == "GET":
            parameters += [_IF_NONE_MATCH, _READ_TAG] if self._is_json() else []
        elif self.method in {"PUT", "PATCH"}:
            parameters.append(NEW_TAG)
        elif HTTPStatus.CREATED in self._statuses():
            parameters += [_LOCATION, NEW_TAG]
        return [*super().get_override_parameters(), *parameters]

    def _statuses(self) -> set[Any]:
        """The statuses that are documented, each with its media type where that is not JSON."""
        responses: Any = self.get_response_serializers()
        return {*responses} if isinstance(responses, dict) else set()

    def _is_json(self) -> bool:
        return not any(isinstance(status, tuple) for status in self._statuses())

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self.method == "GET" and self._is_json():
            bodies["304"] = {"description": "The representation that you have is current."}
        takes_a_body = self._get_request_body() is not None  # type: ignore[no-untyped-call]
        error = error_like(_UNKNOWN_FIELD if takes_a_body else _NOT_AUTHENTICATED)
        bodies.setdefault("default", self._get_response_for_code(error, "default"))  # type: ignore[no-untyped-call]
        return bodies


def allow_blank(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Have text of a format that may be empty be any of the two, for drf-spectacular's `oneOf` is
    refused where formats are not checked: the empty text is both then. A hook of its.
    """
    for part in _parts(result):
        if {"type": "string", "maxLength": 0} in part.get("oneOf", ()):
            part["anyOf"] = part.pop("oneOf")
    return result


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in list(children):
        yield from _parts(child)


def error_like(body: dict[str, Any]) -> OpenApiResponse:
    """What an operation states as its `default` of which another error is typical than of all."""
    return OpenApiResponse(
        ErrorSerializer, "An error, in the one form they have.", examples=[shown(body)]
    )


_UNKNOWN_FIELD = error_body(
    "invalid", "colour: There is no such field.", {"colour": "There is no such field."}
)

_NOT_AUTHENTICATED = error_body(
    "not_authenticated", "Authentication credentials were not provided."
)


def _flatten(detail: Any, path: str = "") -> dict[str, str]:
    """DRF's nested lists and dicts of messages as one message for each dotted field."""
    if isinstance(detail, Mapping):
        flat: dict[str, str] = {}
        for name, inner in detail.items():
            general = name == "non_field_errors"
            flat |= _flatten(inner, path if general else f"{path}.{name}".strip("."))
        return flat
    if isinstance(detail, list):
        if all(isinstance(item, str) for item in detail):
            return {path: " ".join(str(item) for item in detail)}
        flat = {}
        for index, item in enumerate(detail):
            flat |= _flatten(item, f"{path}.{index}".strip("."))
        return flat
    return {path: str(detail)}


def _headers_of(error: exceptions.APIException) -> dict[str, str]:
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="submarine"'}
    if isinstance(error, exceptions.Throttled):
        return {"Retry-After": str(getattr(error, "wait", None) or 1)}
    return {}


def exception_handler(error: Exception, _context: Any) -> Response | None:
    """Turn what a view raised into a response; None leaves it to Django as a fault of ours."""
    headers: dict[str, str] = {}
    match error:
        case DomainError():
            body = error_body(error.code, error.message, error.fields, error.details)
            status = error.status
            if error.retry_after is not None:
                headers["Retry-After"] = str(error.retry_after)
        case Http404() | exceptions.NotFound():
            body, status = error_body("not_found", NOT_FOUND), 404
        case PermissionDenied():
            body, status = error_body("forbidden", "You may not do this."), 403
        case RequestDataTooBig():
            most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            body, status = error_body("too_large", f"The body may have {most} bytes."), 413
        case exceptions.ValidationError():
            fields = _flatten(error.detail)
            general = fields.pop("", None)
            message = general or "Some inputs are not right."
            if len(fields) == 1:
                name, reason = next(iter(fields.items()))
                message = f"{name}: {reason}"
            body, status = error_body("invalid", message, fields), 400
        case exceptions.APIException():
            details = getattr(error, "details", None)
            body = error_body(str(error.get_codes()), str(error.detail), details=details)
            status = error.status_code
            headers |= _headers_of(error)
        case OperationalError():
            logger.error("the database did not answer", exc_info=error)
            body = error_body("busy", "The service is busy. Try again in a moment.")
            status = BUSY
        case _:
            return None
    headers |= {"Retry-After": "5"} if status == BUSY else {}
    set_rollback()
    return Response(body, status=status, headers=headers)
