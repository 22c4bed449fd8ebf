"""YAML as a body: plain mappings, lists and values, with nothing that could grow when read."""

from collections.abc import Mapping
from typing import IO, Any

import yaml
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16


class YamlParser(BaseParser):
    """Takes no anchors, aliases and tags."""

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
            _refuse_what_grows(body)
            return yaml.load(body, Loader=yaml.CSafeLoader)
        # A date that there is not is no error of YAML's.
        except (yaml.YAMLError, ValueError) as error:
            raise ParseError(f"YAML parse error - {' '.join(str(error).split())}") from error


class XYamlParser(YamlParser):
    media_type = "application/x-yaml"


class TextYamlParser(YamlParser):
    media_type = "text/yaml"


def _refuse_what_grows(body: bytes) -> None:
    depth = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ParseError("YAML parse error - anchors and aliases are not taken")
        if tag := getattr(event, "tag", None):
            raise ParseError(f"YAML parse error - tags such as {tag} are not taken")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ParseError("YAML parse error - nested too deeply")
