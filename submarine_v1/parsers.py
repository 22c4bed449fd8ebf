"""YAML as a body: plain mappings, lists and values, with nothing that could grow when read."""

from collections.abc import Mapping
from typing import IO, Any

import yaml
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from submarine_site.core import yaml_loader

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
            return yaml_loader.load(body.decode("utf-8-sig"), max_depth=MAX_DEPTH)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ParseError(f"YAML parse error - {' '.join(str(error).split())}") from error


class XYamlParser(YamlParser):
    media_type = "application/x-yaml"


class TextYamlParser(YamlParser):
    media_type = "text/yaml"
