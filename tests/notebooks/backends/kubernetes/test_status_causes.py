"""What holds up a launch, for how long it may, and in which words."""

from datetime import timedelta

import pytest

from notebooks.backends.contract import Observed, Phase, RunState
from tests.notebooks.backends.kubernetes.recordings import Recording, nodes, recording

IMAGE = "registry.example/notebook:no-such"


def _waiting(seen: Observed) -> str:
    """What it waits for."""
    assert (seen.state, seen.waits, seen.failure_code) == (RunState.STARTING, True, "")
    return seen.phases[-1].detail


def _failure(seen: Observed) -> tuple[str, str]:
    assert (seen.state, seen.waits) == (RunState.STARTING, False)
    return seen.failure_code, seen.failure_detail


# A place


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("cpu_never_fits", "It needs 64 CPU; the largest machine offers 2 CPU."),
        (
            "memory_never_fits",
            "It needs 512.0 GiB of memory; the largest machine offers 23.4 GiB of memory.",
        ),
        ("gpu_never_fits", "It needs 1 GPU; no machine has any."),
        (
            "selector_without_match",
            "All machines that this size could use are kept for other work.",
        ),
    ],
)
def test_what_no_machine_can_hold_fails_after_30_seconds(name: str, detail: str) -> None:
    seen = recording(name)
    assert _waiting(seen.seen(after=29, nodes=nodes())) == detail
    assert _failure(seen.seen(after=30, nodes=nodes())) == ("unschedulable", detail)


def test_labels_that_no_machine_has_are_named() -> None:
    seen = recording("selector_without_match").seen(after=30, nodes=nodes()[:1])
    assert _failure(seen) == (
        "unschedulable",
        "No machine has the labels that this size asks for: pool=gpu.",
    )


def test_resources_that_no_machine_has_together_are_named() -> None:
    seen = recording("cpu_never_fits")
    seen.pod["spec"]["tolerations"].append({"key": "pool", "operator": "Exists"})
    seen.pod["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "2", "nvidia.com/gpu": "1"}
    small, large = nodes()
    large.offers["cpu"] = small.offers["cpu"] / 2  # type: ignore[index]
    assert _failure(seen.seen(after=30, nodes=[small, large])) == (
        "unschedulable",
        "No machine offers 2 CPU, 64 MiB of memory and 1 GPU together.",
    )


def test_a_tolerated_taint_does_not_keep_a_pod_away() -> None:
    seen = recording("gpu_never_fits")
    seen.pod["spec"]["tolerations"].append({"key": "pool", "value": "gpu", "effect": "NoSchedule"})
    assert (
        _waiting(seen.seen(after=3600, nodes=nodes()))
        == "Waiting for 1 GPU: no machine has it free now."
    )


def test_a_place_that_may_become_free_is_waited_for_without_end() -> None:
    seen = recording("cpu_never_fits")
    seen.pod["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "1500m", "memory": "1Gi"}
    assert (
        _waiting(seen.seen(after=3600, nodes=nodes()))
        == "Waiting for 1.5 CPU: no machine has it free now."
    )


def test_where_nodes_are_not_known_a_place_is_waited_for_up_to_a_limit() -> None:
    seen = recording("cpu_never_fits")
    limit = timedelta(minutes=30)
    brief = "Waiting for 64 CPU: no machine has it free now."
    assert _waiting(seen.seen(after=10, place_patience=limit)) == brief
    assert _waiting(seen.seen(after=1799, place_patience=limit)) == (
        f"{brief} The service may not list nodes, so it does not know whether one is large enough. "
        "The start ends after 30 min."
    )
    assert _failure(seen.seen(after=1801, place_patience=limit)) == (
        "unschedulable",
        "No machine had 64 CPU free for 30 min. The cluster may have none that is large enough.",
    )
    assert _waiting(seen.seen(after=10**6)) == brief


def test_where_nodes_are_known_no_limit_is_needed() -> None:
    seen = recording("cpu_never_fits")
    seen.pod["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "1500m", "memory": "1Gi"}
    limit = timedelta(minutes=30)
    assert _waiting(seen.seen(after=3600, nodes=nodes(), place_patience=limit)) == (
        "Waiting for 1.5 CPU: no machine has it free now."
    )


# After the scheduler's framework/types.go (FitError) and defaultpreemption, 1.33.
def test_what_the_scheduler_says_of_preemption_is_left_out() -> None:
    seen = recording("memory_never_fits").with_condition(
        "PodScheduled",
        "False",
        reason="Unschedulable",
        message="0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint "
        "{pool: gpu}. preemption: 0/2 nodes are available: 1 Insufficient cpu, 1 Preemption is not "
        "helpful for scheduling.",
    )
    seen.pod["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "1", "memory": "20Gi"}
    assert (
        _waiting(seen.seen(after=60, nodes=nodes()))
        == "Waiting for 20.0 GiB of memory: no machine has it free now."
    )


@pytest.mark.parametrize("name", ["cpu_never_fits", "gpu_never_fits"])
def test_without_a_view_of_nodes_a_lack_of_room_is_waited_for(name: str) -> None:
    assert _waiting(recording(name).seen(after=3600)).startswith("Waiting for ")


def test_without_a_view_of_nodes_labels_that_none_has_are_told_by_the_scheduler() -> None:
    assert _failure(recording("selector_without_match").seen(after=30)) == (
        "unschedulable",
        "No machine is set up for this size.",
    )


# After the Cluster Autoscaler's processors/status/eventing_scale_up_processor.go and Karpenter.
@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 0->1 (max: 4)}]"),
        ("Nominated", "Pod should schedule on: nodeclaim/gpu-x7k2p"),
    ],
)
def test_a_machine_that_is_being_added_is_waited_for(reason: str, message: str) -> None:
    seen = recording("gpu_never_fits").with_event(reason, message, first=8)
    assert _waiting(seen.seen(after=600, nodes=nodes())) == (
        "Adding a machine, usually 3 to 6 minutes."
    )


def test_a_machine_that_cannot_be_added_after_all_is_not_waited_for() -> None:
    seen = recording("gpu_never_fits").with_event("TriggeredScaleUp", "pod triggered", first=8)
    seen = seen.with_event(
        "NotTriggerScaleUp",
        "pod didn't trigger scale-up: 1 in backoff after failed scale-up",
        first=20,
        last=300,
    )
    assert _failure(seen.seen(after=300, nodes=nodes()))[0] == "unschedulable"


# Storage


def test_a_home_that_is_gone_fails_within_seconds() -> None:
    seen = recording("volume_missing")
    assert _waiting(seen.seen(after=4)) == "Waiting for its storage to be known."
    assert _failure(seen.seen(after=5)) == (
        "volume_missing",
        "Its storage is gone: a volume that it attaches does not exist any more.",
    )


def test_storage_that_is_not_provided_fails_after_a_minute() -> None:
    seen = recording("volume_no_class")
    assert _waiting(seen.seen(after=59)) == "Waiting for storage."
    assert _failure(seen.seen(after=60)) == (
        "volume_unbound",
        "The cluster did not provide storage within 60 s.",
    )


def _unplaced(message: str) -> Recording:
    return recording("volume_no_class").with_condition(
        "PodScheduled", "False", reason="Unschedulable", message=message
    )


# After the scheduler's plugins/volumebinding/binder.go.
def test_a_home_that_no_machine_can_reach_fails_after_a_minute() -> None:
    seen = _unplaced("0/2 nodes are available: 2 node(s) had volume node affinity conflict.")
    assert (
        _waiting(seen.seen(after=59, nodes=nodes()))
        == "No machine can reach all of its storage now."
    )
    assert _failure(seen.seen(after=60, nodes=nodes())) == (
        "volume_failed",
        "No machine could reach all of its storage for 60 s.",
    )


# After the scheduler's plugins/interpodaffinity/filtering.go.
def test_a_machine_that_has_the_storage_and_cannot_be_had_fails_after_a_minute() -> None:
    seen = _unplaced(
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity, 1 node(s) didn't "
        "match pod affinity rules."
    )
    waited = "Waiting for room on the machine where another session has its storage."
    assert _waiting(seen.seen(after=59, nodes=nodes())) == waited
    assert _failure(seen.seen(after=60, nodes=nodes())) == (
        "volume_busy",
        "Another session has its storage on a machine that this size cannot have.",
    )


def test_a_machine_that_has_the_storage_and_is_full_is_waited_for() -> None:
    seen = _unplaced(
        "0/2 nodes are available: 1 Insufficient memory, 1 node(s) didn't match pod "
        "affinity/anti-affinity, 1 node(s) didn't match pod affinity rules."
    )
    assert _waiting(seen.seen(after=3600, nodes=nodes())) == (
        "Waiting for room on the machine where another session has its storage."
    )


def test_a_home_whose_machine_is_full_is_waited_for() -> None:
    seen = _unplaced(
        "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had volume node affinity "
        "conflict."
    )
    assert (
        _waiting(seen.seen(after=3600, nodes=nodes()))
        == "Waiting for 64 MiB of memory: no machine has it free now."
    )


def test_storage_that_cannot_be_mounted_fails_after_a_minute() -> None:
    seen = recording("mount_failed")
    assert _waiting(seen.seen(after=59)) == "Its storage could not be attached. It is tried again."
    assert _failure(seen.seen(after=60)) == (
        "volume_failed",
        "Its storage could not be attached within 60 s.",
    )
    assert seen.seen(after=60).phases[-1].phase is Phase.VOLUME


def test_a_configmap_that_is_not_there_is_named() -> None:
    assert _failure(recording("mount_missing_configmap").seen(after=60)) == (
        "start_refused",
        "The ConfigMap “settings” that the session refers to does not exist.",
    )


def test_the_time_out_that_follows_does_not_hide_what_came_first() -> None:
    seen = recording("mount_missing_configmap").with_event(
        "FailedMount",
        "Unable to attach or mount volumes: unmounted volumes=[home], unattached volumes=[home]: "
        "timed out waiting for the condition",
        first=123,
        last=257,
    )
    assert _failure(seen.seen(after=300))[0] == "start_refused"


# After the attach/detach controller's reconciler.go and csi_attacher.go.
BUSY = (
    'Multi-Attach error for volume "pvc-39bc38da" Volume is already exclusively attached to one '
    "node and can't be attached to another"
)


def _attaching(message: str) -> Recording:
    return (
        recording("mount_failed")
        .without("FailedMount")
        .with_event("FailedAttachVolume", message, first=2, last=50)
    )


def test_a_home_that_is_attached_elsewhere_is_waited_for_until_a_lost_machine_lets_go() -> None:
    seen = _attaching(BUSY)
    assert (
        _waiting(seen.seen(after=481))
        == "Its storage is still attached to another machine. It is tried again."
    )
    assert _failure(seen.seen(after=482)) == (
        "volume_busy",
        "Its storage stayed attached to another machine for 8 min.",
    )


def test_a_home_that_cannot_be_attached_fails_after_a_minute() -> None:
    seen = _attaching(
        'AttachVolume.Attach failed for volume "pvc-39bc38da" : rpc error: code = Internal desc = x'
    )
    assert _failure(seen.seen(after=62)) == (
        "volume_failed",
        "Its storage could not be attached within 60 s.",
    )


def test_a_home_that_was_attached_at_last_is_no_failure() -> None:
    seen = _attaching(BUSY).with_event("SuccessfulAttachVolume", "succeeded", first=55)
    assert (seen.seen(after=70).failure_code, seen.seen(after=70).waits) == ("", False)


# After kubelet's kuberuntime_manager.go.
def test_a_machine_that_cannot_set_up_a_pod_fails_after_a_minute() -> None:
    seen = (
        recording("mount_failed")
        .without("FailedMount")
        .with_event(
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
            "network for "
            'sandbox "1fc7": plugin type="bridge" failed (add): no IP addresses available',
            first=1,
            last=40,
        )
    )
    assert _failure(seen.seen(after=61)) == (
        "machine_failed",
        "The machine could not set up the session within 60 s.",
    )


# The image


@pytest.mark.parametrize(
    ("name", "code", "detail"),
    [
        (
            "invalid_image_name",
            "image_invalid",
            "“Registry.Example/Notebook:??” is not the name of an image.",
        ),
        (
            "never_pull_missing",
            "image_missing",
            (
                "The image registry.example/notebook:absent is not on the machine, and images are "
                "not pulled here."
            ),
        ),
    ],
)
def test_what_cannot_be_pulled_at_all_fails_at_once(name: str, code: str, detail: str) -> None:
    assert _failure(recording(name).seen(after=2)) == (code, detail)


def test_a_registry_that_does_not_answer_fails_after_two_minutes() -> None:
    seen = recording("image_back_off")
    assert (
        _waiting(seen.seen(after=120))
        == f"The registry did not send the image {IMAGE}. It is tried again."
    )
    assert _failure(seen.seen(after=121)) == (
        "image_pull_failed",
        f"The registry did not send the image {IMAGE}. It was tried for 2 min.",
    )


def _failed_pull(error: str) -> Recording:
    """A pull that ended with this error, in the words of containerd 1.6 to 2.1."""
    seen = recording("image_back_off")
    for event in seen.events:
        if event["message"].startswith("Failed to pull image"):
            event["message"] = f'Failed to pull image "{IMAGE}": {error}'
    return seen


OLD = f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": '
NEW = f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": '
RESOLVE = f'failed to resolve reference "{IMAGE}": '

MISSING = ("image_missing", f"The registry has no image {IMAGE}.")
REFUSED = (
    "registry_refused",
    f"The registry does not give out the image {IMAGE}: it is private, or not there.",
)
DISTRUSTED = (
    "registry_refused",
    (
        f"The machine does not trust where the image {IMAGE} comes from: a certificate or "
        "signature is not accepted."
    ),
)
OTHER = ("image_unfit", f"The image {IMAGE} is not made for the machine's kind of processor.")


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OLD + RESOLVE + f"{IMAGE}: not found", MISSING),
        (NEW + RESOLVE + f"{IMAGE}: not found", MISSING),
        ("rpc error: code = Unknown desc = manifest unknown: manifest unknown", MISSING),
        (
            OLD + RESOLVE + "pull access denied, repository does not exist or may require "
            "authorization: server message: insufficient_scope: authorization failed",
            REFUSED,
        ),
        (
            OLD
            + RESOLVE
            + "failed to authorize: failed to fetch anonymous token: unexpected status "
            "from GET request to https://auth.example/token?scope=x: 401 Unauthorized",
            REFUSED,
        ),
        (
            OLD + RESOLVE + "unexpected status from HEAD request to "
            "https://registry.example/v2/notebook/manifests/no-such: 403 Forbidden",
            REFUSED,
        ),
        (
            OLD
            + RESOLVE
            + 'failed to do request: Head "https://registry.example/v2/": tls: failed to '
            "verify certificate: x509: certificate signed by unknown authority",
            DISTRUSTED,
        ),
        (NEW + "no match for platform in manifest sha256:1fc7: not found", OTHER),
    ],
)
def test_what_a_registry_says_for_certain_fails_at_once(
    error: str, failure: tuple[str, str]
) -> None:
    assert _failure(_failed_pull(error).seen(after=2)) == failure


NAMELESS = "A policy of the cluster or the registry"


@pytest.mark.parametrize(
    ("error", "policy"),
    [
        ("blocked by policy", NAMELESS),
        ("pull access denied by policy", NAMELESS),
        ("403 Forbidden: denied by policy of the organisation", NAMELESS),
        ('403 Forbidden: blocked by policy "no-latest"', "The policy “no-latest”"),
        ("the image was blocked by policy no-latest: use a digest", "The policy “no-latest”"),
        ("denied by policy: no-latest", "The policy “no-latest”"),
        ("unexpected status: 401: policy no-latest forbids this image", "The policy “no-latest”"),
        (
            (
                "unexpected status code https://registry.example/v2/: 412 Precondition Failed - "
                "Server message: current image with 3 vulnerabilities cannot be pulled due to "
                'configured policy in \'Prevent images with vulnerability severity of "High" or '
                "higher from running.' To continue with pull, contact your project administrator."
            ),
            (
                'The policy “Prevent images with vulnerability severity of "High" or higher from '
                "running.”"
            ),
        ),
        (
            (
                "Source image rejected: Running image docker://registry.example/x is rejected by "
                "policy."
            ),
            NAMELESS,
        ),
        (
            "image verifier bindir blocked pull of it for reason: verifier signed rejected image",
            NAMELESS,
        ),
        ("ArtifactoryError: rejected: the download blocking policy configured in Xray", NAMELESS),
    ],
)
def test_an_image_that_a_policy_forbids_fails_at_once_and_names_the_policy(
    error: str, policy: str
) -> None:
    assert _failure(_failed_pull(OLD + error).seen(after=2)) == (
        "policy_refused",
        f"{policy} does not allow the image {IMAGE}.",
    )


@pytest.mark.parametrize(
    "error",
    [
        (
            "denied: User is not authorized to perform: ecr:BatchGetImage on resource x because no "
            "identity-based policy allows the ecr:BatchGetImage action"
        ),
        "pull access denied, repository does not exist or may require authorization",
    ],
)
def test_a_registry_that_is_closed_is_no_policy(error: str) -> None:
    assert _failure(_failed_pull(OLD + error).seen(after=2)) == REFUSED


def test_a_rate_limit_by_policy_is_waited_for() -> None:
    seen = _failed_pull(OLD + "429 Too Many Requests: rejected by the rate limiting policy")
    assert _waiting(seen.seen(after=3600)) == "The registry asked to slow down. It is tried again."


def test_what_a_registry_said_is_not_told_once_the_image_has_come() -> None:
    seen = _failed_pull(OLD + "connection reset by peer")
    assert _waiting(seen.seen(after=5)).startswith("The registry did not send the image")
    come = seen.with_event(
        "Pulled", "Container image already present on machine", first=900, container="notebook"
    ).seen(after=901)
    assert (come.failure_code, come.waits, come.phases[-1].detail) == ("", True, "")


def test_a_registry_that_asks_to_slow_down_is_waited_for_without_end() -> None:
    seen = _failed_pull(
        OLD + "failed to copy: httpReadSeeker: failed open: unexpected status code "
        "https://registry.example/v2/notebook/manifests/no-such: 429 Too Many Requests - Server "
        "message: toomanyrequests: You have reached your pull rate limit."
    )
    assert _waiting(seen.seen(after=3600)) == "The registry asked to slow down. It is tried again."


def test_a_full_disk_is_the_machines_fault() -> None:
    seen = _failed_pull(OLD + "failed to extract layer: write /var/lib: no space left on device")
    assert _failure(seen.seen(after=121)) == (
        "machine_failed",
        f"The machine has no disk space left for the image {IMAGE}. It was tried for 2 min.",
    )


def test_a_pull_that_is_tried_again_is_not_cut_off() -> None:
    seen = recording("image_back_off").with_event(
        "Pulling", f'Pulling image "{IMAGE}"', first=1, last=600, container="notebook"
    )
    assert _waiting(seen.seen(after=900)) == "Pulling the image again."


def test_a_failed_pull_of_which_no_event_is_known_is_waited_for() -> None:
    seen = recording("image_back_off").without().seen(after=900)
    assert (seen.state, seen.waits, seen.failure_code) == (RunState.STARTING, True, "")


# After kubelet 1.31 and later, which tell it with the state.
def test_the_state_tells_why_where_no_event_does() -> None:
    seen = recording("image_back_off").without()
    seen.pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = (
        f'Back-off pulling image "{IMAGE}": ErrImagePull: {NEW}{RESOLVE}{IMAGE}: not found'
    )
    assert _failure(seen.seen(after=2)) == MISSING


# The container


def test_a_secret_that_is_not_there_fails_after_a_minute() -> None:
    seen = recording("missing_secret")
    says = (
        "The Secret “nb-906171b7-ec65-50e7-afe3-78283ed7731a” that the session refers to does not "
        "exist."
    )
    assert _waiting(seen.seen(after=61)) == f"{says} It is tried again."
    assert _failure(seen.seen(after=62)) == ("start_refused", says)


def test_what_went_wrong_while_pulling_does_not_count_after_the_pull() -> None:
    seen = recording("missing_secret").with_event(
        "Failed", 'Failed to pull image "x": timed out', first=-100, container="notebook"
    )
    assert seen.seen(after=61).waits


def test_a_container_that_cannot_be_put_together_fails_after_a_minute() -> None:
    assert _failure(recording("root_image").seen(after=62)) == (
        "start_refused",
        "The container could not be put together within 60 s.",
    )


def _uncreated(message: str) -> Recording:
    """In the words of containerd and of CRI-O."""
    seen = recording("missing_secret")
    seen.pod["status"]["containerStatuses"][0]["state"]["waiting"] = {
        "reason": "CreateContainerError",
        "message": message,
    }
    return seen


def test_an_image_without_a_command_is_unfit_at_once() -> None:
    seen = _uncreated(
        "failed to generate container spec: failed to generate spec: no command specified"
    )
    assert _failure(seen.seen(after=3)) == (
        "image_unfit",
        (
            "The image registry.example/notebook:1 has no command to start Jupyter with: it needs "
            "`jupyter lab`."
        ),
    )


def test_a_container_that_cannot_be_made_fails_after_a_minute() -> None:
    seen = _uncreated("context deadline exceeded")
    assert _waiting(seen.seen(after=61)) == "The container could not be started. It is tried again."
    assert _failure(seen.seen(after=62)) == (
        "machine_failed",
        "The machine could not start the container within 60 s.",
    )


def test_events_of_another_pod_of_that_name_are_not_looked_at() -> None:
    seen = recording("never_answers").with_event(
        "FailedAttachVolume", BUSY, first=1, uid="00000000-0000-0000-0000-000000000000"
    )
    assert (seen.seen(after=300).failure_code, seen.seen(after=300).waits) == ("", False)


def test_what_was_overcome_is_not_held_against_a_launch() -> None:
    seen = recording("never_answers").with_event("FailedAttachVolume", BUSY, first=1)
    assert (seen.seen(after=300).failure_code, seen.seen(after=300).waits) == ("", False)
