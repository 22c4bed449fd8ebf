"""YAML from outsiders: mappings, lists and scalars, read in time linear in the size of the text.

PyYAML's safe loader builds no foreign objects, but its cost has no bound: integers of base 60 take
quadratic time, aliases and merge keys multiply, and deep nesting overflows the C stack. So callers
get nodes, whose scalars are texts that are resolved but not converted.
"""

import re
from typing import Any

import yaml

MAX_NODES = 10_000
"""Scalars, lists and mappings in one document, keys counted as well."""

_TAG = "tag:yaml.org,2002:"
_NUMBERS = (f"{_TAG}int", f"{_TAG}float")
_TEXT = f"{_TAG}str"

# libyaml compares each %TAG directive with all before it.
_TAG_DIRECTIVE = re.compile(r"(?:^|[\r\n\x85\u2028\u2029])\ufeff?%TAG")


class YamlRefused(yaml.MarkedYAMLError):
    """Valid YAML that is not accepted. `problem` gives the reason, without a full stop."""


def compose(text: str, *, max_depth: int) -> yaml.Node | None:
    """Return the root node of the only document in `text`, or None if there is none.

    Raises `yaml.YAMLError`: `YamlRefused` for anchors, aliases, tags, collections nested deeper
    than `max_depth` and more than `MAX_NODES` nodes.
    """
    _check(text, max_depth)
    return yaml.compose(text, Loader=_Loader)


def _check(text: str, max_depth: int) -> None:
    """Refuse what the loader cannot bound, before it builds anything."""
    if _TAG_DIRECTIVE.search(text):
        raise YamlRefused(problem="tags are not taken")
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors and aliases are not taken", event)
        if tag := getattr(event, "tag", None):
            raise _refused(f"tags such as “{tag[:80]}” are not taken", event)
        nodes += isinstance(event, yaml.NodeEvent)
        if nodes > MAX_NODES:
            raise _refused(f"more than {MAX_NODES} entries are not taken", event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > max_depth:
            raise _refused("this is nested too deep", event)


def _refused(problem: str, place: Any) -> YamlRefused:
    """`place` is an event or a node."""
    return YamlRefused(problem=problem, problem_mark=place.start_mark)


class _Loader(yaml.CSafeLoader):
    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        is_base_60 = tag in _NUMBERS and ":" in value
        is_indicator = tag in {f"{_TAG}merge", f"{_TAG}value"}
        return _TEXT if is_base_60 or is_indicator else tag
