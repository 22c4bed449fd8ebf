"""Credentials in URLs are masked in logs and on debug pages."""

import logging

import pytest
from django.conf import settings
from django.views.debug import get_default_exception_reporter_filter

from submarine_site.core.credentials_in_urls import MaskingFormatter, mask_credentials


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("redis://u:secret@h:1/0 is away", "redis://***@h:1/0 is away"),
        ("redis+socket://:se@cret@/p/r.sock", "redis+socket://***@/p/r.sock"),
        ("postgres://secret@h/db", "postgres://***@h/db"),
        ("postgres:///db?password=secret&host=/s", "postgres:///db?password=***&host=/s"),
        ("'https://bot:secret@i/simple','https://x/'", "'https://***@i/simple','https://x/'"),
        ("https://h/a@b?c=d@e://f", "https://h/a@b?c=d@e://f"),
        ("https://h/?Token=secret", "https://h/?Token=***"),
        ("no URL, a@b", "no URL, a@b"),
    ],
)
def test_user_information_is_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_credentials(text) == masked


def test_the_logs_of_the_service_are_masked_with_their_tracebacks() -> None:
    formatter = settings.LOGGING["formatters"]["plain"]
    assert formatter["()"].endswith(MaskingFormatter.__qualname__)
    assert {each["formatter"] for each in settings.LOGGING["handlers"].values()} == {"plain"}
    error = ValueError("redis://u:secret@h/0")
    exc_info = (ValueError, error, None)
    record = logging.LogRecord(
        "x", logging.ERROR, "x", 1, "at %s", ("https://u:secret@h",), exc_info
    )
    text = MaskingFormatter(formatter["format"]).format(record)
    assert text == "ERROR x: at https://***@h\nValueError: redis://***@h/0"


def test_a_debug_page_shows_no_credentials(settings) -> None:
    settings.REDIS_URL = "redis://u:planted@h/0"
    settings.CELERY_BROKER_URL = settings.REDIS_URL
    settings.BUILDS = {"indexes": ("https://bot:planted@i/simple",)}
    settings.EMAIL_HOST_PASSWORD = "planted"
    shown = get_default_exception_reporter_filter().get_safe_settings()
    assert shown["REDIS_URL"] == "redis://***@h/0"
    assert shown["BUILDS"] == {"indexes": ("https://***@i/simple",)}
    assert "planted" not in str(shown)
