"""What operators may write into pods, and what is refused."""

import json
from typing import Any

import pytest

from submarine_site.core.pod_shapes import (
    ALLOWED_ANNOTATIONS,
    ALLOWED_LABELS,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    LABELS,
    PEERS,
    POD_PATCH,
    QUANTITY,
    RESOURCE_NAME,
    TOLERATIONS,
)
from submarine_site.core.shapes import Check


def paths(check: Check, value: Any) -> list[str]:
    return [problem.path for problem in check(value, "")]


def is_right(check: Check, value: Any) -> bool:
    return not list(check(value, ""))


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (DNS_LABEL, ["a", "a-1", "x" * 63], ["", "A", "a.b", "-a", "a-", "x" * 64, "a\n", 1]),
        (DNS_SUBDOMAIN, ["a", "a.b-c"], ["", ".a", "a..b", "a_b", ".".join(["x" * 63] * 4)]),
        (QUANTITY, ["1", "500m", "1.5Gi", "10k"], ["", "0", "0.0Gi", "-1", "1 Gi", "1GiB", "Gi"]),
        (RESOURCE_NAME, ["nvidia.com/gpu", "a/b"], ["gpu", "/gpu", "nvidia.com/", "a/b/c"]),
    ],
)
def test_names_and_amounts_are_those_of_kubernetes(
    check: Check, right: list[str], wrong: list[Any]
) -> None:
    assert [value for value in right if not is_right(check, value)] == []
    assert [value for value in wrong if is_right(check, value)] == []


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        ({"pool": "notebooks", "example.com/a_B.c": "", "x": "a.b_c-d"}, []),
        ({"a b": "x"}, ["a b"]),
        ({"/a": "x", "a/": "x", "a/b/c": "x"}, ["/a", "a/", "a/b/c"]),
        ({"a": "-x"}, ["a"]),
        ({"a": "x" * 64}, ["a"]),
        ({"a": 1}, ["a"]),
        ({"a": True, "b": None}, ["a", "b"]),
    ],
)
def test_labels_have_the_form_of_kubernetes(labels: dict[str, Any], wrong: list[str]) -> None:
    assert paths(LABELS, labels) == wrong


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "gpu", "operator": "Exists"},
        {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
        {"operator": "Exists"},
        {"key": "a/b", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0},
    ],
)
def test_a_toleration_may_say(toleration: dict[str, Any]) -> None:
    assert is_right(TOLERATIONS, [toleration])


@pytest.mark.parametrize(
    ("toleration", "path"),
    [
        ({}, "[0]"),
        ({"key": "gpu", "operator": "Exists", "value": "x"}, "[0]"),
        ({"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 5}, "[0]"),
        ({"key": "g p u"}, "[0].key"),
        ({"key": "gpu", "operator": "In"}, "[0].operator"),
        ({"key": "gpu", "effect": "Never"}, "[0].effect"),
        ({"key": "gpu", "effect": "NoExecute", "tolerationSeconds": -1}, "[0].tolerationSeconds"),
        ({"key": "gpu", "seconds": 5}, "[0].seconds"),
    ],
)
def test_a_toleration_may_not_say(toleration: dict[str, Any], path: str) -> None:
    assert paths(TOLERATIONS, [toleration]) == [path]


@pytest.mark.parametrize(
    "peer",
    [
        {"podSelector": {}},
        {
            "namespaceSelector": {"matchLabels": {"team": "a"}},
            "podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
        },
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
        {"ipBlock": {"cidr": "2001:db8::/32"}},
    ],
)
def test_a_peer_may_say(peer: dict[str, Any]) -> None:
    assert is_right(PEERS, [peer])


@pytest.mark.parametrize(
    ("peers", "path"),
    [
        ([], ""),
        ([{}], "[0]"),
        ([{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}], "[0]"),
        ([{"ipBlock": {"cidr": "10.0.0.1/8"}}], "[0].ipBlock.cidr"),
        ([{"ipBlock": {"cidr": "10.0.0.0/33"}}], "[0].ipBlock.cidr"),
        ([{"ipBlock": {}}], "[0].ipBlock.cidr"),
        ([{"pods": {}}], "[0].pods"),
    ],
)
def test_a_peer_may_not_say(peers: list[Any], path: str) -> None:
    assert path in paths(PEERS, peers)


FULL = {
    "labels": {"team": "reef"},
    "annotations": {"note": "any text: ü", "prometheus.io/scrape": "true"},
    "env": [
        {"name": "REGION", "value": "north"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}},
        {
            "name": "MAYBE",
            "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}},
        },
    ],
    "volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
        {
            "name": "files",
            "configMap": {"name": "f", "items": [{"key": "a", "path": "b"}], "defaultMode": 292},
        },
        {"name": "vault", "csi": {"driver": "vault.example", "volumeAttributes": {"a": "b"}}},
        {"name": "keys", "secret": {"secretName": "keys", "optional": False}},
    ],
    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True, "subPath": "a/b"}],
    "sidecars": [
        {
            "name": "sync",
            "image": "example/sync:1",
            "command": ["sync"],
            "args": ["--all"],
            "workingDir": "/work",
            "env": [{"name": "HOME", "value": "/work"}],
            "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
            "volumeMounts": [
                {"name": "home", "mountPath": "/work"},
                {"name": "keys", "mountPath": "/keys"},
            ],
        }
    ],
}


def test_a_patch_may_say() -> None:
    assert paths(POD_PATCH, FULL) == []
    assert paths(POD_PATCH, {}) == []


@pytest.mark.parametrize(
    "field",
    [
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "securityContext",
        "containers",
        "initContainers",
        "restartPolicy",
        "serviceAccountName",
        "automountServiceAccountToken",
        "runtimeClassName",
        "nodeName",
        "hostAliases",
        "spec",
        "metadata",
    ],
)
def test_a_patch_has_no_other_part_of_a_pod(field: str) -> None:
    assert paths(POD_PATCH, {field: {}}) == [field]


@pytest.mark.parametrize(
    "field",
    [
        "securityContext",
        "ports",
        "lifecycle",
        "livenessProbe",
        "volumeDevices",
        "envFrom",
        "stdin",
        "imagePullPolicy",
    ],
)
def test_a_sidecar_has_no_other_part_of_a_container(field: str) -> None:
    sidecar = {"name": "sync", "image": "example/sync:1", field: {}}
    assert paths(POD_PATCH, {"sidecars": [sidecar]}) == [f"sidecars[0].{field}"]


@pytest.mark.parametrize(
    "volume",
    [
        {"hostPath": {"path": "/"}},
        {"nfs": {"server": "a", "path": "/"}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        {"downwardAPI": {}},
        {"ephemeral": {}},
    ],
)
def test_a_volume_has_no_other_source(volume: dict[str, Any]) -> None:
    patch = {"volumes": [{"name": "a", **volume}]}
    [kind] = volume
    assert paths(POD_PATCH, patch) == [f"volumes[0].{kind}", "volumes[0]"]


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"labels": {"submarine-notebooks/run": "x"}}, "labels.submarine-notebooks/run"),
        (
            {"labels": {"app.kubernetes.io/component": "gateway"}},
            "labels.app.kubernetes.io/component",
        ),
        (
            {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}},
            "annotations.cluster-autoscaler.kubernetes.io/safe-to-evict",
        ),
        (
            {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}},
            "annotations.seccomp.security.alpha.kubernetes.io/pod",
        ),
        ({"env": [{"name": "JUPYTER_TOKEN", "value": ""}]}, "env[0].name"),
        ({"env": [{"name": "HOME", "value": "/"}]}, "env[0].name"),
        ({"env": [{"name": "JUPYTER_CONFIG_PATH", "value": "/"}]}, "env[0].name"),
        ({"volumes": [{"name": "home", "emptyDir": {}}]}, "volumes[0].name"),
        ({"volumes": [{"name": "shared-memory", "emptyDir": {}}]}, "volumes[0].name"),
        ({"volumes": [{"name": "jupyter-config", "emptyDir": {}}]}, "volumes[0].name"),
        ({"sidecars": [{"name": "notebook", "image": "x"}]}, "sidecars[0].name"),
    ],
)
def test_what_the_service_sets_is_not_for_a_patch(patch: dict[str, Any], path: str) -> None:
    assert paths(POD_PATCH, patch) == [path]


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"env": [{"name": "A"}]}, "env[0]"),
        ({"env": [{"name": "A", "value": "1", "valueFrom": {}}]}, "env[0]"),
        ({"env": [{"name": "A", "value": 1}]}, "env[0].value"),
        ({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, "env[1].name"),
        ({"env": [{"name": "1A", "value": ""}]}, "env[0].name"),
        ({"env": {"A": "1"}}, "env"),
        ({"volumes": [{"name": "a", "emptyDir": {}, "secret": {"secretName": "x"}}]}, "volumes[0]"),
        ({"volumeMounts": [{"name": "a", "mountPath": "/a"}]}, "volumeMounts[0].name"),
        ({"sidecars": [{"name": "a"}]}, "sidecars[0].image"),
        (
            {
                "sidecars": [
                    {
                        "name": "a",
                        "image": "x",
                        "volumeMounts": [{"name": "b", "mountPath": "/b"}],
                    }
                ]
            },
            "sidecars[0].volumeMounts[0].name",
        ),
    ],
)
def test_a_patch_is_whole(patch: dict[str, Any], path: str) -> None:
    assert path in paths(POD_PATCH, patch)


@pytest.mark.parametrize(
    "mount_path",
    [
        "",
        "/",
        "data",
        "/data/",
        "/a/../b",
        "/..",
        "/dev/fuse",
        "/proc",
        "/sys/fs",
        "/a:b",
        "//",
        "//dev/shm",
        "/./dev/shm",
        "/a\n/..",
    ],
)
def test_a_mount_is_not_in_the_systems_folders(mount_path: str) -> None:
    patch = {
        "volumes": [{"name": "a", "emptyDir": {}}],
        "volumeMounts": [{"name": "a", "mountPath": mount_path}],
    }
    assert paths(POD_PATCH, patch) == ["volumeMounts[0].mountPath"]


OWN = "default-environments"


@pytest.mark.parametrize(
    "name",
    [
        "nb-00000000-0000-0000-0000-000000000002",
        "home-00000000-0000-0000-0000-000000000003",
        "default-environments",
        "blue-environments",
        "build-0123456789abcdef-1",
        "discard-0123456789abcdef",
        "default-programs-0123456789",
        "submarine-notebooks-token-abcde",
    ],
)
@pytest.mark.parametrize(
    ("patch", "path"),
    [
        (
            {"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": OWN}}]},
            "volumes[0].persistentVolumeClaim.claimName",
        ),
        (
            {"volumes": [{"name": "a", "secret": {"secretName": OWN}}]},
            "volumes[0].secret.secretName",
        ),
        ({"volumes": [{"name": "a", "configMap": {"name": OWN}}]}, "volumes[0].configMap.name"),
        (
            {
                "volumes": [
                    {
                        "name": "a",
                        "csi": {"driver": "x.example", "nodePublishSecretRef": {"name": OWN}},
                    }
                ]
            },
            "volumes[0].csi.nodePublishSecretRef.name",
        ),
        (
            {
                "volumes": [
                    {"name": "a", "csi": {"driver": "x", "volumeAttributes": {"secret": OWN}}}
                ]
            },
            "volumes[0].csi.volumeAttributes.secret",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": OWN, "key": "k"}}}]},
            "env[0].valueFrom.secretKeyRef.name",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": OWN, "key": "k"}}}]},
            "env[0].valueFrom.configMapKeyRef.name",
        ),
        (
            {
                "sidecars": [
                    {
                        "name": "s",
                        "image": "x",
                        "env": [
                            {
                                "name": "A",
                                "valueFrom": {"secretKeyRef": {"name": OWN, "key": "k"}},
                            }
                        ],
                    }
                ]
            },
            "sidecars[0].env[0].valueFrom.secretKeyRef.name",
        ),
    ],
)
def test_a_patch_does_not_name_the_services_own_objects(
    patch: dict[str, Any], path: str, name: str
) -> None:
    named = json.loads(json.dumps(patch).replace(OWN, name))
    assert paths(POD_PATCH, named) == [path]
    assert paths(POD_PATCH, json.loads(json.dumps(patch).replace(OWN, "shared-data"))) == []


@pytest.mark.parametrize(
    "key",
    [
        "k8s.v1.cni.cncf.io/networks",
        "v1.multus-cni.io/default-network",
        "kubernetes.io/egress-bandwidth",
        "cni.projectcalico.org/ipAddrs",
        "container.apparmor.security.beta.kubernetes.io/notebook",
        "seccomp.security.alpha.kubernetes.io/pod",
        "io.kubernetes.cri-o.userns-mode",
        "io.kubernetes.cri-o.Devices",
        "io.katacontainers.config.hypervisor.kernel_params",
        "run.oci.keep_original_groups",
        "cpu-quota.crio.io",
        "vault.hashicorp.com/agent-inject",
        "consul.hashicorp.com/connect-inject",
        "sidecar.istio.io/inject",
        "linkerd.io/inject",
        "iam.amazonaws.com/role",
        "azure.workload.identity/inject-proxy-sidecar",
        "injector.tumblr.com/request",
        "example.com/anything",
        "prometheus.io/scrape.evil",
        "submarine-notebooks/owner",
        "app.kubernetes.io/name",
    ],
)
def test_annotations_that_something_acts_on_are_refused(key: str) -> None:
    assert paths(POD_PATCH, {"annotations": {key: "x"}}) == [f"annotations.{key}"]


@pytest.mark.parametrize("key", ["note", "cost-center", "A_b", *ALLOWED_ANNOTATIONS])
def test_annotations_of_the_list_and_plain_names_may_be_set(key: str) -> None:
    assert paths(POD_PATCH, {"annotations": {key: "x"}}) == []


@pytest.mark.parametrize("key", ["team", "cost-center", "A_b", *ALLOWED_LABELS])
def test_labels_of_the_list_and_plain_names_may_be_set(key: str) -> None:
    assert paths(POD_PATCH, {"labels": {key: "x"}}) == []


@pytest.mark.parametrize(
    "key",
    [
        "submarine-notebooks/installation",
        "app.kubernetes.io/name",
        "app.kubernetes.io/managed-by",
        "aadpodidbinding",
        "pod-template-hash",
        "job-name",
        "azure.workload.identity/use",
        "kuma.io/sidecar-injection",
        "spiffe.io/spire-managed-identity",
        "openshift.io/scc",
        "dapr.io/enabled",
        "sidecar.istio.io/inject",
        "istio.io/rev",
        "admission.datadoghq.com/enabled",
        "topology.kubernetes.io/zone",
        "kueue.x-k8s.io/managed",
        "kueue.x-k8s.io/queue-name.x",
        "example.com/team",
        "example.com",
    ],
)
def test_labels_that_something_acts_on_are_refused(key: str) -> None:
    assert paths(POD_PATCH, {"labels": {key: "x"}}) == [f"labels.{key}"]


@pytest.mark.parametrize(
    "value",
    [
        "home-1",
        "notebooks/home-1",
        "notebooks:home-1",
        "notebooks.home-1",
        "home-1.notebooks",
        "notebooks%2Fhome-1",
        "ours,notebooks/default-environments",
        "name=nb-1;namespace=notebooks",
        '{"secret": "default-programs-0123456789"}',
        "objects:\n- build-0123-1\n",
        "https://vault.example/v1/submarine-notebooks-token-abcde",
    ],
)
def test_no_part_of_a_drivers_parameter_names_the_services_own(value: str) -> None:
    csi = {"driver": "x.example", "volumeAttributes": {"secret": value}}
    patch = {"volumes": [{"name": "a", "csi": csi}]}
    assert paths(POD_PATCH, patch) == ["volumes[0].csi.volumeAttributes.secret"]


@pytest.mark.parametrize("value", ["", "/export/home", "notebooks/shared-data", "nfs.example.com"])
def test_drivers_get_other_parameters(value: str) -> None:
    csi = {"driver": "x.example", "volumeAttributes": {"share": value}}
    assert paths(POD_PATCH, {"volumes": [{"name": "a", "csi": csi}]}) == []


@pytest.mark.parametrize(
    "mount_path",
    [
        "/opt",
        "/opt/submarine",
        "/opt/submarine/environments",
        "/opt/submarine/environments/0123",
        "/opt/submarine/program",
        "/run",
        "/run/secrets",
        "/run/secrets/kubernetes.io/serviceaccount",
        "/var/run",
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "/var",
        "/etc/submarine-notebooks/jupyter",
        "/etc/submarine-secrets",
        "/etc",
        "/tmp",  # noqa: S108
        "/tmp/jupyter-runtime/x",  # noqa: S108
    ],
)
def test_a_mount_is_not_in_the_services_folders(mount_path: str) -> None:
    mounts = [{"name": "a", "mountPath": mount_path}]
    volumes = [{"name": "a", "emptyDir": {}}]
    patch = {"volumes": volumes, "volumeMounts": mounts}
    assert paths(POD_PATCH, patch) == ["volumeMounts[0].mountPath"]
    patch = {
        "volumes": volumes,
        "sidecars": [{"name": "s", "image": "x", "volumeMounts": mounts}],
    }
    assert paths(POD_PATCH, patch) == ["sidecars[0].volumeMounts[0].mountPath"]


@pytest.mark.parametrize(
    "mount_path",
    ["/opt/submarine-data", "/opt/data", "/run/secrets-of-us", "/data", "/home/jovyan/a"],
)
def test_a_mount_may_be_elsewhere(mount_path: str) -> None:
    volumes = [{"name": "a", "emptyDir": {}}]
    patch = {"volumes": volumes, "volumeMounts": [{"name": "a", "mountPath": mount_path}]}
    assert paths(POD_PATCH, patch) == []


@pytest.mark.parametrize("sub_path", ["", "/a", "..", "../a", "a/../../b", ".", "a//b"])
def test_a_mount_stays_in_its_volume(sub_path: str) -> None:
    patch = {
        "volumes": [{"name": "a", "emptyDir": {}}],
        "volumeMounts": [{"name": "a", "mountPath": "/a", "subPath": sub_path}],
    }
    assert paths(POD_PATCH, patch) == ["volumeMounts[0].subPath"]
