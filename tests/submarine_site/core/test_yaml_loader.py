from collections.abc import Callable
from contextlib import suppress

import pytest
import yaml

from submarine_site.core import yaml_loader
from submarine_site.core.yaml_loader import MAX_NODES, YamlRefused
from tests.scaling import assert_linear


def compose(text: str) -> yaml.Node | None:
    return yaml_loader.compose(text, max_depth=16)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("demo", "str"),
        ("'1'", "str"),
        ("12", "int"),
        ("0x1f", "int"),
        ("1.5", "float"),
        ("yes", "bool"),
        ("~", "null"),
        ("2026-01-31", "timestamp"),
        # What YAML 1.1 has of its own, and no other reader.
        ("1:30", "str"),
        ("190:20:30", "str"),
        ("1:30.5", "str"),
        ("<<", "str"),
        ("=", "str"),
    ],
)
def test_scalars_are_resolved_and_not_converted(text: str, kind: str) -> None:
    root = compose(f"? {text}\n: {text}")
    assert isinstance(root, yaml.MappingNode)
    [pair] = root.value
    assert [each.tag for each in pair] == [f"tag:yaml.org,2002:{kind}"] * 2
    assert [each.value for each in pair] == [text.strip("'")] * 2


def test_an_empty_document_has_no_root() -> None:
    assert compose("# nothing\n") is None


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a: &x 1", "anchors and aliases are not taken", 1),
        ("a: 1\nb: *x", "anchors and aliases are not taken", 2),
        ("a: !!str 1", "tags such as “tag:yaml.org,2002:str” are not taken", 1),
        ("%TAG ! x\n---\na: 1", "tags are not taken", None),
        ("# x\n%TAG ! x\n---\na: 1", "tags are not taken", None),
        ("[" * 17, "this is nested too deep", 1),
        ("{" * 17, "this is nested too deep", 1),
        ("- " * 17, "this is nested too deep", 1),
        (f"[{'a,' * MAX_NODES}]", f"more than {MAX_NODES} entries are not taken", 1),
    ],
)
def test_what_is_refused(text: str, problem: str, line: int | None) -> None:
    with pytest.raises(YamlRefused) as refused:
        compose(text)
    assert refused.value.problem == problem
    mark = refused.value.problem_mark
    assert (mark.line + 1 if mark else None) == line


# Each is repeated to the size that is asked for.
SHAPES: dict[str, Callable[[int], str]] = {
    "integer of base 60": lambda n: "a: 1" + ":1" * (n // 2),
    "float of base 60": lambda n: "a: 1" + ":1" * (n // 2) + ".5",
    "digits": lambda n: "a: " + "9" * n,
    "hexadecimal digits": lambda n: "a: 0x" + "f" * n,
    "fraction": lambda n: "a: 1." + "0" * n,
    "underscores": lambda n: "a: 1" + "_" * n + "x",
    "time": lambda n: "a: 2026-01-31" + " " * n + "x",
    "lists in lists": lambda n: "[" * n,
    "mappings in mappings": lambda n: "{" * n,
    "keys in keys": lambda n: "? " * n,
    "entries in entries": lambda n: "- " * n,
    "indented mappings": lambda n: "".join(f"{' ' * i}a:\n" for i in range(int((2 * n) ** 0.5))),
    "one key again and again": lambda n: "a: 1\n" * (n // 5),
    "null keys": lambda n: "?\n" * (n // 2),
    "entries": lambda n: f"[{'a,' * (n // 2)}]",
    "merge keys": lambda n: "a: {" + "<<: {a: 1}," * (n // 12) + "}",
    "anchors": lambda n: "".join(f"- &a{i} x\n" for i in range(n // 10)),
    "tag directives": lambda n: "".join(f"%TAG !a{i}! x\n" for i in range(n // 14)) + "---\na",
    "tag": lambda n: f"!<{'a' * n}> x",
    "escapes": lambda n: 'a: "' + "\\u0041" * (n // 6) + '"',
    "blank lines in quotes": lambda n: 'a: "' + "\n" * n + '"',
    "block of blank lines": lambda n: "a: |\n" + "\n" * n,
    "lines": lambda n: "a: x" + "\n  x" * (n // 4),
    "comments": lambda n: "#\n" * (n // 2),
    "documents": lambda n: "---\n" * (n // 4),
    "colons": lambda n: ":" * n,
    "spaces": lambda n: " " * n,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_work_grows_no_faster_than_the_text(shape: str) -> None:
    def read(text: str) -> None:
        with suppress(yaml.YAMLError):
            compose(text)

    assert_linear(read, SHAPES[shape])
