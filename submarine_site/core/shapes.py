"""Checks of JSON that people write. Each yields what is wrong, with the path to it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias


class Problem(NamedTuple):
    """`path` leads to the value, as in `sidecars[0].name`; it is empty for the whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


Check: TypeAlias = Callable[[Any, str], Iterator[Problem]]

# Neither PostgreSQL's JSON nor UTF-8 can hold these.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def at(path: str, key: object) -> str:
    """The path to a field of what is at `path`."""
    return f"{path}.{key}" if path else str(key)


def text(pattern: str = r".*", *, most: int | None = None, what: str = "a text") -> Check:
    """A text that matches the pattern as a whole. `what` says in words which that is."""
    compiled = re.compile(pattern, re.DOTALL)

    def check(value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            yield Problem(path, f"This is not {what}.")
        elif _UNSTORABLE.search(value):
            yield Problem(path, "This holds a character that cannot be stored.")
        elif most is not None and len(value) > most:
            yield Problem(path, f"This has {len(value)} characters; {most} is the most.")

    return check


def choice(*values: str) -> Check:
    def check(value: Any, path: str) -> Iterator[Problem]:
        if value not in values:
            yield Problem(path, f"This is none of {', '.join(filter(None, values))}.")

    return check


def integer(*, least: int, most: int) -> Check:
    def check(value: Any, path: str) -> Iterator[Problem]:
        if type(value) is not int or not least <= value <= most:
            yield Problem(path, f"This is not a whole number from {least} to {most}.")

    return check


def flag(value: Any, path: str) -> Iterator[Problem]:
    if type(value) is not bool:
        yield Problem(path, "This is neither true nor false.")


def unless(refused: Callable[[str], bool], message: str, otherwise: Check) -> Check:
    """What `otherwise` says, except that texts for which `refused` holds are a problem."""

    def check(value: Any, path: str) -> Iterator[Problem]:
        if isinstance(value, str) and refused(value):
            yield Problem(path, message)
        else:
            yield from otherwise(value, path)

    return check


def both(first: Check, then: Check) -> Check:
    """What `first` finds; if that is nothing, what `then` finds."""

    def check(value: Any, path: str) -> Iterator[Problem]:
        problems = list(first(value, path))
        yield from problems or then(value, path)

    return check


def items(each: Check, *, unique: str = "", least: int = 0) -> Check:
    """A list. No two of its objects have the same value in the field `unique`."""

    def check(value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(path, "This is not a list.")
            return
        if len(value) < least:
            yield Problem(path, f"This needs {least} or more entries.")
        seen: list[Any] = []
        for index, item in enumerate(value):
            here = f"{path}[{index}]"
            yield from each(item, here)
            if unique and isinstance(item, dict) and unique in item:
                if item[unique] in seen:
                    yield Problem(at(here, unique), f"{item[unique]} is there already.")
                seen.append(item[unique])

    return check


def mapping(*, keys: Check, values: Check) -> Check:
    """An object with keys that people choose."""

    def check(value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(path, "This is not an object.")
            return
        for key, item in value.items():
            yield from keys(key, at(path, key))
            yield from values(item, at(path, key))

    return check


def record(
    *,
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    one_of: Mapping[str, Check] | None = None,
) -> Check:
    """An object with these fields and no others; of `one_of`, if given, exactly one."""
    required, optional, one_of = required or {}, optional or {}, one_of or {}
    known = {**required, **optional, **one_of}

    def check(value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(path, "This is not an object.")
            return
        for key, item in value.items():
            if key in known:
                yield from known[key](item, at(path, key))
            else:
                yield Problem(at(path, key), f"There is no such field; there are {_list(known)}.")
        for key in required:
            if key not in value:
                yield Problem(at(path, key), "This is missing.")
        if one_of and len(one_of.keys() & value.keys()) != 1:
            yield Problem(path, f"This needs exactly one of {_list(one_of)}.")

    return check


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))
