"""Credentials in URLs are masked wherever the service writes text of its own: logs, debug pages."""

import logging
import re
from typing import Any

from django.views.debug import SafeExceptionReporterFilter

# To the last @ before the path, since a password may hold one. No part can match in two ways, so
# that the time is linear.
_USER_INFO = re.compile(r"://[^/?#\s]*@")
_PARAMETER = re.compile(r"([?&](?:password|token)=)[^&\s'\"]+", re.IGNORECASE)


def mask_credentials(text: str) -> str:
    """Return `text` without the user names, passwords and tokens of its URLs."""
    return _PARAMETER.sub(r"\1***", _USER_INFO.sub("://***@", text))


class MaskingFormatter(logging.Formatter):
    """Formats a record, with its traceback, without credentials in URLs."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_credentials(super().format(record))


class ExceptionReporterFilter(SafeExceptionReporterFilter):
    """Hides of the settings that a debug page shows also the credentials in URLs."""

    def cleanse_setting(self, key: str | int, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        # Some settings are lazy texts, which no regular expression takes.
        return mask_credentials(str(cleansed)) if isinstance(cleansed, str) else cleansed
