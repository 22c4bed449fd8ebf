"""Questions that every request asks: the ORM writes each once, and fills in the values after that.

To write one takes the ORM several times as long as the database takes to answer it, and what it
writes is the same each time, but for the values.
"""

from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar, get_type_hints

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler

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
        compiler, sql, parameters = self._written
        filled = tuple(values[name] if name else value for name, value in parameters)
        return list(ModelIterable(_Again(compiler, sql, filled)))  # type: ignore[arg-type]

    @cached_property
    def _written(self) -> tuple[SQLCompiler, str, list[tuple[str, Any]]]:
        """What wrote it, what it wrote, and each parameter: its name, or else its value."""
        hints = {k: v for k, v in get_type_hints(self._question).items() if k != "return"}
        marks = {name: _MARKS[of](number) for number, (name, of) in enumerate(hints.items())}
        names = {mark: name for name, mark in marks.items()}
        compiler = self._question(**marks).query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        found = [(names.get(value, ""), value) for value in parameters]
        assert {name for name, _ in found} - {""} == marks.keys()
        return compiler, sql, found


class _Again:
    """What a `ModelIterable` needs of a queryset and of its query, and of whoever writes them."""

    db = DEFAULT_DB_ALIAS
    _known_related_objects: dict[str, Any] = {}

    def __init__(self, compiler: SQLCompiler, sql: str, parameters: tuple[Any, ...]) -> None:
        self._compiler = copy(compiler)
        # Each thread has its own.
        self._compiler.connection = connections[DEFAULT_DB_ALIAS]
        self._compiler.as_sql = lambda *_, **__: (sql, parameters)  # type: ignore[method-assign]
        self.query = self

    def get_compiler(self, **_: Any) -> SQLCompiler:
        return self._compiler
