"""Outages that tests make happen."""

from django.db import connection

from tests.threads import at_once

_MILLISECONDS = 5000


def break_connection() -> bool:
    """End this thread's connection to the database from the other side; whether that was done."""
    pid = connection.connection.info.backend_pid

    def end(_: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, %s)", [pid, _MILLISECONDS])
            return bool(cursor.fetchone() == (True,))

    return at_once(1, end) == [True]
