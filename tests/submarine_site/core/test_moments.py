"""Times come from the database as they were, in UTC, and by the quick way."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection
from psycopg.postgres import types
from psycopg.pq import Format

from submarine_site.core.moments import QuickLoader

pytestmark = pytest.mark.django_db


def read(time: str) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [time])
        found: datetime = cursor.fetchone()[0]
        return found


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-29 12:18:32.215084+00", datetime(2026, 11, 29, 12, 18, 32, 215084, UTC)),
        ("2026-11-29 12:18:32+00", datetime(2026, 11, 29, 12, 18, 32, tzinfo=UTC)),
        ("2026-11-29 12:18:32.2+00", datetime(2026, 11, 29, 12, 18, 32, 200000, UTC)),
        ("2026-11-29 12:18:32+05:30", datetime(2026, 11, 29, 6, 48, 32, tzinfo=UTC)),
        ("0001-01-01 00:00:00+00", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31 23:59:59.999999+00", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
    ],
)
def test_a_time_is_read_as_it_was_written(time: str, expected: datetime) -> None:
    found = read(time)
    assert (found, found.tzinfo) == (expected, UTC)


@pytest.mark.parametrize("time", ["infinity", "0044-03-15 12:00:00+00 BC", "12000-01-01 00:00+00"])
def test_a_time_that_python_has_not_is_refused(time: str) -> None:
    with pytest.raises(DataError):
        read(time)


def test_connections_read_by_the_quick_way() -> None:
    connection.ensure_connection()
    adapters = connection.connection.adapters
    assert adapters.get_loader(types["timestamptz"].oid, Format.TEXT) is QuickLoader
