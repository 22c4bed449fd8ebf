"""What keeps a session from being placed or its image from being pulled."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from notebooks.backends.contract import Observed, RunKey
from notebooks.backends.kubernetes.api import Api
from notebooks.backends.kubernetes.names import run_labels
from notebooks.backends.kubernetes.observer import Observer
from tests.cluster.admission import on_creation
from tests.cluster.cluster import Administrator, nodes_seen
from tests.cluster.registry import Registry
from tests.cluster.service import OnCluster
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def registry(on: OnCluster) -> Iterator[Registry]:
    registry = Registry()
    with registry.running():
        for name in ("missing", "private", "slow", "policy"):
            on.add_environment(name, registry.image(name))
        yield registry


def test_an_image_that_is_not_to_be_had_is_said_at_once(
    on: OnCluster, demo: Program, registry: Registry
) -> None:
    names = ("missing", "private", "policy")
    sessions = {name: str(demo.create(environment=name)["id"]) for name in names}

    missing, private, policy = (on.await_agreement(each, "failed") for each in sessions.values())

    image = registry.image("missing")
    assert missing["reason"]["code"] == "image_missing"
    assert missing["reason"]["message"] == f"The registry has no image {image}."
    image = registry.image("private")
    assert private["reason"]["code"] == "registry_refused"
    assert private["reason"]["message"] == (
        f"The registry does not give out the image {image}: it is private, or not there."
    )
    assert policy["reason"]["code"] == "policy_refused"
    assert policy["reason"]["message"] == (
        f"The policy “no-latest” does not allow the image {registry.image('policy')}."
    )
    for failed in (missing, private, policy):
        assert failed["run"]["phases"][-1]["phase"] == "pulling_image"


def test_a_session_that_is_deleted_while_its_image_is_pulled_leaves_nothing(
    on: OnCluster, demo: Program, registry: Registry
) -> None:
    session = str(demo.create(environment="slow")["id"])
    wait_until(registry.asked.is_set)
    wait_until(lambda: demo.read(session)["run"]["phases"][-1]["phase"] == "pulling_image")

    assert demo.api("DELETE", f"sessions/{session}/").status_code == 204

    assert demo.api("GET", f"sessions/{session}/").status_code == 404
    registry.go.set()
    on.await_nothing_left()


def test_what_no_machine_can_hold_waits_until_nodes_may_be_seen_and_then_fails(
    on: OnCluster, demo: Program
) -> None:
    session = str(demo.create(environment="server", profile="huge")["id"])
    waits = "Waiting for 4000 CPU: no machine has it free now."
    wait_until(lambda: demo.read(session)["run"]["phases"][-1]["detail"] == waits)

    with nodes_seen(on.admin):
        failed = on.await_agreement(session, "failed")

    assert failed["reason"]["code"] == "unschedulable"
    assert failed["reason"]["message"].startswith("It needs 4000 CPU; the largest machine offers ")


def test_where_nodes_may_not_be_seen_a_place_is_waited_for_up_to_a_limit(
    admin: Administrator, kubeconfig: Path
) -> None:
    run, session = uuid4(), uuid4()
    key = RunKey(session_id=session, run_id=run)
    huge = {"requests": {"cpu": "4000"}}
    container = {"name": "notebook", "image": "submarine/test-server:1", "resources": huge}
    admin.pod(
        f"nb-{run}",
        metadata={"labels": run_labels(key, "elsewhere")},
        containers=[container],
    )
    observer = Observer(Api(kubeconfig=str(kubeconfig)), place_patience=timedelta(seconds=5))

    def look() -> Observed:
        return observer.look(admin.api.get(f"pods/nb-{run}"), [])

    wait_until(lambda: look().phases[-1].detail.startswith("Waiting for 4000 CPU"))
    wait_until(lambda: look().failure_code)
    assert (look().failure_code, look().failure_detail) == (
        "unschedulable",
        "No machine had 4000 CPU free for 5 s. The cluster may have none that is large enough.",
    )
    admin.api.delete(f"pods/nb-{run}", grace_seconds=0)


def test_a_full_namespace_refuses_at_once_until_there_is_room_again(
    on: OnCluster, demo: Program
) -> None:
    with _quota(on.admin, pods="1"):
        first = demo.start(environment="server")

        session = str(demo.create(environment="server")["id"])
        failed = on.await_agreement(session, "failed")

        assert failed["reason"]["code"] == "namespace_full"
        assert failed["reason"]["message"] == (
            "Sessions may use 1 session of this cluster in all; 1 session is in use, "
            "and this one needs 1 session."
        )
        on.await_agreement(first, "running")
    demo.verb(session, "start")
    on.await_agreement(session, "running")


def test_a_full_quota_does_not_keep_people_from_homes_that_they_have(
    on: OnCluster, demo: Program
) -> None:
    session = demo.start(environment="server")
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
    with _quota(on.admin, persistentvolumeclaims="1"):
        demo.verb(session, "start")
        on.await_agreement(session, "running")


@contextmanager
def _quota(admin: Administrator, **hard: str) -> Iterator[None]:
    admin.api.create("resourcequotas", {"metadata": {"name": "full"}, "spec": {"hard": hard}})
    try:
        # It refuses everything until what there is has been counted.
        wait_until(lambda: admin.api.get("resourcequotas/full")["status"].get("used"))
        yield
    finally:
        admin.api.delete("resourcequotas/full")
        wait_until(lambda: "full" not in admin.names("resourcequotas"))


def test_a_policy_of_the_cluster_that_forbids_it_is_named(
    on: OnCluster, demo: Program, tmp_path: Path
) -> None:
    with on_creation(on.admin, "pods", tmp_path, lambda _: "no notebooks on Sundays"):
        session = str(demo.create(environment="server")["id"])
        failed = on.await_agreement(session, "failed")

    assert failed["reason"]["code"] == "policy_refused"
    assert failed["reason"]["message"] == "A policy of the cluster forbids it."
    demo.verb(session, "start")
    on.await_agreement(session, "running")
