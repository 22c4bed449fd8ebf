"""References to images of containers: `[host[:port]/]path[:tag][@digest]`."""

import re
from collections.abc import Iterator
from typing import Any

from submarine_site.core.shapes import Problem

MAX_REFERENCE = 255
NOT_A_REFERENCE = (
    "This is not the reference of an image, such as “registry.example.com:5000/team/notebook:1.0”: "
    "a host and a port if need be, a path in small letters, a tag or a digest, and no “https://”."
)

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# A name without a dot or a port is the first part of a path.
_HOST = (
    rf"(?P<host>(?:localhost|{_LABEL}(?:\.{_LABEL})+|\[[0-9A-Fa-f:]{{2,39}}\])(?::(?P<port>[0-9]+))?"
    rf"|{_LABEL}:(?P<only_port>[0-9]+))"
)
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?"
    rf"(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?"
)
_MAX_PORT = 65535


def is_image_reference(text: str) -> bool:
    """Whether this names an image as container runtimes take it."""
    found = _REFERENCE.fullmatch(text) if len(text) <= MAX_REFERENCE else None
    if found is None:
        return False
    port = int(found["port"] or found["only_port"] or "1")
    # A path of 64 hexadecimal digits is taken for an id.
    is_id = found["host"] is None and re.fullmatch("[0-9a-f]{64}", found["path"])
    return 0 < port <= _MAX_PORT and not is_id


def image_reference(value: Any, path: str) -> Iterator[Problem]:
    """Check a value of JSON or of a setting."""
    if not isinstance(value, str) or not is_image_reference(value):
        yield Problem(path, NOT_A_REFERENCE)
