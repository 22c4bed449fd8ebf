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

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        """Return the page's rows. Raises `InvalidInput` for a cursor that no list gave.

        DRF refuses one that it cannot decode, and hands the position in it to the database unseen.
        """
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, ValidationError) as error:
            raise InvalidInput.field("cursor", "This is not a cursor of this list.") from error
