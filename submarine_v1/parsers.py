"""Bodies of Submarine's API: objects, lists and texts, and no other values.

Submarine's clients write numbers and booleans where a text is meant, as YAML does, and its server
takes the text as it is written: `1.0`, `010`, `yes`. So all scalars are texts here, and the few
fields that are not read them.
"""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import yaml
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from submarine_site.core import yaml_loader

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16

_NULL = "tag:yaml.org,2002:null"


class NullText(str):
    """A null of YAML as it is written, for values that are texts whatever they look like."""

    __slots__ = ()


class TextJSONParser(BaseParser):
    """JSON with numbers and booleans as texts."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],  # noqa: ARG002
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Parse the body. Raises `RequestDataTooBig`, or `ParseError`."""
        assert parser_context is not None
        try:
            body = parser_context["request"].body.decode()
            parsed = json.loads(
                body, parse_int=str, parse_float=str, parse_constant=_refuse_constant
            )
            return _booleans_as_text(parsed)
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error


class YamlParser(BaseParser):
    """YAML without anchors, aliases and tags."""

    media_type = "application/yaml"

    def parse(
        self,
        stream: IO[Any],  # noqa: ARG002
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Parse the body. Raises `RequestDataTooBig`, or `ParseError`."""
        assert parser_context is not None
        body = parser_context["request"].body
        if len(body) > MAX_BYTES:
            raise ParseError(f"YAML may have {MAX_BYTES} bytes; this has {len(body)}. Send JSON.")
        try:
            root = yaml_loader.compose(body.decode("utf-8-sig"), max_depth=MAX_DEPTH)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ParseError(f"YAML parse error - {' '.join(str(error).split())}") from error
        return None if root is None else _plain(root)


class XYamlParser(YamlParser):
    media_type = "application/x-yaml"


class TextYamlParser(YamlParser):
    media_type = "text/yaml"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")


def _booleans_as_text(value: Any) -> Any:
    match value:
        case bool():
            return json.dumps(value)
        case dict():
            return {name: _booleans_as_text(each) for name, each in value.items()}
        case list():
            return [_booleans_as_text(each) for each in value]
        case _:
            return value


def _plain(node: yaml.Node) -> Any:
    """A node as dicts, lists and texts. Raises `ParseError`."""
    match node:
        case yaml.MappingNode():
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = key_node.value
                if not isinstance(key, str):
                    raise ParseError("YAML parse error - a key is no text")
                if key in mapping:
                    raise ParseError(f"YAML parse error - “{key[:80]}” is there twice")
                mapping[key] = _plain(value_node)
            return mapping
        case yaml.SequenceNode():
            return [_plain(each) for each in node.value]
        case _:
            return NullText(node.value) if node.tag == _NULL else node.value
