"""What others do to pods and Secrets in our namespace, and what pods do by themselves."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from notebooks.reconciler import ORPHAN_GRACE
from tests.cluster.admission import on_creation
from tests.cluster.cluster import Administrator
from tests.cluster.service import OnCluster
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(240)]


def test_a_running_pod_that_was_deleted_behind_our_back_has_failed_and_says_so(
    on: OnCluster, demo: Program
) -> None:
    session = demo.start(environment="server")

    on.admin.api.delete(f"pods/{on.await_pod(session)['metadata']['name']}")

    failed = on.await_agreement(session, "failed")
    assert failed["reason"]["code"] == "server_lost"
    assert failed["reason"]["message"] == "The notebook server is gone; it left no word why."
    demo.verb(session, "start")
    on.await_agreement(session, "running")


def test_a_starting_pod_that_was_deleted_behind_our_back_is_made_anew(
    on: OnCluster, demo: Program
) -> None:
    session = str(demo.create(environment="silent")["id"])
    pod = on.await_pod(session)

    on.admin.api.delete(f"pods/{pod['metadata']['name']}", grace_seconds=0)

    anew = on.await_pod(session, other_than=pod["metadata"]["uid"])
    assert anew["metadata"]["name"] == pod["metadata"]["name"]
    assert demo.wait_for(session, "starting")["run"]["number"] == 1
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


def test_a_run_without_a_row_is_ended_after_the_grace_and_logged(
    on: OnCluster, admin: Administrator, demo: Program
) -> None:
    session, run = uuid4(), uuid4()
    labels = {
        "submarine-notebooks/installation": "default",
        "submarine-notebooks/session": str(session),
        "submarine-notebooks/run": str(run),
    }
    admin.pod(f"nb-{run}", metadata={"labels": labels})
    admin.api.create("secrets", {"metadata": {"name": f"nb-{run}", "labels": labels}})
    met = f"orphan:{run}"
    wait_until(lambda: on.redis.get(met))
    on.await_look()
    assert f"nb-{run}" in admin.names("pods") & admin.names("secrets")

    # As if it had been met for the first time a minute more than the grace ago.
    long_ago = timezone.now() - ORPHAN_GRACE - timedelta(minutes=1)
    on.redis.set(met, long_ago.isoformat(), ex=600)

    on.await_nothing_left()
    assert f"run {run} belongs to no session: ending it" in on.log


def test_an_image_whose_process_ends_shows_its_code_and_last_lines(
    on: OnCluster, demo: Program
) -> None:
    session = str(demo.create(environment="broken")["id"])

    failed = on.await_agreement(session, "failed")

    assert failed["reason"]["code"] == "server_exited"
    assert failed["reason"]["message"] == "Jupyter ended before it answered: exit code 1."
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
