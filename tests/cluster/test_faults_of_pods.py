"""What others do to pods and Secrets in our namespace, and what pods do by themselves."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.admission import on_creation
from tests.cluster.cluster import Administrator, nodes_seen
from tests.cluster.service import GONE_SECONDS, OnCluster
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(240)]


def test_a_running_pod_that_was_deleted_behind_our_back_has_failed_and_says_so(
    on: OnCluster, demo: Program
) -> None:
    session = demo.start(environment="server")

    on.admin.api.delete(f"pods/{on.await_pod(session)['metadata']['name']}")

    failed = on.await_agreement(session, "failed")
    assert failed["reason"]["code"] == "server_lost"
    assert failed["reason"]["message"] == (
        "Its pod was deleted by somebody or something else than this service."
    )
    demo.verb(session, "start")
    on.await_agreement(session, "running")


def test_a_pod_that_ends_for_long_is_not_shown_as_running(on: OnCluster, demo: Program) -> None:
    session = demo.start(environment="stubborn")
    name = on.await_pod(session)["metadata"]["name"]

    on.admin.api.delete(f"pods/{name}", grace_seconds=60)

    failed = demo.wait_for(session, "failed")
    assert failed["reason"]["code"] == "server_lost"
    assert on.shown(session) == "failed"
    # It has not ended: that is told before.
    pod = on.admin.api.get(f"pods/{name}")
    assert "running" in pod["status"]["containerStatuses"][0]["state"]
    on.admin.api.delete(f"pods/{name}", grace_seconds=0)


def evict(on: OnCluster, name: str) -> None:
    """As `kubectl drain` does."""
    on.admin.api._json(
        "POST",
        f"pods/{name}/eviction",
        {},
        {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": name}},
    )


def test_a_session_on_a_node_that_is_drained_is_started_again_elsewhere(
    on: OnCluster, demo: Program
) -> None:
    session = demo.start(environment="server")
    name = on.await_pod(session)["metadata"]["name"]
    with nodes_seen(on.admin):
        on.service.kill("watcher")
        on.service.kill("worker")
        on.await_look()
        on.admin.api.merge("nodes/test-node", {"spec": {"unschedulable": True}})
        try:
            evict(on, name)
            wait_until(lambda: demo.read(session)["run"]["number"] == 2)
            [started, failed] = [
                each
                for each in demo.api("GET", f"sessions/{session}/events/").json()["results"]
                if each["code"] == "evicted"
            ]
            cordoned = (
                "The machine that it ran on is cordoned: an operator or the cluster clears it."
            )
            assert (failed["to_status"], failed["message"]) == ("failed", cordoned)
            assert (started["to_status"], started["message"]) == (
                "requested",
                f"{cordoned} It is started again.",
            )
        finally:
            on.admin.api.merge("nodes/test-node", {"spec": {"unschedulable": None}})
        on.await_agreement(session, "running")


def test_an_eviction_from_a_node_that_stays_is_told_as_a_deletion(
    on: OnCluster, demo: Program
) -> None:
    session = demo.start(environment="server")
    evict(on, on.await_pod(session)["metadata"]["name"])
    failed = on.await_agreement(session, "failed")
    assert failed["reason"]["code"] == "server_lost"
    assert failed["reason"]["message"] == (
        "Its pod was deleted by somebody or something else than this service."
    )


def test_a_starting_pod_that_was_deleted_behind_our_back_is_made_anew(
    on: OnCluster, demo: Program
) -> None:
    session = str(demo.create(environment="silent")["id"])
    pod = on.await_pod(session)

    on.admin.api.delete(f"pods/{pod['metadata']['name']}", grace_seconds=0)

    anew = on.await_pod(session, other_than=pod["metadata"]["uid"])
    assert anew["metadata"]["name"] == pod["metadata"]["name"]
    assert demo.wait_for(session, "starting")["run"]["number"] == 1
    events = demo.api("GET", f"sessions/{session}/events/").json()
    assert [(each["code"], each["message"]) for each in events["results"] if each["code"]] == [
        (
            "start_interrupted",
            "It was removed while it started, and not by this service. It is begun again.",
        )
    ]
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")


def test_pods_without_our_labels_are_left_alone(on: OnCluster, demo: Program) -> None:
    names = {"somebody-else", f"nb-{uuid4()}"}
    for name in names:
        on.admin.pod(name)
    ours = demo.start(environment="server")

    on.await_look()

    assert on.admin.names("pods") == {*names, *on.objects_of(ours)["pods"]}
    for name in names:
        pod = on.admin.api.get(f"pods/{name}")
        assert "deletionTimestamp" not in pod["metadata"]
        on.admin.api.delete(f"pods/{name}", grace_seconds=0)


def test_a_pod_of_anothers_with_the_name_of_ours_is_left_alone(
    on: OnCluster, admin: Administrator, demo: Program, tmp_path: Path
) -> None:
    def be_first(secret: dict[str, dict[str, str]]) -> str:
        if secret["metadata"]["name"].startswith("nb-"):
            admin.pod(secret["metadata"]["name"])
        return ""

    with on_creation(admin, "secrets", tmp_path, be_first):
        session = str(demo.create(environment="server")["id"])
        failed = on.await_agreement(session, "failed")

    name = f"nb-{failed['run']['id']}"
    assert failed["reason"]["code"] == "start_refused"
    assert failed["reason"]["message"] == (
        f"There is something of another's in the cluster under the name {name}."
    )
    on.await_look()
    assert "deletionTimestamp" not in admin.api.get(f"pods/{name}")["metadata"]
    admin.api.delete(f"pods/{name}", grace_seconds=0)
    demo.verb(session, "start")
    on.await_agreement(session, "running")


def test_a_secret_of_anothers_with_the_name_of_ours_is_left_alone(
    on: OnCluster, admin: Administrator, demo: Program
) -> None:
    session = demo.start(environment="server")
    [name] = on.objects_of(session)["secrets"]
    admin.api.delete(f"secrets/{name}")
    admin.api.create("secrets", {"metadata": {"name": name}, "stringData": {"theirs": "kept"}})

    demo.verb(session, "stop")

    on.await_agreement(session, "stopped")
    assert name in admin.names("secrets")
    admin.api.delete(f"secrets/{name}")


FORGET = """
from notebooks.models import NotebookSession, Run, SessionEvent
from quotas.models import Reservation
ids = {ids!r}
Reservation.objects.filter(holder__in=ids).delete()
SessionEvent.objects.filter(session__in=ids).delete()
NotebookSession.objects.filter(pk__in=ids).update(current_run=None)
Run.objects.filter(session__in=ids).delete()
NotebookSession.objects.filter(pk__in=ids).delete()
"""

NOTE_BASELINE = """
from datetime import timedelta
from django.utils import timezone
from notebooks.models import RunBaseline
noted = {{"newest_run_at": timezone.now() + timedelta(hours={hours})}}
RunBaseline.objects.update_or_create(pk=1, defaults=noted)
"""

LET_GRACE_PASS = """
from datetime import timedelta
from django.utils import timezone
from notebooks.models import OrphanedRun
from notebooks.orphans import GRACE
OrphanedRun.objects.update(first_seen_at=timezone.now() - GRACE - timedelta(minutes=1))
"""

DECIDE = """
from accounts.models import User
from notebooks import adoption, orphans
from notebooks.models import OrphanedRun
operator = User.objects.filter(is_superuser=True).first()
adoption.adopt(OrphanedRun.objects.get(session_id={adopted!r}), actor=operator)
removed = OrphanedRun.objects.filter(session_id={removed!r}).values_list("pk", flat=True)
assert orphans.request_removal(list(removed), actor=operator) == 1
"""


def test_sessions_that_a_restored_database_lacks_run_on_until_an_operator_decides(
    on: OnCluster, demo: Program
) -> None:
    # As if workers had been started when there were earlier runs alone.
    on.manage("shell", "-c", NOTE_BASELINE.format(hours=-1))
    known, adopted, removed = (demo.start(environment="server") for _ in range(3))
    uids = {session: on.uid_of(session) for session in (known, adopted, removed)}
    [name] = on.objects_of(adopted)["pods"]

    on.manage("shell", "-c", FORGET.format(ids=[adopted, removed]))
    wait_until(lambda: on.health()["orphaned_runs"] == {"status": "held", "held": 2})
    on.manage("shell", "-c", LET_GRACE_PASS)
    on.await_look()

    for session in (adopted, removed):
        [there] = on.objects_of(session)["pods"]
        pod = on.admin.api.get(f"pods/{there}")
        assert "deletionTimestamp" not in pod["metadata"]
        assert pod["metadata"]["uid"] == uids[session]
        assert on.objects_of(session)["secrets"] == {there}
    assert on.health()["status"] == "degraded"
    assert on.log.count(f"of session {removed} has no row and is left alone") == 1

    on.manage("shell", "-c", DECIDE.format(adopted=adopted, removed=removed))

    wait_until(lambda: not any(on.objects_of(removed).values()), seconds=GONE_SECONDS)
    demo.wait_for(adopted, "running")
    assert (on.uid_of(known), on.uid_of(adopted)) == (uids[known], uids[adopted])
    assert on.objects_of(adopted)["pods"] == {name}
    wait_until(lambda: on.health()["orphaned_runs"] == {"status": "ok", "held": 0})
    for session in (known, adopted):
        demo.verb(session, "stop")
        on.await_gone(session)


def test_a_leftover_without_a_row_is_ended_after_the_grace_and_logged(
    on: OnCluster, admin: Administrator, demo: Program
) -> None:
    # As if workers had been started when there were later runs.
    on.manage("shell", "-c", NOTE_BASELINE.format(hours=1))
    session, run = uuid4(), uuid4()
    labels = {
        "submarine-notebooks/installation": "default",
        "submarine-notebooks/session": str(session),
        "submarine-notebooks/run": str(run),
    }
    admin.pod(f"nb-{run}", metadata={"labels": labels})
    admin.api.create("secrets", {"metadata": {"name": f"nb-{run}", "labels": labels}})
    on.await_look()
    assert f"nb-{run}" in admin.names("pods") & admin.names("secrets")
    assert on.health()["orphaned_runs"] == {"status": "ok", "held": 0}

    on.manage("shell", "-c", LET_GRACE_PASS)

    on.await_nothing_left()
    assert on.log.count(f"run {run} belongs to no session: ending it") == 1


def test_an_image_whose_process_ends_shows_its_code_and_last_lines(
    on: OnCluster, demo: Program
) -> None:
    session = str(demo.create(environment="broken")["id"])

    failed = on.await_agreement(session, "failed")

    assert failed["reason"]["code"] == "server_exited"
    assert failed["reason"]["message"] == "Jupyter ended before it answered: exit code 1."
    # No session has started with this image.
    assert failed["reason"]["mender"] == "operator"
    assert failed["run"]["exit_code"] == 1
    log = demo.api("GET", f"sessions/{session}/logs/").json()["text"]
    assert log == (
        "Reading the configuration.\nModuleNotFoundError: No module named 'jupyter_server'\n"
    )


def test_a_server_that_crashes_has_failed_with_its_exit_code(on: OnCluster, demo: Program) -> None:
    session = demo.start(environment="server")

    demo.jupyter(session, "GET", "log/what-it-said-last")
    demo.jupyter(session, "GET", "end/3")

    failed = on.await_agreement(session, "failed")
    assert failed["reason"]["code"] == "server_crashed"
    assert failed["reason"]["message"] == "Jupyter ended by itself: exit code 3."
    assert failed["run"]["exit_code"] == 3
    log = demo.api("GET", f"sessions/{session}/logs/").json()["text"]
    assert log == "what-it-said-last\n"


def test_a_pod_that_ignores_being_asked_to_end_is_ended(on: OnCluster, demo: Program) -> None:
    session = demo.start(environment="stubborn")
    pod = on.await_pod(session)
    assert pod["spec"]["terminationGracePeriodSeconds"] == 5

    demo.verb(session, "stop")

    on.await_agreement(session, "stopped")
