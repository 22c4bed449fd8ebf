"""How fast sessions are admitted, and how fast the pages are, at a site of 10,000 people.

    .venv/bin/python -m benchmarks.quotas

Starts PostgreSQL and Redis of its own; makes 10,000 users, and 1,000 sessions that run
and hold what they need, and limits for each user and for a group that all are in. Then: 20 at once,
each time for another user, without and with a limit of the site's, at whose account all wait for
each other; 50 at once for the same user; and the pages, by requests that go through everything but
the server's socket.
"""

import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import django

from submarine_site.quickstart import ephemeral

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User

PEOPLE = 10_000
RUNNING = 1_000
MANY = 200
"""Of these one person has so many: as many as a page of the API's list may have."""
PROCESSES = 2
"""As many as there are cores; web processes do the same."""
CLIENTS = 10
"""Of each process: that many are asked for at once, and the others wait for one of its threads."""
EACH = 50
"""Admissions that one client asks for, each for a user of its own."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ephemeral.running(Path(folder, "data")) as urls:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "submarine_site.settings.test",
            "DATABASE_URL": urls.database,
            "REDIS_URL": urls.redis,
        }
        _set_up()
        _fill()
        _admissions("without a limit of the site's", 0)
        _limit_site()
        _admissions("with one", 1)
        _same_user()
        _pages()


def _set_up() -> None:
    django.setup()
    # The queue is then the one that the settings name, in this process's memory.
    import_module("submarine_site.celery")


def _fill() -> None:
    # Models are there by now, here and below.
    from django.contrib.auth.models import Group  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection, connections  # noqa: PLC0415

    from accounts.models import User  # noqa: PLC0415
    from notebooks.models import NotebookSession, Run  # noqa: PLC0415
    from quotas.amounts import CPU, MEMORY, SESSIONS  # noqa: PLC0415
    from quotas.models import Limit, Reservation, Scope, session_amounts  # noqa: PLC0415
    from tests.factories import EnvironmentFactory, ProfileFactory  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    small = ProfileFactory.create(name="small")
    version = EnvironmentFactory.create(name="notebook-env").newest
    everyone = Group.objects.create(name="everyone")
    people = User.objects.bulk_create(User(username=f"person-{n:05}") for n in range(PEOPLE))
    User.groups.through.objects.bulk_create(
        User.groups.through(user=person, group=everyone) for person in people
    )
    Limit.objects.bulk_create(
        [
            Limit(resource=SESSIONS, amount=3),
            Limit(resource=CPU, amount=8000),
            Limit(resource=MEMORY, amount=32 * 1024),
            Limit(scope=Scope.GROUP, group=everyone, resource=SESSIONS, amount=5),
        ]
    )
    sessions = [
        NotebookSession(
            owner=owner,
            name=name,
            profile=small,
            environment_version=version,
            status="running",
        )
        for owner, name in [
            *((people[0], f"work {number}") for number in range(MANY)),
            *((person, "work") for person in people[MANY:RUNNING]),
        ]
    ]
    runs = [
        Run(
            session=session,
            number=1,
            profile_name="Small",
            cpu_milli=1000,
            memory_mib=2048,
            gpus=0,
            environment_name="Notebook",
            image="example/notebook:1",
        )
        for session in sessions
    ]
    NotebookSession.objects.bulk_create(sessions)
    Run.objects.bulk_create(runs)
    for session, run in zip(sessions, runs, strict=True):
        session.current_run = run
    NotebookSession.objects.bulk_update(sessions, ["current_run"], batch_size=500)
    Reservation.objects.bulk_create(
        Reservation.of(
            kind=Reservation.Kind.SESSION,
            holder=session.pk,
            part=run.pk,
            user_id=session.owner_id,
            amounts=session_amounts(run.resources, run.accelerator),
        )
        for session, run in zip(sessions, runs, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connections.close_all()


def _people(numbers: Iterable[int]) -> "list[User]":
    from accounts.models import User  # noqa: PLC0415

    names = [f"person-{number:05}" for number in numbers]
    return list(User.objects.filter(username__in=names))


def _ask(owner: "User") -> tuple[float, str]:
    """How long one admission took, in seconds, and what came of it."""
    from notebooks import services  # noqa: PLC0415
    from submarine_site.core.errors import DomainError  # noqa: PLC0415

    began = time.perf_counter()
    try:
        services.create_session(
            owner=owner,
            profile="small",
            environment="notebook-env",
            name=f"session {uuid4().hex[:8]}",
        )
    except DomainError as refusal:
        return time.perf_counter() - began, refusal.code
    return time.perf_counter() - began, "in"


def _limit_site() -> None:
    from quotas.amounts import MEMORY  # noqa: PLC0415
    from quotas.models import Limit, Scope  # noqa: PLC0415

    Limit.objects.create(scope=Scope.SITE, resource=MEMORY, amount=10**9)


def _process(number: int) -> tuple[float, float, list[tuple[float, str]]]:
    """When the threads of one process began and ended, and what each of their requests met."""
    _set_up()
    from submarine_site.asgi import THREADS  # noqa: PLC0415

    with ThreadPoolExecutor(THREADS) as threads, ThreadPoolExecutor(CLIENTS) as clients:

        def ask(person: "User") -> tuple[float, str]:
            began = time.perf_counter()
            _, outcome = threads.submit(_ask, person).result()
            return time.perf_counter() - began, outcome

        list(clients.map(ask, _people(range(CLIENTS))))
        first = RUNNING + number * CLIENTS * EACH
        people = _people(range(first, first + CLIENTS * EACH))
        began = time.time()
        asked = list(clients.map(ask, people))
    return began, time.time(), asked


def _admissions(which: str, turn: int) -> None:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(_process, range(turn * PROCESSES, (turn + 1) * PROCESSES)))
    took = sorted(seconds for _, _, asked in done for seconds, _ in asked)
    span = max(ended for _, ended, _ in done) - min(began for began, _, _ in done)
    outcomes = Counter(outcome for _, _, asked in done for _, outcome in asked)
    print(
        f"{PROCESSES * CLIENTS} at once, different users, {which}: "
        f"{len(took) / span:.0f} admissions/s, "
        f"p50 {1000 * statistics.median(took):.1f} ms, "
        f"p95 {1000 * took[int(len(took) * 0.95)]:.1f} ms, {dict(outcomes)}"
    )


def _same_user() -> None:
    from django.db import connections  # noqa: PLC0415

    [owner] = _people([PEOPLE - 1])

    def ask(_: int) -> tuple[float, str]:
        try:
            return _ask(owner)
        finally:
            connections.close_all()

    began = time.perf_counter()
    with ThreadPoolExecutor(50) as pool:
        outcomes = Counter(outcome for _, outcome in pool.map(ask, range(50)))
    print(
        f"50 at once, the same user: all answered in {time.perf_counter() - began:.2f} s, "
        f"{dict(outcomes)}"
    )


def _pages() -> None:
    from django.test import Client  # noqa: PLC0415

    from accounts.models import User  # noqa: PLC0415
    from accounts.services import create_token  # noqa: PLC0415

    operator = User.objects.create(username="olga", is_staff=True, is_superuser=True)
    for username, paths in (
        ("person-00500", ("/", "/sessions/new", "/quota", "/api/v2/sessions/", "/api/v2/quota/")),
        (
            operator.username,
            (
                "/admin/",
                "/admin/accounts/user/",
                "/admin/auth/group/",
                "/admin/quotas/limit/",
                "/admin/quotas/reservation/",
                "/admin/notebooks/notebooksession/",
            ),
        ),
    ):
        browser = Client()
        browser.force_login(
            User.objects.get(username=username),
            backend="django.contrib.auth.backends.ModelBackend",
        )
        for path in paths:
            _report(browser, path)
    many = User.objects.get(username="person-00000")
    token = create_token(user=many, name="load").secret
    program = Client(headers={"Authorization": f"Bearer {token}"})
    _report(program, "/api/v2/sessions/?page_size=200")


def _report(client: "Client", path: str) -> None:
    status, took = _timed(partial(client.get, path), 30)
    print(
        f"{path}: p50 {1000 * statistics.median(took):.1f} ms, "
        f"worst {1000 * max(took):.1f} ms ({status})"
    )


def _timed(get: Callable[[], Any], times: int) -> tuple[int, list[float]]:
    get()
    took = []
    response = None
    for _ in range(times):
        began = time.perf_counter()
        response = get()
        took.append(time.perf_counter() - began)
    assert response is not None
    return response.status_code, took


if __name__ == "__main__":
    main()
