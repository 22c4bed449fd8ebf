"""How a list of the API is paged, and in which order it is.

A cursor names the row that a page begins after, by what the list is ordered by and by its key: no
two rows are at one place, so that none is lost or told twice, whatever comes and goes meanwhile.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from django.core.exceptions import ValidationError
from django.db.models import Q
from rest_framework.pagination import CursorPagination
from rest_framework.utils.urls import replace_query_param

from submarine_site.core.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """That of a row in a list of this order. `path` is the list's own, so that a cursor of another
    list is none of this. `way` is where to look from it: what is `after` it, or what is `before`.
    """

    path: str
    ordering: str
    value: str
    key: str
    way: str = "after"

    def as_cursor(self) -> str:
        """What it is on the wire, for `from_cursor`."""
        return urlsafe_b64encode(urlencode(asdict(self)).encode()).decode()

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """What `as_cursor` gave. Raises `ValueError` or `TypeError` for anything else."""
        said = urlsafe_b64decode(cursor).decode()
        return cls(**dict(parse_qsl(said, keep_blank_values=True)))


class Cursor(CursorPagination):
    """Pages of a list, newest first, that do not shift as rows come and go. Of a list that has
    `orderings`, one of these may be asked for.
    """

    ordering = "-created_at"
    orderings: tuple[str, ...] = ()
    ordering_query_param = "ordering"
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

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:  # noqa: ARG002
        """Return the page's rows. Raises `InvalidInput` for an order that the list does not have,
        and for a cursor that it did not give in this order.
        """
        self.base_url = request.build_absolute_uri()
        self._path = request.path.rstrip("/")
        size = self.get_page_size(request)
        ordering = self._asked(request)
        try:
            begin = self._begin(request, ordering)
            # Whether the value in it is one that a row can have is found by the question.
            rows = _rows(queryset, ordering, begin, size + 1)
        except (TypeError, ValueError, ValidationError) as error:
            raise InvalidInput.field("cursor", "This is not a cursor of this list.") from error
        page, has_more = rows[:size], len(rows) > size
        self.has_next, self.has_previous = has_more, begin is not None
        if begin and begin.way == "before":
            page.reverse()
            self.has_next, self.has_previous = True, has_more
        self._first = self._place(page[0], ordering) if page else begin
        self._last = self._place(page[-1], ordering) if page else begin
        self.display_page_controls = self.has_next or self.has_previous
        return page

    def _asked(self, request: Any) -> str:
        """The order that is asked for."""
        if not self.orderings:
            return self.ordering
        asked: str = request.query_params.get(self.ordering_query_param, self.ordering)
        if asked in self.orderings:
            return asked
        raise InvalidInput.field(
            self.ordering_query_param, f"There are these orders: {', '.join(self.orderings)}."
        )

    def _begin(self, request: Any, ordering: str) -> Place | None:
        """The place of the row before the page; None: it is the first page."""
        cursor = request.query_params.get(self.cursor_query_param)
        if not cursor:
            return None
        begin = Place.from_cursor(cursor)
        is_of_this_list = (begin.path, begin.ordering) == (self._path, ordering)
        if not is_of_this_list or begin.way not in {"after", "before"}:
            raise ValueError(begin)
        return begin

    def _place(self, row: Any, ordering: str) -> Place:
        value = getattr(row, ordering.removeprefix("-"))
        return Place(path=self._path, ordering=ordering, value=str(value), key=str(row.pk))

    def get_next_link(self) -> str | None:
        return self._link(self._last, "after") if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self._first, "before") if self.has_previous else None

    def _link(self, place: Place | None, way: str) -> str:
        assert place is not None
        cursor = replace(place, way=way).as_cursor()
        assert self.base_url is not None
        return str(replace_query_param(self.base_url, self.cursor_query_param, cursor))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return what DRF does, and which orders there are."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        if self.orderings:
            orders = {"type": "string", "enum": [*self.orderings], "default": self.ordering}
            parameters.append({"name": self.ordering_query_param, "in": "query", "schema": orders})
        return parameters

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """Return what a page is. DRF says in OpenAPI 3.0 what may be null, and its examples are of
        another service: here they are of a list that has one page.
        """
        address = {"type": ["string", "null"], "format": "uri", "example": None}
        properties = {"next": address, "previous": address, "results": schema}
        return {"type": "object", "required": [*properties], "properties": properties}


def _rows(queryset: Any, ordering: str, begin: Place | None, count: int) -> list[Any]:
    """The first rows from there, in the order in which they are come upon."""
    field = ordering.removeprefix("-")
    is_back = begin is not None and begin.way == "before"
    sign, way = ("-", "lt") if ordering.startswith("-") != is_back else ("", "gt")
    if begin:
        beyond = Q(**{f"{field}__{way}": begin.value})
        beside = Q(**{field: begin.value, f"pk__{way}": begin.key})
        # The first of these is what an index finds.
        queryset = queryset.filter(Q(**{f"{field}__{way}e": begin.value}), beyond | beside)
    return list(queryset.order_by(f"{sign}{field}", f"{sign}pk")[:count])
