"""What is answered by the short way is what DRF would answer."""

import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import DateTimeField, Serializer

from notebooks.api.serializers import RunSerializer, SessionSerializer
from notebooks.models import NotebookSession
from submarine_site.core.api import PlainSerializer
from submarine_site.core.renderers import FastJSONRenderer

pytestmark = pytest.mark.django_db


def as_drf_does(serializer: Serializer[Any], record: Any) -> dict[str, Any]:
    return Serializer.to_representation(serializer, record)


@pytest.fixture(params=["requested", "running", "stopped", "failed", "all its own"])
def session(request: pytest.FixtureRequest) -> NotebookSession:
    if request.param != "all its own":
        found: NotebookSession = request.getfixturevalue(request.param)
        return found
    running: NotebookSession = request.getfixturevalue("running")
    running.charged_to = Group.objects.create(name="lab")
    running.last_activity_at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    running.setup = {"variables": {"A": "1"}, "secrets": ["KEY"], "opens": "a.ipynb"}
    assert running.current_run is not None
    running.current_run.setup = {"code": [{"url": "https://example.org/a.git"}]}
    return running


def test_a_session_and_its_run(session: NotebookSession) -> None:
    shown = SessionSerializer().to_representation(session)
    assert shown == as_drf_does(SessionSerializer(), session)
    run = session.current_run
    assert shown["run"] == as_drf_does(RunSerializer(), run)
    assert FastJSONRenderer().render(shown) == JSONRenderer().render(shown)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, 120, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_a_moment(moment: datetime) -> None:
    class Shown(PlainSerializer[Any]):
        at = DateTimeField()

    record = SimpleNamespace(at=moment)
    assert Shown().to_representation(record) == as_drf_does(Shown(), record)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"é": "\u2027", "list": [1, 1.5, True, None]},
        {"message": ErrorDetail("no", code="bad")},
        {"day": datetime(2026, 1, 2, tzinfo=UTC)},
    ],
)
@pytest.mark.parametrize("accepts", ["application/json", "application/json; indent=4"])
def test_json(data: Any, accepts: str) -> None:
    rendered = FastJSONRenderer().render(data, accepts)
    assert rendered == JSONRenderer().render(data, accepts)
    assert data is None or json.loads(rendered) is not None
