"""Questions that every request asks: the ORM writes each once, and fills in the values after that.

To write one takes the ORM several times as long as the database takes to answer it, and what it
writes is the same each time, but for the values; and so is how an answer becomes models.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar, get_type_hints

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)

# Values that nobody has, by which the places of a question's parameters are found.
_MARKS: dict[type, Callable[[int], Any]] = {
    str: lambda number: f"parameter {number}",
    int: lambda number: 2**62 + number,
    datetime: lambda number: datetime.max.replace(tzinfo=UTC) - timedelta(days=number + 1),
}


class Asked(Generic[M]):
    """Wraps a function that returns a queryset. Its parameters, annotated as one of `_MARKS`, are
    values within the question, whose form may not depend on them.
    """

    def __init__(self, question: Callable[..., QuerySet[M]]) -> None:
        self._question = question

    def __call__(self, **values: Any) -> list[M]:
        """Ask it, as `list` of the queryset would."""
        written = self._written
        filled = [values[name] if name else value for name, value in written.parameters]
        with connection.cursor() as cursor:
            cursor.execute(written.sql, filled)
            rows = cursor.fetchall()
        return [written.read(row) for row in rows]

    @cached_property
    def _written(self) -> "_Written[M]":
        hints = {k: v for k, v in get_type_hints(self._question).items() if k != "return"}
        marks = {name: _MARKS[of](number) for number, (name, of) in enumerate(hints.items())}
        names = {mark: name for name, mark in marks.items()}
        compiler = self._question(**marks).query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        found = [(names.get(value, ""), value) for value in parameters]
        assert {name for name, _ in found} - {""} == marks.keys()
        # From here on as `ModelIterable` reads them.
        columns = [column for column, *_ in compiler.select]
        own = compiler.klass_info["select_fields"]
        return _Written(
            sql=sql,
            parameters=found,
            model=compiler.klass_info["model"],
            fields=[column.target.attname for column in columns[own[0] : own[-1] + 1]],
            populators=get_related_populators(  # type: ignore[call-arg] # of a later Django
                compiler.klass_info, compiler.select, DEFAULT_DB_ALIAS
            ),
            converters=[
                (place, each, column)
                for place, (all_of_it, column) in compiler.get_converters(columns).items()
                for each in all_of_it
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written(Generic[M]):
    """What the ORM wrote, each parameter with its name or else its value; and what it would make
    of the rows: of the first columns a model of these fields, of the others what it refers to.
    """

    sql: str
    parameters: list[tuple[str, Any]]
    model: type[M]
    fields: list[str]
    populators: list[Any]
    converters: list[tuple[int, Callable[..., Any], Any]]

    def read(self, row: tuple[Any, ...]) -> M:
        if self.converters:
            values = list(row)
            for place, convert, column in self.converters:
                values[place] = convert(values[place], column, connection)
            row = tuple(values)
        found = self.model.from_db(DEFAULT_DB_ALIAS, self.fields, row[: len(self.fields)])
        for each in self.populators:
            each.populate(row, found)
        return found
