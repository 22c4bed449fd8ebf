"""ETags of the API (RFC 9110, 8.8.3), and the version that `If-Match` compares.

The tag of a read is `"VERSION-REPRESENTATION"`, that of a change `"VERSION"`. `If-Match` compares
the version, which changes only with what people change, so that a session that merely started does
not refuse an edit. `If-None-Match` compares all of it, so that a cache never keeps a representation
that differs.
"""

import hashlib
from datetime import datetime

from django.utils.http import parse_etags

from submarine_site.core.errors import DomainError


def etag_of(changed_at: datetime) -> str:
    """Return the tag of a record that last changed at this time."""
    return f'"{changed_at.timestamp():.6f}"'


def digest_tag(*values: object) -> str:
    """Return the tag of a record of which these values change."""
    return f'"{hashlib.sha256(repr(values).encode()).hexdigest()[:32]}"'


def with_representation(etag: str, content: bytes) -> str:
    """Return the tag of one representation of the record that has this tag, if it has one."""
    return f'"{version_of(etag)}-{hashlib.sha256(content).hexdigest()[:16]}"'


def version_of(etag: str) -> str:
    """Return the part of a tag that `If-Match` compares."""
    return etag.strip('"').partition("-")[0]


def refuse_changed(what: str, etag: str, expected: str) -> None:
    """Raise `DomainError` with `changed_meanwhile` unless the version is one of those expected.

    `expected` is the value of `If-Match`: `*` is any, and a weak tag is none. Empty: no condition.
    """
    if not expected:
        return
    tags = parse_etags(expected)
    versions = {version_of(tag) for tag in tags if not tag.startswith("W/")}
    if version_of(etag) not in versions and tags != ["*"]:
        raise DomainError(
            f"This {what} has been changed meanwhile. Look at it as it is now, then change it.",
            code="changed_meanwhile",
            status=412,
        )
