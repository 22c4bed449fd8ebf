"""Limits as a CSV file, out and in."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.models import User
from quotas.amounts import is_resource, parse, written
from quotas.models import Limit, Scope
from quotas.overview import Key, key_of
from submarine_site.core.errors import InvalidInput

COLUMNS = ("scope", "group", "user", "resource", "amount", "until", "reason")
MAX_KIB = 512
MAX_LINES = 10_000

N = TypeVar("N", User, Group)

# What a spreadsheet would take for a formula; an apostrophe before it says that it is a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, and where. Line 1 has the names of the columns; no field: the whole line."""

    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What was read: limits only if there is no fault."""

    limits: tuple[Limit, ...] = ()
    faults: tuple[Fault, ...] = ()


def write(limits: Iterable[Limit]) -> str:
    """Return a file that `read` takes."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for limit in limits:
        until = limit.expires_at
        row = (
            limit.scope,
            limit.group.name if limit.group else "",
            limit.user.get_username() if limit.user else "",
            limit.resource,
            written(limit.resource, limit.amount),
            until.astimezone(UTC).isoformat(timespec="seconds") if until else "",
            limit.reason,
        )
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    return out.getvalue()


def read(raw: bytes) -> Sheet:
    """Read a file of limits: all that is wrong with it, by line and field."""
    rows = _rows(raw)
    if isinstance(rows, str):
        return Sheet(faults=(Fault(line=1, field="", message=rows),))
    return _Reader(rows).read()


def _rows(raw: bytes) -> list[list[str]] | str:  # noqa: PLR0911 - one for each reason
    """Return the lines below the names of the columns, or why there are none."""
    if len(raw) > MAX_KIB * 1024:
        return f"The file is larger than {MAX_KIB} KiB."
    try:
        text = raw.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except UnicodeDecodeError:
        return "The file is not text in UTF-8."
    except csv.Error as error:
        return f"This is not CSV: {error}."
    if "\0" in text:
        return "The file is not text."
    if not rows or tuple(name.strip() for name in rows[0]) != COLUMNS:
        return f"The first line has to be: {','.join(COLUMNS)}"
    if len(rows) > MAX_LINES:
        return f"The file has more than {MAX_LINES} lines."
    return rows[1:]


class _Reader:
    def __init__(self, rows: list[list[str]]) -> None:
        self.rows = rows
        self.groups = {
            group.name: group
            for group in Group.objects.filter(name__in={_plain(row[1]) for row in rows if row[1:]})
        }
        self.users = {
            user.get_username(): user
            for user in User.objects.filter(
                username__in={_plain(row[2]) for row in rows if row[2:]}
            )
        }
        self.faults: list[Fault] = []

    def read(self) -> Sheet:
        limits: dict[Key, Limit] = {}
        lines: dict[Key, int] = {}
        for line, row in enumerate(self.rows, start=2):
            limit = self._limit(line, row) if any(row) else None
            if limit is None:
                continue
            key = key_of(limit)
            if key in limits:
                self._fault(line, "", f"Line {lines[key]} is for the same.")
            limits[key], lines[key] = limit, line
        if self.faults:
            return Sheet(faults=tuple(self.faults))
        return Sheet(limits=tuple(limits.values()))

    def _limit(self, line: int, row: list[str]) -> Limit | None:
        if len(row) != len(COLUMNS):
            self._fault(line, "", f"There are {len(row)} columns, not {len(COLUMNS)}.")
            return None
        before = len(self.faults)
        for name, cell in zip(COLUMNS, row, strict=True):
            # An amount has words of its own for it.
            if cell.startswith(_FORMULA) and name != "amount":
                self._fault(line, name, "A formula is not taken; a text begins with '.")
        if len(self.faults) > before:
            return None
        cells = {name: _plain(cell.strip()) for name, cell in zip(COLUMNS, row, strict=True)}
        limit = Limit(
            scope=self._scope(line, cells),
            group=self._named(line, "group", cells, self.groups),
            user=self._named(line, "user", cells, self.users),
            resource=cells["resource"],
            amount=self._amount(line, cells),
            expires_at=self._until(line, cells),
            reason=cells["reason"],
        )
        if len(self.faults) == before:
            self._check(line, limit)
        return limit if len(self.faults) == before else None

    def _scope(self, line: int, cells: Mapping[str, str]) -> str:
        if cells["scope"] not in Scope.values:
            self._fault(line, "scope", f"One of {', '.join(Scope.values)} is needed.")
        return cells["scope"]

    def _named(
        self, line: int, name: str, cells: Mapping[str, str], known: Mapping[str, N]
    ) -> N | None:
        if cells[name] and cells[name] not in known:
            self._fault(line, name, f"There is no {name} “{cells[name]}”.")
        return known.get(cells[name])

    def _amount(self, line: int, cells: Mapping[str, str]) -> int | None:
        if not is_resource(cells["resource"]):
            self._fault(
                line,
                "resource",
                "sessions, cpu_milli, memory_mib, storage_mib, volumes, gpu:CLASS or gpu:* is "
                "needed.",
            )
            return None
        try:
            return parse(cells["resource"], cells["amount"])
        except InvalidInput as refusal:
            self._fault(line, "amount", refusal.fields["amount"])
            return None

    def _until(self, line: int, cells: Mapping[str, str]) -> datetime | None:
        if not cells["until"]:
            return None
        try:
            until = parse_datetime(cells["until"])
        except ValueError:
            until = None
        if until is None:
            self._fault(line, "until", "A time such as 2030-12-31T18:00 is needed, or nothing.")
            return None
        until = until if timezone.is_aware(until) else timezone.make_aware(until)
        if until <= timezone.now():
            self._fault(line, "until", "This is over already.")
        return until

    def _check(self, line: int, limit: Limit) -> None:
        """What fields say together, and how long they may be; not whether it is there already."""
        try:
            limit.clean_fields(exclude=["group", "user"])
            limit.clean()
        except ValidationError as refusal:
            for name, said in refusal.message_dict.items():
                field = "" if name == "__all__" else name
                self._fault(line, field, " ".join(said))

    def _fault(self, line: int, field: str, message: str) -> None:
        self.faults.append(Fault(line=line, field=field, message=message))


def _plain(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell
