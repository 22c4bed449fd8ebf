"""What a worker does when it starts."""

import pytest
from django.db import connection

from notebooks.models import RunBaseline
from notebooks.states import SessionStatus as S
from submarine_site.celery import note_baseline
from tests.factories import SessionFactory
from tests.sessions import run_of


@pytest.mark.django_db(transaction=True)
def test_a_worker_notes_the_newest_run_and_hands_on_no_connection() -> None:
    SessionFactory.create(status=S.STOPPED)
    newest = run_of(SessionFactory.create(status=S.STOPPED))
    note_baseline()
    assert connection.connection is None
    assert getattr(connection, "_connection_pools", {}) == {}
    assert RunBaseline.objects.get().newest_run_at == newest.created_at
