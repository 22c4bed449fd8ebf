"""What operators add to a pod, and that the pod's own word holds."""

from copy import deepcopy

from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.patch import apply

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
