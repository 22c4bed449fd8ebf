"""kill -9 of what starts sessions, at the very moments at which it matters, and tasks run twice."""

from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.admission import on_creation, on_deletion
from tests.cluster.service import OnCluster
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(240)]


def test_a_start_survives_a_worker_that_died_between_secret_and_pod(
    on: OnCluster, demo: Program, tmp_path: Path
) -> None:
    found: list[set[str]] = []

    def die_at_first(pod: dict[str, Any]) -> str:
        if found:
            return ""
        found.append(on.ours()["secrets"])
        on.service.kill("worker")
        return "its worker is gone"

    with on_creation(on.admin, "pods", tmp_path, die_at_first):
        session = str(demo.create(environment="server")["id"])
        running = on.await_agreement(session, "running")

    assert found == [{f"nb-{running['run']['id']}"}]
    assert running["run"]["number"] == 1


def test_a_start_survives_a_worker_that_died_between_making_the_pod_and_knowing_it(
    on: OnCluster, demo: Program, tmp_path: Path
) -> None:
    frozen: list[psutil.Process] = []

    def freeze_at_first(pod: dict[str, Any]) -> str:
        if not frozen:
            worker = psutil.Process(on.service.pid("worker"))
            frozen.extend([worker, *worker.children(recursive=True)])
            for process in frozen:
                process.suspend()
        return ""

    with on_creation(on.admin, "pods", tmp_path, freeze_at_first):
        session = str(demo.create(environment="server")["id"])
        # The answer that there is a pod now waits for one that will never read it.
        uid = on.uid_of(session)
        on.service.kill("worker")
        running = on.await_agreement(session, "running")

    assert on.uid_of(session) == uid
    assert running["run"]["number"] == 1


def test_a_stop_survives_a_worker_that_died_between_secret_and_pod(
    on: OnCluster, demo: Program, tmp_path: Path
) -> None:
    session = demo.start(environment="server")
    left: list[dict[str, set[str]]] = []

    def die_at_first(pod: dict[str, Any]) -> str:
        if left:
            return ""
        left.append(on.objects_of(session))
        on.service.kill("worker")
        return "its worker is gone"

    with on_deletion(on.admin, "pods", tmp_path, die_at_first):
        demo.verb(session, "stop")
        stopped = on.await_agreement(session, "stopped")

    # What is there without a pod is not found by those who look at pods.
    assert left == [{"pods": {f"nb-{stopped['run']['id']}"}, "secrets": set()}]


def test_starts_survive_the_end_of_the_watcher(on: OnCluster, demo: Program) -> None:
    sessions = [str(demo.create(environment="server")["id"]) for _ in range(3)]

    on.service.kill("watcher")

    for session in sessions:
        assert on.await_agreement(session, "running")["run"]["number"] == 1


def test_tasks_that_are_delivered_twice_change_nothing(on: OnCluster, demo: Program) -> None:
    session = str(demo.create(environment="server")["id"])
    first_run = demo.read(session)["run"]["id"]
    _deliver(on, "launch")
    on.await_agreement(session, "running")
    uid = on.uid_of(session)

    _deliver(on, "launch")
    assert on.uid_of(session) == uid

    demo.verb(session, "stop")
    _deliver(on, "halt", session, first_run)
    on.await_agreement(session, "stopped")
    _deliver(on, "launch")
    _deliver(on, "halt", session, first_run)
    on.await_agreement(session, "stopped")

    demo.verb(session, "start")
    second = on.await_agreement(session, "running")
    uid = on.uid_of(session)
    _deliver(on, "halt", session, first_run)
    _deliver(on, "launch")
    on.await_look()
    assert on.await_agreement(session, "running") == second
    assert on.uid_of(session) == uid


# While the worker is at the session, others are told to come again.
DELIVERY = """
from notebooks import tasks
from submarine_site.core.outside import BackendUnavailable
for _ in range(2):
    tasks.{task}.delay(*{ids!r})
for _ in range(1000):
    try:
        tasks.{task}.apply({ids!r}).get()
        break
    except BackendUnavailable:
        pass
else:
    raise RuntimeError("it was never done")
"""


def _deliver(on: OnCluster, task: str, *ids: str) -> None:
    """Have a task run twice by the worker, and once more here so that it has been done."""
    on.manage(
        *("shell", "-c"),
        DELIVERY.format(task=task, ids=ids),
    )
    wait_until(lambda: on.redis.llen("celery") == 0)
