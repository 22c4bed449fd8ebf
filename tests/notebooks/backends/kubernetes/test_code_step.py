"""The step before the server that fetches code: what of it is in the pod, and how it is seen."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any
from uuid import uuid4

from notebooks.backends.contract import CodeOutcome, CodeSource, CodeStatus, GitAccess
from notebooks.backends.kubernetes import manifests
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.placement import Placement
from submarine_site.core.resources import Resources
from tests.contracts.backend_suite import a_spec
from tests.notebooks.backends.kubernetes.pod_security import violations
from tests.notebooks.backends.kubernetes.recordings import Recording, recording

SITE = SiteConfig()
CREDENTIAL = uuid4()
SPEC = replace(
    a_spec(),
    resources=Resources(cpu_milli=2000, memory_mib=1024, gpus=1),
    code=(CodeSource(url="https://git.example.com/a.git", folder="a", credential=CREDENTIAL),),
    git_access={CREDENTIAL: GitAccess(hosts=("git.example.com",), username="ada", token="s3cret")},
)


def test_a_session_without_code_has_no_step() -> None:
    pod = manifests.pod(a_spec(), SITE)
    assert "initContainers" not in pod["spec"]
    assert not [key for key in manifests.secret(a_spec(), SITE)["stringData"] if "code" in key]


def test_the_step_is_as_confined_as_the_server_and_asks_for_no_more() -> None:
    pod = manifests.pod(SPEC, SITE)
    [step], [notebook] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert violations(pod) == []
    assert step["image"] == SPEC.image
    assert step["securityContext"] == notebook["securityContext"]
    limits = {"cpu": "2000m", "memory": "1024Mi"}
    assert step["resources"] == {"limits": limits, "requests": limits}


def test_what_it_is_asked_is_in_the_secret_and_mounted_for_it_alone() -> None:
    pod, secret = manifests.pod(SPEC, SITE), manifests.secret(SPEC, SITE)["stringData"]
    [step], [notebook] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    asked = json.loads(secret["code.request.json"])
    assert asked["home"] == "/home/jovyan"
    assert asked["sources"][0]["access"] == {
        "hosts": ["git.example.com:443"],
        "username": "ada",
        "token": "s3cret",
        "ssh_key": "",
    }
    assert "s3cret" not in json.dumps(pod)
    assert {mount["name"] for mount in step["volumeMounts"]} == {"home", "code"}
    assert "code" not in {mount["name"] for mount in notebook["volumeMounts"]}
    [volume] = [each for each in pod["spec"]["volumes"] if each["name"] == "code"]
    [own, shared] = volume["projected"]["sources"]
    assert [item["key"] for item in own["secret"]["items"]] == ["code.request.json"]
    programs = manifests.programs_map(SITE)
    assert shared["configMap"]["name"] == programs["metadata"]["name"]
    assert {item["key"] for item in shared["configMap"]["items"]} == {
        key for key in programs["data"] if key.startswith("code.")
    }


def test_nothing_that_a_user_wrote_is_in_its_command() -> None:
    other = replace(SPEC, code=(CodeSource(url="https://git.example.com/$(id)", folder="x"),))
    commands = [
        manifests.pod(spec, SITE)["spec"]["initContainers"][0]["command"] for spec in (SPEC, other)
    ]
    assert commands[0] == commands[1]


def test_a_site_may_have_an_image_for_it() -> None:
    site = replace(SITE, code_image="registry.example.com/git:1")
    [step] = manifests.pod(SPEC, site)["spec"]["initContainers"]
    assert step["image"] == "registry.example.com/git:1"


def test_patches_leave_it_as_it_is() -> None:
    patch = {"env": [{"name": "A", "value": "1"}]}
    patched = replace(SPEC, placement=Placement(pod_patch=patch))
    assert (
        manifests.pod(patched, SITE)["spec"]["initContainers"]
        == manifests.pod(SPEC, SITE)["spec"]["initContainers"]
    )


def with_step(state: dict[str, Any], *, of: str = "ready") -> Recording:
    """A pod that was recorded, as if it had such a step."""
    seen = recording(of)
    pod = deepcopy(seen.pod)
    pod["spec"]["initContainers"] = [{"name": "code", "image": "example/notebook:1"}]
    pod["status"]["initContainerStatuses"] = [{"name": "code", "state": state}]
    return replace(seen, pod=pod)


def ended(message: str) -> dict[str, Any]:
    at = recording("ready").pod["metadata"]["creationTimestamp"]
    times = {"startedAt": at, "finishedAt": at}
    return {"terminated": {**times, "exitCode": 0, "reason": "Completed", "message": message}}


def test_what_came_of_code_is_its_last_word() -> None:
    message = '[{"status": "failed", "code": "code_no_access", "message": "Closed."}]'
    assert with_step(ended(message)).seen().code == (
        CodeOutcome(status=CodeStatus.FAILED, code="code_no_access", message="Closed."),
    )


def test_a_step_that_left_no_word_is_none_known() -> None:
    assert with_step(ended("")).seen().code == ()


def test_a_pod_without_the_step_has_no_code() -> None:
    assert recording("ready").seen().code is None


def test_while_it_fetches_the_launch_waits_however_long() -> None:
    at = recording("ready").pod["metadata"]["creationTimestamp"]
    fetching = with_step({"running": {"startedAt": at}})
    waiting = {"waiting": {"reason": "PodInitializing"}}
    fetching.pod["status"]["containerStatuses"] = [{"name": "notebook", "state": waiting}]
    fetching.pod["status"]["phase"] = "Pending"
    fetching.pod["status"]["conditions"] = [
        each for each in fetching.pod["status"]["conditions"] if each["type"] == "PodScheduled"
    ]
    seen = fetching.seen(after=3600)
    assert seen.waits
    assert seen.failure_code == ""
    assert seen.phases[-1].detail == "Fetching code."
