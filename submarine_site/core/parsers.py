"""How the body of a request to the API is read."""

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class BoundedJSONParser(JSONParser):
    """JSON within Django's limit for bodies, which DRF's own parser reads past."""

    def parse(
        self,
        stream: IO[Any],  # noqa: ARG002
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Parse the body. Raises `RequestDataTooBig`, or `ParseError`."""
        assert parser_context is not None
        body = BytesIO(parser_context["request"].body)
        try:
            return super().parse(body, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
