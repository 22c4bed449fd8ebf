"""Updates of many rows by one statement, each with a value of its own."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Case, Field, Value, When


def by_key(values: Mapping[UUID, Any], field: "Field[Any, Any]") -> Case:
    """Of each row, the value that stands under its key, as `field` has it."""
    return Case(
        *(When(pk=pk, then=Value(value, field)) for pk, value in values.items()),
        output_field=field,
    )
