"""Saves new records in one statement: each round to the database costs as much as its work."""

from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import AutoField, Field, Model
from msgspec.json import encode
from psycopg.types.json import Jsonb


def insert_together(*records: Model) -> None:
    """Insert new records, of two models or more, all or none. They may refer to each other by ids
    that they have. What the database gives, such as an id, is not read back.
    """
    parts = [_insert(type(record)) for record in records]
    # One parameter for each: of statements with more than fifty psycopg keeps nothing, and reads
    # them anew each time.
    values: list[Any] = [
        Jsonb(
            {
                field.column: field.get_prep_value(field.pre_save(record, add=True))
                for field in fields
            },
            dumps=encode,
        )
        for record, (_, fields) in zip(records, parts, strict=True)
    ]
    *others, last = [statement for statement, _ in parts]
    named = ", ".join(f"part{number} AS ({part})" for number, part in enumerate(others))
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {named} {last}", values)
    for record in records:
        record._state.adding = False  # noqa: SLF001
        record._state.db = DEFAULT_DB_ALIAS  # noqa: SLF001


@cache
def _insert(model: type[Model]) -> "tuple[str, tuple[Field[Any, Any], ...]]":
    """The statement for a record of this model, and the fields whose values it takes, as
    one JSON object.
    """
    meta, quote = model._meta, connection.ops.quote_name  # noqa: SLF001
    fields = tuple(
        each
        for each in meta.concrete_fields
        if not isinstance(each, AutoField) and not each.has_db_default()
    )
    columns = ", ".join(quote(str(field.column)) for field in fields)
    table = quote(meta.db_table)
    given = f"SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %s)"  # noqa: S608 - names are the model's
    return f"INSERT INTO {table} ({columns}) {given}", fields
