"""What operators add to a pod, and that the pod's own word holds."""

from copy import deepcopy
from dataclasses import replace
from unittest.mock import Mock
from uuid import UUID

import pytest

from notebooks.backends.contract import CodeSource, KernelMount, SessionSpec, VolumeMount
from notebooks.backends.kubernetes import manifests, names
from notebooks.backends.kubernetes.api import Api, Json
from notebooks.backends.kubernetes.backend import KubernetesBackend
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.patch import apply, require_allowed
from submarine_site.core.outside import BackendRefused
from submarine_site.core.placement import Placement
from submarine_site.core.pod_shapes import POD_PATCH
from tests.contracts.backend_suite import a_spec
from tests.notebooks.backends.kubernetes.test_build_manifests import SPEC as BUILD
from tests.notebooks.backends.kubernetes.test_build_manifests import discard_job, job
from tests.notebooks.backends.kubernetes.test_manifests import SPEC as SESSION
from volumes.contract import VolumeSpec

CONFINED = {"securityContext": {"privileged": False}}


def bare() -> Json:
    return {
        "metadata": {"name": "nb-1", "labels": {"run": "1"}, "annotations": {"owner": "ada"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "notebook",
                    "image": "example/notebook:1",
                    "env": [{"name": "HOME", "value": "/home/jovyan"}],
                    "volumeMounts": [{"name": "home", "mountPath": "/home/jovyan"}],
                }
            ],
            "volumes": [{"name": "home", "emptyDir": {}}],
        },
    }


def test_what_a_patch_says_is_added() -> None:
    patch = {
        "labels": {"team": "reef"},
        "annotations": {"note": "x"},
        "env": [{"name": "REGION", "value": "north"}],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "sidecars": [{"name": "sync", "image": "example/sync:1"}],
    }
    wanted = bare()
    wanted["metadata"]["labels"]["team"] = "reef"
    wanted["metadata"]["annotations"]["note"] = "x"
    notebook = wanted["spec"]["containers"][0]
    notebook["env"] += patch["env"]
    notebook["volumeMounts"] += patch["volumeMounts"]
    wanted["spec"]["volumes"] += patch["volumes"]
    wanted["spec"]["containers"].append({"name": "sync", "image": "example/sync:1", **CONFINED})
    assert apply(bare(), [patch], sidecar=CONFINED) == wanted


def test_nothing_is_added_by_an_empty_patch() -> None:
    assert apply(bare(), [{}, {}], sidecar=CONFINED) == bare()


def test_neither_pod_nor_patch_is_changed() -> None:
    pod, patch = bare(), {"env": [{"name": "A", "value": "1"}], "labels": {"a": "b"}}
    before = deepcopy((pod, patch))
    apply(pod, [patch], sidecar=CONFINED)
    assert (pod, patch) == before


def test_of_two_patches_the_later_holds() -> None:
    patches = [
        {
            "labels": {"team": value},
            "env": [{"name": "REGION", "value": value}],
            "volumes": [{"name": "data", "configMap": {"name": value}}],
            "volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": value}],
            "sidecars": [{"name": "sync", "image": value}],
        }
        for value in ("site", "profile")
    ]
    assert apply(bare(), patches, sidecar={}) == apply(bare(), patches[1:], sidecar={})


def test_no_patch_changes_what_the_pod_says_itself() -> None:
    patch = {
        "labels": {"run": "2"},
        "annotations": {"owner": "mallory"},
        "env": [{"name": "HOME", "value": "/root"}],
        "volumes": [{"name": "home", "hostPath": {"path": "/"}}],
        "volumeMounts": [{"name": "other", "mountPath": "/home/jovyan"}],
        "hostNetwork": True,
        "containers": [],
    }
    assert apply(bare(), [patch], sidecar=CONFINED) == bare()


def test_a_sidecar_is_confined_whatever_it_says() -> None:
    patch = {"sidecars": [{"name": "sync", "securityContext": {"privileged": True}}]}
    [_, sidecar] = apply(bare(), [patch], sidecar=CONFINED)["spec"]["containers"]
    assert sidecar == {"name": "sync", **CONFINED}


STORE = {
    "volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": names.store_name("default")}}],
    "volumeMounts": [{"name": "a", "mountPath": "/a"}],
}


def refused(spec: SessionSpec, site: SiteConfig) -> tuple[str, str]:
    """How a start ends; nothing may have been asked of the cluster."""
    api = Mock(spec=Api)
    with pytest.raises(BackendRefused) as refusal:
        KubernetesBackend(site, api).start(spec)
    assert api.mock_calls == []
    return refusal.value.code, str(refusal.value)


def test_a_patch_that_was_kept_under_other_rules_is_not_applied() -> None:
    spec = a_spec()
    wrong = (
        "volumes[0].persistentVolumeClaim.claimName: This name belongs to an object of the service."
    )
    assert refused(replace(spec, placement=Placement(pod_patch=STORE)), SiteConfig()) == (
        "pod_patch_refused",
        f"The session's size cannot be used: its pod patch, {wrong}",
    )
    assert refused(spec, SiteConfig(pod_patch=STORE)) == (
        "pod_patch_refused",
        f"The session's size cannot be used: the site's pod patch, {wrong}",
    )
    account = Placement(service_account="submarine-notebooks")
    assert refused(replace(spec, placement=account), SiteConfig()) == (
        "pod_patch_refused",
        (
            "The session's size cannot be used: its service account: "
            "This name belongs to an object of the service."
        ),
    )


@pytest.mark.parametrize(
    "patch",
    [
        {"volumes": [{"name": "a", "secret": {"secretName": "registry"}}]},
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "registry", "key": "k"}}}]},
        {
            "sidecars": [
                {
                    "name": "s",
                    "image": "x",
                    "env": [
                        {
                            "name": "A",
                            "valueFrom": {"secretKeyRef": {"name": "registry", "key": "k"}},
                        }
                    ],
                }
            ]
        },
    ],
)
def test_the_registrys_password_is_not_for_sessions(patch: Json) -> None:
    placement = Placement(pod_patch=patch)
    require_allowed(placement, SiteConfig())
    with pytest.raises(BackendRefused, match="The Secret registry is for pulling images"):
        require_allowed(placement, SiteConfig(image_pull_secrets=("registry",)))


@pytest.mark.parametrize("patch", [{}, {"labels": {"team": "reef"}}, {"annotations": {"a": "b"}}])
def test_what_is_allowed_is_applied(patch: Json) -> None:
    require_allowed(Placement(pod_patch=patch), SiteConfig(pod_patch=patch))


@pytest.mark.parametrize("as_home", [True, False])
def test_a_session_does_not_start_with_an_adopted_volume_that_is_anothers(*, as_home: bool) -> None:
    other = names.claim_name(UUID(int=7))
    volume = VolumeSpec(id=UUID(int=8), claim=other)
    mounts = () if as_home else (VolumeMount(volume=volume, path="a"),)
    spec = replace(a_spec(home=volume if as_home else None), mounts=mounts)
    assert refused(spec, SiteConfig()) == (
        "volume_refused",
        f"The claim “{other}” is the service's own.",
    )


def test_no_patch_mounts_over_a_folder_of_the_service() -> None:
    spec = replace(
        SESSION,
        secret_files={"a": "b"},
        code=(CodeSource(url="https://git.example.com/a.git", folder="a"),),
        kernels=(KernelMount(name="mine", digest=BUILD.digest),),
    )
    pods = [manifests.pod(spec, SiteConfig(store_size="1Gi"))]
    pods += [made["spec"]["template"] for made in (job(), discard_job())]
    paths = {
        mount["mountPath"]
        for pod in pods
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
        for mount in container["volumeMounts"]
    }
    paths |= {manifests.RUNTIME_DIR, str(manifests.RESCUE_DIR)}
    paths -= {"/home/jovyan"}
    assert len(paths) >= 8
    for path in paths:
        patch = {
            "volumes": [{"name": "a", "emptyDir": {}}],
            "volumeMounts": [{"name": "a", "mountPath": path}],
        }
        assert list(POD_PATCH(patch, "")), path
