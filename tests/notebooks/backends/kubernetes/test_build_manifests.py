"""What is sent to the cluster for a build, and that it passes the restricted standard."""

import json
from dataclasses import replace

import pytest

from environments.builder.request import Site
from environments.building import BuildSpec
from environments.kernels import Kernel
from notebooks.backends.contract import KernelMount
from notebooks.backends.kubernetes import build_manifests, manifests
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.manifests import STORE_PATH
from tests.notebooks.backends.kubernetes.pod_security import violations
from tests.notebooks.backends.kubernetes.test_manifests import SPEC as SESSION

DIGEST = "d" * 64
SITE = SiteConfig(store_size="1Gi", image_pull_secrets=("registry",))
PACKAGES = Site(indexes=("https://reader:hunter2@pypi.example/simple/",), seconds=60)
SPEC = BuildSpec(
    digest=DIGEST,
    attempt=2,
    image="example/notebook:1",
    kernel=Kernel(name="mine", display_name="Mine", pip=("pandas; echo",)),
)


def job(site: SiteConfig = SITE) -> Json:
    return build_manifests.job(SPEC, site, PACKAGES, memory_mib=512)


def discard_job() -> Json:
    return build_manifests.discard_job(DIGEST, SPEC.image, SITE, memory_mib=512)


@pytest.mark.parametrize("made", [job(), discard_job()], ids=["build", "discard"])
def test_its_pods_pass_the_restricted_standard(made: Json) -> None:
    pod = made["spec"]["template"]
    assert violations(pod) == []
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_a_build_sees_its_own_folder_of_the_store_alone() -> None:
    [container] = job()["spec"]["template"]["spec"]["containers"]
    [store] = [each for each in container["volumeMounts"] if each["name"] == "environments"]
    assert (store["mountPath"], store["subPath"]) == (f"{STORE_PATH}/{DIGEST}", DIGEST)


def test_what_people_write_and_what_is_secret_is_in_the_secret_alone() -> None:
    text = json.dumps(job())
    assert "pandas" not in text
    assert "hunter2" not in text
    assert "hunter2" in build_manifests.secret(SPEC, SITE, PACKAGES)["stringData"]["request.json"]


def test_pods_of_builds_are_under_the_policy_of_sessions() -> None:
    [selected] = manifests.network_policy(SITE)["spec"]["podSelector"]["matchLabels"].items()
    assert selected in job()["spec"]["template"]["metadata"]["labels"].items()


def test_objects_of_builds_are_not_taken_for_leftovers_of_sessions() -> None:
    selected = manifests.network_policy(SITE)["spec"]["podSelector"]["matchLabels"]
    labels = build_manifests.secret(SPEC, SITE, PACKAGES)["metadata"]["labels"]
    assert not selected.items() <= labels.items()


def test_the_tools_come_from_the_image_that_the_site_names() -> None:
    named = job(replace(SITE, builder_image="example/builder:1"))["spec"]["template"]["spec"]
    assert named["initContainers"][0]["image"] == "example/builder:1"
    assert named["containers"][0]["image"] == "example/notebook:1"
    unnamed = job()["spec"]["template"]["spec"]
    assert unnamed["initContainers"][0]["image"] == "example/notebook:1"


def test_a_session_has_its_own_kernels_read_only() -> None:
    kernels = (KernelMount(digest=DIGEST, name="mine"), KernelMount(digest="e" * 64, name="other"))
    spec = manifests.pod(replace(SESSION, kernels=kernels), SITE)["spec"]
    [notebook] = spec["containers"]
    mounts = [each for each in notebook["volumeMounts"] if each["name"] == "environments"]
    assert mounts == [
        {
            "name": "environments",
            "mountPath": f"{STORE_PATH}/{kernel.digest}",
            "subPath": kernel.digest,
            "readOnly": True,
        }
        for kernel in kernels
    ]
    [path] = [each["value"] for each in notebook["env"] if each["name"] == "JUPYTER_PATH"]
    assert path == ":".join(f"{STORE_PATH}/{kernel.digest}/share/jupyter" for kernel in kernels)
    assert "--MultiKernelManager.default_kernel_name=mine" in notebook["args"]


def test_a_session_without_kernels_has_nothing_of_the_store() -> None:
    assert "environments" not in [
        each["name"] for each in manifests.pod(SESSION, SITE)["spec"]["volumes"]
    ]
