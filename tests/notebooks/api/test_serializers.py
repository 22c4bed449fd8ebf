"""What is answered by the short way is what DRF would answer."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import Serializer

from notebooks.api.serializers import RunSerializer, SessionSerializer
from notebooks.models import NotebookSession
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
    both: list[tuple[Serializer[Any], Any]] = [
        (SessionSerializer(), session),
        (RunSerializer(), session.current_run),
    ]
    for serializer, record in both:
        shown = FastJSONRenderer().render(serializer.to_representation(record))
        assert shown == JSONRenderer().render(as_drf_does(serializer, record))


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
