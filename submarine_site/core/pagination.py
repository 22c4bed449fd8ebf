"""How a list of the API is paged."""

from rest_framework.pagination import CursorPagination


class Cursor(CursorPagination):
    """Pages of a list, newest first, that do not shift as rows come and go."""

    ordering = "-created_at"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
