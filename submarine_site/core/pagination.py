"""How a list of the API is paged."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination

from submarine_site.core.errors import InvalidInput


class Cursor(CursorPagination):
    """Pages of a list, newest first, that do not shift as rows come and go."""

    ordering = "-created_at"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    page_size_query_description = (
        f"How many to a page: {page_size} unless given, {max_page_size} at most."
    )
    cursor_query_description = "Of the page: as the addresses of `next` and `previous` have it."

    def get_page_size(self, request: Any) -> int:
        """Return how many rows a page has: as many as are asked for, up to the most. Raises
        `InvalidInput` for what is no such number, for which DRF would take the usual one.
        """
        for asked in request.query_params.getlist(self.page_size_query_param):
            if not (asked.isascii() and asked.isdecimal() and asked.strip("0")):
                raise InvalidInput.field("page_size", "A whole number is needed, 1 or more.")
        return super().get_page_size(request) or self.page_size

    def get_paginated_response_schema(self, schema: Any) -> Any:
        """Return what a page is. DRF says in OpenAPI 3.0 what may be null, and its examples are of
        another service: here they are of a list that has one page.
        """
        address = {"type": ["string", "null"], "format": "uri", "example": None}
        properties = {"next": address, "previous": address, "results": schema}
        return {"type": "object", "required": [*properties], "properties": properties}

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        """Return the page's rows. Raises `InvalidInput` for a cursor that no list gave.

        DRF refuses one that it cannot decode, and hands the position in it to the database unseen.
        """
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, ValidationError) as error:
            raise InvalidInput.field("cursor", "This is not a cursor of this list.") from error
