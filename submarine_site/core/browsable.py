"""The browsable API: DRF's pages, with forms that the API itself accepts as they are."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import Http404
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request, override_method
from rest_framework.utils.encoders import JSONEncoder

from submarine_site.core.errors import DomainError

if TYPE_CHECKING:
    # It imports its default renderers, of which this is one.
    from rest_framework.views import APIView

_JSON = "application/json"


class RawBodyForm(forms.Form):
    """A request body as text. DRF's template and script know the fields by these attributes."""

    _content_type = forms.ChoiceField(
        label="Media type",
        choices=[(_JSON, _JSON)],
        widget=forms.Select(attrs={"data-override": "content-type"}),
    )
    _content = forms.CharField(
        label="Content", required=False, widget=forms.Textarea(attrs={"data-override": "content"})
    )


class BrowsableRenderer(BrowsableAPIRenderer):
    """Shows a form for what its user may do, filled with a body that can be sent as it is.

    That body is, in this order: the one that was just sent and refused; what the view's
    `initial_body` returns, if it has one and returns something; for PUT and PATCH what the
    record has now; the required fields of the
    example in the schema. What else may be sent is there too, where it can be empty.
    """

    def show_form_for_method(
        self,
        view: "APIView",
        method: str,
        request: Request,
        obj: Any,  # noqa: ARG002
    ) -> bool | None:
        """Return whether the method has a form: never for what the user does not see or may not
        change.
        """
        if self._status() in {401, 404}:
            return False
        try:
            if view.kwargs and hasattr(view, "get_object"):
                # What the response shows may be another record, such as a version of this one.
                view.get_object()
            return super().show_form_for_method(view, method, request, None)
        except (APIException, DomainError, Http404):
            return False

    def _status(self) -> int:
        context: dict[str, Any] = self.renderer_context  # type: ignore[attr-defined] # set by DRF
        return int(context["response"].status_code)

    def get_raw_data_form(
        self, data: Any, view: "APIView", method: str, request: Request
    ) -> forms.Form | None:
        """Return the form of a method, or None where the user may not use it."""
        with override_method(view, request, method) as as_sent:
            if not self.show_form_for_method(view, method, as_sent, None):
                return None
            body = self._body(data, view, method, request)
        content = json.dumps(body, cls=JSONEncoder, indent=4, ensure_ascii=False)
        return RawBodyForm(initial={"_content_type": _JSON, "_content": content})

    def _body(self, data: Any, view: "APIView", method: str, request: Request) -> Any:
        was_refused = self._status() in {400, 409, 412, 422}
        if was_refused and request.method == method and isinstance(request.data, dict):
            return request.data
        initial: dict[str, Any] = getattr(view, "initial_body", dict)()
        # `rest_framework.views`, which that module needs, loads this one as it is loaded itself.
        from submarine_site.core.api import StrictSerializer  # noqa: PLC0415

        serializer = view.get_serializer() if hasattr(view, "get_serializer") else None
        if not isinstance(serializer, StrictSerializer):
            # It describes the response: the request has no body.
            return {}
        if not initial and method in {"PUT", "PATCH"} and isinstance(data, Mapping):
            initial = project(serializer, data)
        if method == "PATCH":
            return initial
        return _complete(serializer, initial or _example(serializer))


def project(serializer: serializers.Serializer[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `data`, a response of the API, has of the fields that the serializer takes."""
    return {
        name: _taken(field, data[name])
        for name, field in serializer.fields.items()
        if data.get(name) is not None and not field.read_only
    }


def _taken(field: Any, value: Any) -> Any:
    if isinstance(field, serializers.ListSerializer):
        return [_taken(field.child, each) for each in value]
    return project(field, value) if isinstance(field, serializers.Serializer) else value


def _example(serializer: Any) -> dict[str, Any]:
    """The required fields, as the example in the schema has them."""
    annotation = getattr(serializer, "_spectacular_annotation", {})
    example: dict[str, Any] = next((each.value for each in annotation.get("examples", ())), {})
    return {
        name: example[name]
        for name, field in serializer.fields.items()
        if field.required and name in example
    }


def _complete(serializer: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with every other field that may be empty, so that people see which there are."""
    blank = {name: _blank(field) for name, field in serializer.fields.items()}
    return {
        name: body.get(name, blank[name])
        for name in serializer.fields
        if name in body or blank[name] is not None
    }


def _blank(field: Any) -> Any:
    """The value that stands for none; None where such a field is left out instead."""
    match field:
        case serializers.ListSerializer() | serializers.ListField():
            return []
        case serializers.DictField():
            return {}
        case serializers.BooleanField():
            return False
        case serializers.CharField() if field.allow_blank:
            return ""
        case _:
            return None
