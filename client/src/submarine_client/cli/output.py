"""What commands print: tables for people, JSON, YAML or names for scripts."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "json", "yaml", "name")
_STATE_COLOURS = {
    "running": "green",
    "ready": "green",
    "built": "green",
    "failed": "red",
    "starting": "yellow",
    "requested": "yellow",
    "stopping": "yellow",
    "building": "yellow",
    "queued": "yellow",
}


def output_option(command: F) -> F:
    """The option -o."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        help="For people, or for scripts: `name` is what other commands take.",
    )(command)


def show_list(
    rows: Iterable[Any],
    output: str,
    columns: Mapping[str, Callable[[Any], object]],
    *,
    name: Callable[[Any], str],
    empty: str,
) -> None:
    """Print things that the service told. `empty` is said to people when there are none."""
    if output == "name":
        for row in rows:
            click.echo(name(row))
        return
    found = list(rows)
    if output == "table":
        if not found:
            click.echo(empty, err=True)
            return
        _table(list(columns), [[cell(read(row)) for read in columns.values()] for row in found])
        return
    _data([row.raw for row in found], output)


def show_one(thing: Any, output: str, facts: Mapping[str, object], *, name: str) -> None:
    """Print one thing."""
    if output == "name":
        click.echo(name)
    elif output == "table":
        width = max(len(label) for label in facts)
        for label, value in facts.items():
            if value not in (None, "", [], {}):
                click.echo(f"{click.style(label.ljust(width), bold=True)}  {state(cell(value))}")
    else:
        _data(thing.raw, output)


def _data(data: Any, output: str) -> None:
    if output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
    else:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(_width(line[at]) for line in [titles, *rows]) for at in range(len(titles))]
    click.echo(_line([click.style(title, bold=True) for title in titles], titles, widths))
    for row in rows:
        click.echo(_line([state(each) for each in row], row, widths))


def _line(shown: Sequence[str], plain: Sequence[str], widths: Sequence[int]) -> str:
    cells = [text + " " * (width - _width(bare)) for text, bare, width in zip(shown, plain, widths)]
    return "  ".join(cells).rstrip()


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(bool(unicodedata.combining(each)) for each in text)


def cell(value: object) -> str:
    """A value as people read it; nothing of it can act on the terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return ago(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(each) for each in value)
    return safe(str(value))


def safe(text: str) -> str:
    """Text without what a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def state(text: str) -> str:
    """In its colour, if it is a state."""
    colour = _STATE_COLOURS.get(text)
    return click.style(text, fg=colour) if colour else text


def ago(when: datetime) -> str:
    """How long since, or until."""
    seconds = (datetime.now(timezone.utc) - when).total_seconds()  # noqa: TID251
    text = span(abs(seconds))
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def mib(size: int | None) -> str:
    """A size in MiB, as people say it."""
    if size is None:
        return ""
    return f"{size / 1024:g} GiB" if size >= 1024 else f"{size} MiB"


def cpus(milli: int) -> str:
    return f"{milli / 1000:g}"
