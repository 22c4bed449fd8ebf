"""What all endpoints of Submarine's API have in common: the envelope, and who may do what."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import BearerAuthentication
from accounts.permissions import HasScope
from notebooks.api.runs import RunAuthentication
from submarine_site.core.api import StrictSerializer, exception_handler
from submarine_site.core.envelope import envelope
from submarine_site.core.errors import DomainError
from submarine_site.core.renderers import FastJSONRenderer
from submarine_v1.authentication import NoAuthentication
from submarine_v1.parsers import TextJSONParser, TextYamlParser, XYamlParser, YamlParser


class EnvelopeRenderer(FastJSONRenderer):
    charset = "utf-8"


class OneForm(DefaultContentNegotiation):
    """Answers in JSON whatever is asked for: clients ask for it in ways that DRF does not know."""

    def select_renderer(
        self,
        request: HttpRequest | Request,  # noqa: ARG002
        renderers: Any,
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """Return the one that there is."""
        [renderer] = renderers
        return renderer, renderer.media_type


class V1View(APIView):
    """`fields` says what clients call the inputs that services name, by the beginning of their
    paths.
    """

    authentication_classes = [RunAuthentication, BearerAuthentication, NoAuthentication]
    permission_classes = [IsAuthenticated, HasScope]
    renderer_classes = [EnvelopeRenderer]
    parser_classes = [TextJSONParser, YamlParser, XYamlParser, TextYamlParser]
    content_negotiation_class = OneForm
    metadata_class = None
    schema = None
    allowed_to_runs: ClassVar[frozenset[str]] = frozenset()
    fields: ClassVar[Mapping[str, str]] = {}

    def get_exception_handler(self) -> Any:
        return _enveloped


def _enveloped(error: Exception, context: Any) -> Response | None:
    """What v2 says of an error, in the envelope. An input at fault is named in the message, for
    which there is no other place.
    """
    response = exception_handler(error, context)
    if response is None:
        return None
    told, fields = response.data, context["view"].fields
    message = told["message"]
    if isinstance(error, DomainError) and error.status == 400:  # noqa: PLR2004
        reasons = told.get("fields", {}).items()
        message = "; ".join(f"{_named(name, fields)}: {why}" for name, why in reasons) or message
    elif len(told.get("fields", {})) > 1:
        message = "; ".join(f"{name}: {why}" for name, why in told["fields"].items())
    response.data = envelope(status=response.status_code, message=message)
    # Submarine's clients would sleep as long as it says, several times, and then not show why.
    response.headers.pop("Retry-After", None)
    return response


def _named(name: str, fields: Mapping[str, str]) -> str:
    """Return a field as clients call it: `code.0.ref` is `spec.code.git.branch`."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        if known := fields.get(".".join(parts[:count])):
            return ".".join([known, *parts[count:]])
    return name


def ok(result: Any, *, message: str | None = None) -> Response:
    return Response(envelope(message=message, result=result))


def given(
    serializer_class: type[StrictSerializer], request: Request, *, nothing: str
) -> dict[str, Any]:
    """The body, checked; `nothing` is what to say where there is none."""
    if not request.data:
        raise ParseError(nothing)
    checked: dict[str, Any] = serializer_class().run_validation(request.data)
    return checked


def not_found(what: str) -> DomainError:
    """What clients are told of what is not there, or not theirs."""
    return DomainError(f"{what} not found.", code="not_found", status=404)
