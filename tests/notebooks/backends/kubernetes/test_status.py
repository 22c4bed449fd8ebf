"""What a pod says of a run: its state, address, exit code and end."""

from uuid import UUID

import pytest

from notebooks.backends.contract import RunKey, RunState
from notebooks.backends.kubernetes.nodes import NodeCapacity, node_capacity
from notebooks.backends.kubernetes.status import is_unschedulable
from tests.notebooks.backends.kubernetes.recordings import Recording, recording

IMAGE = "registry.example/notebook:1"


def test_the_run_is_told_by_its_labels() -> None:
    assert recording("ready").seen().key == RunKey(
        session_id=UUID("3dbfa1a0-281b-5f7e-bf58-1e73678f1669"),
        run_id=UUID("0b139740-8567-5383-a7da-01797829f10a"),
    )


def test_a_pod_that_is_ready_is_ready_at_its_address() -> None:
    seen = recording("ready").seen()
    assert (seen.state, seen.address) == (RunState.READY, "http://10.1.0.12:8888")


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert recording("ready").with_pod(podIP="fd00::12").seen().address == "http://[fd00::12]:8888"


def test_a_server_that_passed_its_startup_probe_is_ready_before_the_pod_is() -> None:
    seen = recording("ready").with_condition("Ready", "False", reason="ContainersNotReady")
    seen = seen.with_condition("ContainersReady", "False", reason="ContainersNotReady")
    assert seen.seen(after=5).state is RunState.READY


def test_a_sidecar_that_ended_does_not_keep_the_server_from_being_ready() -> None:
    seen = recording("sidecar").seen()
    assert (seen.state, seen.address) == (RunState.READY, "http://10.1.0.31:8888")


def test_a_server_that_does_not_answer_yet_is_starting_and_has_no_address() -> None:
    seen = recording("never_answers").seen()
    assert (seen.state, seen.address, seen.waits) == (RunState.STARTING, "", False)


def test_a_pod_of_which_nothing_is_known_yet_is_starting() -> None:
    seen = (
        recording("ready")
        .without()
        .with_pod(conditions=[], containerStatuses=[], phase="Pending", podIP="")
    )
    assert (seen.seen().state, seen.seen().waits) == (RunState.STARTING, False)


def test_a_pod_that_is_being_deleted_is_stopping() -> None:
    assert recording("ready").deleted(at=60).seen().state is RunState.STOPPING


def test_a_pod_that_had_ended_and_is_being_deleted_is_stopping() -> None:
    assert recording("exit_1").deleted(at=60).seen().state is RunState.STOPPING


@pytest.mark.parametrize(
    ("name", "exit_code"), [("exit_0", 0), ("exit_1", 1), ("oom_running", -9), ("bad_command", 128)]
)
def test_the_exit_code_is_as_subprocess_gives_it(name: str, exit_code: int) -> None:
    seen = recording(name).seen()
    assert (seen.state, seen.exit_code) == (RunState.EXITED, exit_code)


@pytest.mark.parametrize(
    ("of_container", "exit_code"), [(143, -15), (128, 128), (192, -64), (193, 193), (255, 255)]
)
def test_what_is_above_128_is_a_signal_if_there_is_such_a_signal(
    of_container: int, exit_code: int
) -> None:
    seen = recording("exit_1")
    seen.pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] = of_container
    assert seen.seen().exit_code == exit_code


def test_an_entrypoint_that_finds_no_command_shows_that_the_image_is_unfit() -> None:
    seen = recording("exit_1")
    seen.pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] = 127
    assert (seen.seen().exit_code, seen.seen().failure_code) == (127, "image_unfit")


@pytest.mark.parametrize("name", ["exit_0", "exit_1"])
def test_of_a_plain_exit_the_code_says_all(name: str) -> None:
    seen = recording(name).seen()
    assert (seen.failure_code, seen.failure_detail) == ("", "")


@pytest.mark.parametrize(
    ("name", "code", "detail"),
    [
        (
            "oom_at_start",
            "out_of_memory",
            "It used all of its 64 MiB of memory, and the system ended it.",
        ),
        (
            "oom_running",
            "out_of_memory",
            "It used all of its 64 MiB of memory, and the system ended it.",
        ),
        (
            "bad_command",
            "image_unfit",
            f"The image {IMAGE} has no command to start Jupyter with: it needs `jupyter lab`.",
        ),
        (
            "bad_workdir",
            "image_unfit",
            f"The image {IMAGE} cannot be run as images are run here.",
        ),
        ("init_failed", "preparation_failed", "The step “code” ended with exit code 128."),
        (
            "disk_limit_evicted",
            "out_of_disk",
            "It filled its 20 MiB of scratch space.",
        ),
        (
            "volume_limit_evicted",
            "out_of_disk",
            "It filled its 10 MiB of scratch space.",
        ),
        ("preempted", "preempted", "Work of higher priority needed its place."),
        (
            "node_lost_running",
            "node_lost",
            "The machine that it ran on stopped answering or was taken out of service.",
        ),
        (
            "node_lost_starting",
            "node_lost",
            "The machine that it ran on stopped answering or was taken out of service.",
        ),
    ],
)
def test_an_end_has_its_cause(name: str, code: str, detail: str) -> None:
    seen = recording(name).seen()
    assert (seen.state, seen.failure_code, seen.failure_detail) == (RunState.EXITED, code, detail)


# After kubelet's pkg/kubelet/eviction/helpers.go and eviction_manager.go, and its other rejections.
@pytest.mark.parametrize(
    ("reason", "message", "code", "detail"),
    [
        (
            "Evicted",
            (
                "The node was low on resource: memory. Container notebook was using 5Gi, "
                "which exceeds its request of 1Gi. "
            ),
            "evicted",
            "The machine that it ran on was short of memory.",
        ),
        (
            "Evicted",
            (
                "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, "
                "available: 9Gi. Container notebook was using 40Ki, request is 0, has larger "
                "consumption of ephemeral-storage. "
            ),
            "evicted",
            "The machine that it ran on was short of disk space.",
        ),
        (
            "Evicted",
            "The node had condition: [DiskPressure]. ",
            "evicted",
            "The machine that it ran on was short of disk space.",
        ),
        (
            "Evicted",
            'Container notebook exceeded its local ephemeral storage limit "1Gi". ',
            "out_of_disk",
            "It filled its 1.0 GiB of scratch space.",
        ),
        (
            "Preempting",
            "Preempted in order to admit critical pod",
            "preempted",
            "Work of higher priority needed its place.",
        ),
        (
            "Terminated",
            "Pod was terminated in response to imminent node shutdown.",
            "node_lost",
            "The machine that it ran on was shut down.",
        ),
        (
            "OutOfcpu",
            "Pod Node didn't have enough resource: cpu, requested: 1000, used: 1900, capacity: 2",
            "machine_failed",
            "The machine that was chosen for it did not take it.",
        ),
    ],
)
def test_a_machine_that_ends_a_pod_says_why(
    reason: str, message: str, code: str, detail: str
) -> None:
    seen = recording("disk_limit_evicted").with_pod(reason=reason, message=message).seen()
    assert (seen.state, seen.failure_code, seen.failure_detail) == (RunState.EXITED, code, detail)


# After the API's list of reasons of the condition DisruptionTarget, of 1.26 and later.
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("PreemptionByScheduler", "preempted"),
        ("DeletionByTaintManager", "node_lost"),
        ("EvictionByEvictionAPI", "evicted"),
        ("SomethingNew", "evicted"),
    ],
)
def test_a_pod_that_the_cluster_takes_away_has_ended(reason: str, code: str) -> None:
    seen = recording("ready").with_condition("DisruptionTarget", "True", reason=reason)
    seen = seen.deleted(at=60)
    assert (seen.seen().state, seen.seen().failure_code) == (RunState.EXITED, code)


def test_a_pod_that_was_to_be_taken_away_and_was_not_goes_on() -> None:
    seen = recording("ready").with_condition(
        "DisruptionTarget", "True", reason="EvictionByEvictionAPI"
    )
    assert seen.seen().state is RunState.READY


def test_a_pod_whose_node_is_silent_is_ready_for_a_minute() -> None:
    silent = recording("node_silent")
    # The condition changed 44 s after the pod was made.
    assert silent.seen(after=103).state is RunState.READY
    lost = silent.seen(after=104)
    assert (lost.state, lost.failure_code) == (RunState.EXITED, "node_lost")


def test_a_pod_waits_for_a_place_where_the_scheduler_found_none() -> None:
    assert is_unschedulable(recording("cpu_never_fits").pod)
    assert not is_unschedulable(recording("ready").pod)


DELETED = "Its pod was deleted by somebody or something else than this service."
CORDONED = "The machine that it ran on is cordoned: an operator or the cluster clears it."
LOST = "The machine that it ran on stopped answering or was taken out of service."


def on_node(name: str = "n1", *, taint: str = "", cordoned: bool = False) -> list[NodeCapacity]:
    """What the API says of one node."""
    taints = [{"key": taint, "effect": "NoSchedule"}] if taint else []
    spec = {"taints": taints, **({"unschedulable": True} if cordoned else {})}
    return [node_capacity({"metadata": {"name": name}, "spec": spec, "status": {}})]


def deleted() -> Recording:
    """A pod that ran on node n1, whose deletion with 30 s of grace was requested at 60 s."""
    seen = recording("ready").deleted(at=60, grace=30)
    seen.pod["spec"]["nodeName"] = "n1"
    return seen


def test_why_a_pod_is_deleted_is_waited_for_a_little() -> None:
    early, late = deleted().seen(after=62), deleted().seen(after=63)
    for seen in (early, late):
        assert (seen.state, seen.failure_code) == (RunState.STOPPING, "server_lost")
        assert seen.failure_detail == DELETED
    assert (early.waits, late.waits) == (True, False)


@pytest.mark.parametrize(
    ("node", "code", "message"),
    [
        (on_node(cordoned=True), "evicted", CORDONED),
        (on_node(taint="ToBeDeletedByClusterAutoscaler"), "evicted", CORDONED),
        (on_node(taint="karpenter.sh/disrupted"), "evicted", CORDONED),
        ([], "node_lost", LOST),
        (on_node(), "server_lost", DELETED),
        (on_node(taint="gpu"), "server_lost", DELETED),
        (on_node("n2", cordoned=True), "server_lost", DELETED),
        (None, "server_lost", DELETED),
    ],
)
def test_a_pod_that_is_deleted_is_judged_by_its_node(
    node: list[NodeCapacity] | None, code: str, message: str
) -> None:
    seen = deleted().seen(after=70, nodes=node)
    assert (seen.failure_code, seen.failure_detail) == (code, message)
    assert seen.state is (RunState.STOPPING if code == "server_lost" else RunState.EXITED)


def test_a_cordoned_node_ends_nothing_by_itself() -> None:
    seen = recording("ready").seen(nodes=on_node(cordoned=True))
    assert (seen.state, seen.failure_code) == (RunState.READY, "")


def test_what_says_more_than_the_node_goes_first() -> None:
    seen = deleted().with_event("Preempted", "Preempted by another", first=60)
    assert seen.seen(after=61, nodes=on_node(cordoned=True)).failure_code == "preempted"
