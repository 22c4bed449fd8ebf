"""Checks of JSON: what is wrong, and where."""

from typing import Any

import pytest

from submarine_site.core.shapes import (
    Check,
    Problem,
    both,
    choice,
    flag,
    integer,
    items,
    mapping,
    record,
    text,
    unless,
)

WORD = text(r"[a-z]+", most=3, what="a word")
POINT = record(required={"x": integer(least=0, most=9)}, optional={"name": WORD})
EITHER = record(one_of={"on": flag, "off": flag})


def found(check: Check, value: Any) -> list[str]:
    return [str(problem) for problem in check(value, "")]


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (WORD, "abc"),
        (text(), "a line\nand another"),
        (choice("", "a"), ""),
        (integer(least=0, most=9), 9),
        (flag, False),
        (items(WORD, unique="x"), ["a", "a"]),
        (items(POINT, unique="x"), [{"x": 1}, {"x": 2}]),
        (mapping(keys=WORD, values=flag), {"a": True}),
        (POINT, {"x": 0, "name": "a"}),
        (EITHER, {"off": True}),
        (unless(str.isupper, "No.", WORD), "a"),
        (both(POINT, POINT), {"x": 0}),
    ],
)
def test_what_is_right_has_no_problems(check: Check, value: Any) -> None:
    assert found(check, value) == []


@pytest.mark.parametrize(
    ("check", "value", "problems"),
    [
        (WORD, "A", ["This is not a word."]),
        (WORD, "a\n", ["This is not a word."]),
        (WORD, ["a"], ["This is not a word."]),
        (WORD, "abcd", ["This has 4 characters; 3 is the most."]),
        (text(), "\0", ["This holds a character that cannot be stored."]),
        (text(), "\ud800", ["This holds a character that cannot be stored."]),
        (choice("", "a", "b"), "c", ["This is none of a, b."]),
        (choice("a"), [], ["This is none of a."]),
        (integer(least=0, most=9), 10, ["This is not a whole number from 0 to 9."]),
        (integer(least=0, most=9), True, ["This is not a whole number from 0 to 9."]),
        (flag, 1, ["This is neither true nor false."]),
        (items(WORD), {}, ["This is not a list."]),
        (items(WORD, least=1), [], ["This needs 1 or more entries."]),
        (items(WORD), ["a", "B"], ["[1]: This is not a word."]),
        (items(POINT, unique="x"), [{"x": 1}, {"x": 1}], ["[1].x: 1 is there already."]),
        (mapping(keys=WORD, values=flag), [], ["This is not an object."]),
        (
            mapping(keys=WORD, values=flag),
            {"A": 1},
            ["A: This is not a word.", "A: This is neither true nor false."],
        ),
        (POINT, None, ["This is not an object."]),
        (POINT, {"y": 1}, ["y: There is no such field; there are name, x.", "x: This is missing."]),
        (EITHER, {}, ["This needs exactly one of off, on."]),
        (EITHER, {"on": True, "off": True}, ["This needs exactly one of off, on."]),
        (unless(str.isupper, "No.", WORD), "A", ["No."]),
        (both(POINT, EITHER), {}, ["x: This is missing."]),
        (both(flag, POINT), True, ["This is not an object."]),
    ],
)
def test_what_is_wrong_is_said(check: Check, value: Any, problems: list[str]) -> None:
    assert found(check, value) == problems


def test_a_problem_tells_the_path_to_it() -> None:
    line = record(required={"points": items(POINT)})
    assert list(line({"points": [{"x": 1}, {"x": 1, "name": 2}]}, "line")) == [
        Problem("line.points[1].name", "This is not a word.")
    ]
