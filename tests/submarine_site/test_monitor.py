"""The task monitor: who may see it, and what of Flower is passed on."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from tests.conftest import browser_of
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Flower:
    """Answers everything, and keeps what it was asked."""

    asked: list[str] = field(default_factory=list)
    status: int = 200

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        return web.Response(
            status=self.status,
            text="of Flower",
            headers={"Location": "/elsewhere", "Set-Cookie": "_xsrf=1", "ETag": '"1"'},
        )


@pytest.fixture
def flower(tmp_path: Path, settings) -> Iterator[Flower]:
    settings.MONITOR_SOCKET = str(tmp_path / "flower.sock")
    flower = Flower()
    loop = asyncio.new_event_loop()
    listening, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        runner = web.ServerRunner(web.Server(flower.answer))
        await runner.setup()
        await web.UnixSite(runner, settings.MONITOR_SOCKET).start()
        listening.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert listening.wait(30)
    yield flower
    loop.call_soon_threadsafe(ended.set)
    thread.join(30)
    loop.close()


def staff(*codenames: str) -> Client:
    user = UserFactory.create(username="stan", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return browser_of(user)


@pytest.fixture
def viewer() -> Client:
    return staff("view_task_monitor")


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("", "GET"),
        ("workers?json=1", "GET"),
        ("tasks", "GET"),
        ("tasks/datatable?draw=1", "POST"),
        ("task/5a8a3ea1-1111-4444-9999-aaaaaaaaaaaa", "GET"),
        ("static/css/flower.css?v=1", "GET"),
        ("static/js/flower.js", "GET"),
        ("static/favicon.ico", "GET"),
    ],
)
def test_lists_of_workers_and_tasks_are_passed_on(
    flower: Flower, viewer: Client, path: str, method: str
) -> None:
    response = viewer.generic(method, f"/admin/monitor/{path}")
    assert (response.status_code, response.text) == (200, "of Flower")
    assert flower.asked == [f"{method} /admin/monitor/{path}"]
    assert response["ETag"] == '"1"'
    assert "Location" not in response
    assert "_xsrf" not in response.cookies


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("worker/celery@host", "GET"),
        ("broker", "GET"),
        ("api/workers", "GET"),
        ("api/task/info/1", "GET"),
        ("api/queues/length", "GET"),
        ("api/worker/shutdown/celery@host", "POST"),
        ("api/task/async-apply/notebooks.tasks.halt", "POST"),
        ("metrics", "GET"),
        ("healthcheck", "GET"),
        ("login", "GET"),
        ("workers", "POST"),
        ("workers/", "GET"),
        ("tasks/../worker/celery@host", "GET"),
        ("tasks%2F..%2Fbroker", "GET"),
        ("task/..%2Fbroker", "GET"),
        ("task/%2E%2E/broker", "GET"),
        ("static/css/../../broker", "GET"),
        ("static/js/..%2F..%2Fbroker", "GET"),
        ("static/js/.%2E", "GET"),
        ("workers%3Fjson=1", "GET"),
        ("workers%0a", "GET"),
        ("/broker", "GET"),
    ],
)
def test_nothing_else_is_passed_on(flower: Flower, viewer: Client, path: str, method: str) -> None:
    response = viewer.generic(method, f"/admin/monitor/{path}")
    assert response.status_code in {403, 404}
    assert "of Flower" not in response.text
    assert flower.asked == []


def test_an_error_of_flower_is_not_shown(flower: Flower, viewer: Client) -> None:
    # Its page of an error holds Celery's configuration.
    flower.status = 500
    response = viewer.get("/admin/monitor/tasks")
    assert response.status_code == 503
    assert "of Flower" not in response.text


def test_the_monitor_takes_a_right_of_its_own(flower: Flower) -> None:
    browser = staff("view_notebooksession", "view_limit", "change_limit")
    assert browser.get("/admin/monitor/tasks").status_code == 403
    assert flower.asked == []
    page = browser.get("/admin/").text
    assert "tasks that no worker has taken yet" in page
    assert "/admin/monitor/" not in page
    user = User.objects.get(username="stan")
    user.user_permissions.add(Permission.objects.get(codename="view_task_monitor"))
    assert browser.get("/admin/monitor/tasks").status_code == 200
    assert browser.get("/admin/").text.count("/admin/monitor/") == 2
    User.objects.filter(pk=user.pk).update(is_staff=False)
    assert browser.get("/admin/monitor/tasks").status_code == 403


def test_superusers_have_it(flower: Flower, operator: User) -> None:
    assert browser_of(operator).get("/admin/monitor/tasks").status_code == 200
