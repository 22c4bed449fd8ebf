"""How the lists of the API are filtered: by what they say, and by nothing else."""

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request

from submarine_site.core.errors import InvalidInput

_FORMAT = "format"
"""DRF's own parameter: the representation that a browser asks for."""


class StrictFilterBackend(DjangoFilterBackend):
    """Refuses a query parameter that the list does not have: a filter with a typing error in its
    name would give everything.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        """Return the rows that were asked for. Raises `InvalidInput` for an unknown parameter."""
        paginator = getattr(view, "paginator", None)
        is_list = paginator is not None or not getattr(view, "detail", False)
        if is_list and request.method in {"GET", "HEAD"}:
            filterset = self.get_filterset_class(view, queryset)
            known = {_FORMAT, *(filterset.base_filters if filterset else ())}
            if paginator is not None:
                parameters = paginator.get_schema_operation_parameters(view)
                known.update(parameter["name"] for parameter in parameters)
            if unknown := sorted(set(request.query_params) - known):
                allowed = ", ".join(sorted(known - {_FORMAT})) or "none"
                message = f"There is no such parameter. This list has: {allowed}."
                raise InvalidInput(
                    f"{unknown[0]}: {message}", fields=dict.fromkeys(unknown, message)
                )
        return super().filter_queryset(request, queryset, view)
