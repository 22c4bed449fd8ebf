"""The log as CSV, sent as it is read, to be kept elsewhere or opened in a spreadsheet."""

import csv
import json
from collections.abc import AsyncGenerator
from io import StringIO
from typing import TYPE_CHECKING

from audit.models import AuditEntry
from audit.querysets import AuditQuerySet
from submarine_site.core.streams import Stream, for_stream

if TYPE_CHECKING:
    from accounts.models import User

AT_ONCE = 1000

COLUMNS = (
    "id",
    "at",
    "actor_id",
    "actor",
    "on_behalf_of_id",
    "on_behalf_of",
    "action",
    "kind",
    "object_id",
    "object",
    "channel",
    "address",
    "before",
    "after",
)

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(entries: AuditQuerySet, viewer: "User") -> Stream:
    """Return these entries, newest first, as a file to download."""
    response = Stream(
        _parts(entries, viewer),
        user_id=viewer.pk,
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = 'attachment; filename="audit.csv"'
    response["Cache-Control"] = "no-store"
    return response


async def _parts(entries: AuditQuerySet, viewer: "User") -> AsyncGenerator[str, None]:
    """The file, a bounded number of rows at a time: no connection is held while it is sent."""
    yield _lines([COLUMNS])
    rest = entries.order_by("-pk")
    while found := await _read(rest):
        yield _lines([_row(entry, viewer) for entry in found])
        rest = entries.order_by("-pk").filter(pk__lt=found[-1].pk)


@for_stream
def _read(rest: AuditQuerySet) -> list[AuditEntry]:
    return list(rest[:AT_ONCE])


def _lines(rows: list[tuple[object, ...]]) -> str:
    written = StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _row(entry: AuditEntry, viewer: "User") -> tuple[object, ...]:
    return (
        entry.pk,
        entry.at.isoformat(),
        entry.actor_id,
        _plain(entry.actor_name),
        entry.on_behalf_of_id,
        _plain(entry.on_behalf_of_name),
        entry.action,
        entry.object_kind,
        _plain(entry.object_id),
        _plain(entry.object_label),
        entry.channel,
        entry.address_for(viewer),
        _json(entry.before),
        _json(entry.after),
    )


def _plain(text: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
