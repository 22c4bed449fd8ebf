"""ETags of what people change, and the condition under which they do (RFC 9110, 13.1.1)."""

from datetime import datetime

from django.utils.http import parse_etags

from submarine_site.core.errors import DomainError


def etag_of(changed_at: datetime) -> str:
    """Name the state that it is in since then, as HTTP wants it."""
    return f'"{changed_at.timestamp():.6f}"'


def refuse_changed(what: str, etag: str, expected: str) -> None:
    """Raise `DomainError` with `changed_meanwhile` unless the etag is one of those expected.

    `expected` is as `If-Match` has it: `*` is any, and a weak one is none. Empty: all will do.
    """
    if not expected:
        return
    wanted = parse_etags(expected)
    if etag not in wanted and wanted != ["*"]:
        raise DomainError(
            f"This {what} has been changed meanwhile. Look at it as it is now, then change it.",
            code="changed_meanwhile",
            status=412,
        )
