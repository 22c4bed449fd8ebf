"""Records that are saved in one statement are all there, or none is."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from notebooks.models import NotebookSession, Run, SessionEvent
from submarine_site.core.together import insert_together
from tests.factories import SessionFactory

pytestmark = pytest.mark.django_db(transaction=True)


def records(like: NotebookSession, name: str) -> tuple[NotebookSession, Run, SessionEvent]:
    """A session, its run and an event, unsaved; they refer to each other."""
    session = NotebookSession(
        owner=like.owner,
        name=name,
        profile=like.profile,
        environment_version=like.environment_version,
        setup={"opens": "notes.ipynb"},
    )
    run = Run(session=session, number=1, cpu_milli=1, memory_mib=2, gpus=0, image="some/image:1")
    session.current_run = run
    return session, run, SessionEvent(session=session, run=run, message="Created.")


def test_they_are_saved_in_one_statement_as_each_would_be_alone() -> None:
    made = records(SessionFactory.create(), "thesis")
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        insert_together(*made)
    assert len([each for each in queries if "INSERT" in each["sql"]]) == 1
    session, run, event = made
    read = NotebookSession.objects.select_related("current_run").get(pk=session.pk)
    assert (read.current_run, read.setup) == (run, {"opens": "notes.ipynb"})
    assert (read.created_at, read.idempotency_key) == (session.created_at, None)
    assert SessionEvent.objects.get(session=session).message == event.message == "Created."


def test_what_was_saved_can_be_changed() -> None:
    session, run, event = records(SessionFactory.create(), "thesis")
    insert_together(session, run, event)
    session.name = "novel"
    session.save()
    assert NotebookSession.objects.get(pk=session.pk).name == "novel"


def test_none_is_saved_where_one_cannot_be() -> None:
    there = SessionFactory.create()
    made = records(there, there.name)
    with pytest.raises(IntegrityError):
        insert_together(*made)
    assert not Run.objects.filter(pk=made[1].pk).exists()
    assert NotebookSession.objects.count() == 1
