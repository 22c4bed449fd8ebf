"""docs/api.md, the page for those who integrate, is in step with the code and the schema."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from rest_framework import exceptions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/api.md").read_text()
SCHEMA = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
APPS = ("accounts", "audit", "environments", "notebooks", "quotas", "submarine_site", "volumes")
ELSEWHERE = {"backends", "gateway", "management", "migrations", "outside.py"}

# What DRF itself answers with, here as everywhere.
OF_DRF = {
    each.default_code
    for each in (
        exceptions.MethodNotAllowed,
        exceptions.NotAcceptable,
        exceptions.ParseError,
        exceptions.PermissionDenied,
        exceptions.Throttled,
        exceptions.UnsupportedMediaType,
    )
}

# What others are told: by pages, by the admin, and of a start that failed.
OF_NO_ANSWER = {"conflict", "csrf_failed", "secret_unreadable"}

# Which argument of a call is the code of an error.
CODE_OF: dict[str, str | int] = {
    "AuthenticationFailed": "code",
    "DomainError": "code",
    "__init__": "code",
    "_error": 1,
    "error_body": 0,
    "error_response": 1,
    "error_told": 1,
    "send_error": "code",
}


def codes_in(source: str) -> Iterator[str]:
    """The codes of errors that stand in the code."""
    for node in ast.walk(ast.parse(source)):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.ClassDef) and "DomainError" in map(ast.unparse, node.bases):
            found = [each.value for each in node.body if isinstance(each, ast.Assign)]
        if isinstance(node, ast.Call):
            match CODE_OF.get(ast.unparse(node.func).rpartition(".")[2]):
                case int(position):
                    found = [*node.args[position : position + 1]]
                case str(name):
                    found = [each.value for each in node.keywords if each.arg == name]
                case None:
                    pass
        for each in found:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (`.*) \|$", section, re.MULTILINE)
    return [line.split(" |") for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_code_of_an_error_is_on_the_page() -> None:
    used = {
        code
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if not ELSEWHERE & {*path.parts}
        for code in codes_in(path.read_text())
    }
    told = [code for row in rows("Errors") for code in names(row[0])]
    assert sorted(told) == sorted((used | OF_DRF) - OF_NO_ANSWER)


def lists() -> dict[str, dict[str, Any]]:
    """Of the schema: by address, what a list can be asked."""
    found = {}
    for path, operations in SCHEMA["paths"].items():
        content = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("type") == "array" or "/Paginated" in schema.get("$ref", ""):
            parameters = operations["get"].get("parameters", [])
            found[path] = {
                each["name"]: each["schema"] for each in parameters if each["in"] == "query"
            }
    return found


def test_every_list_is_on_the_page_with_what_it_can_be_asked() -> None:
    paging = {"cursor", "page_size", "ordering"}
    there = {
        path: (
            sorted(set(asked) - paging),
            asked.get("ordering", {}).get("enum", []),
            "cursor" in asked,
        )
        for path, asked in lists().items()
    }
    told = {
        names(path)[0]: (
            names(filters),
            [each for each in names(order) if each != "ordering"],
            pages.strip() == "yes",
        )
        for path, filters, order, pages in rows("Lists")
    }
    assert told == there
