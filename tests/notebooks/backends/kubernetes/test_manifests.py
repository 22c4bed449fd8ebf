"""What is sent to the cluster for a session, and that it passes the restricted standard."""

import json
from dataclasses import replace
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notebooks.backends.contract import RunKey, SessionSpec
from notebooks.backends.kubernetes import inside, manifests, names, room
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import GATEWAY_PODS, SiteConfig
from submarine_site.core.placement import Placement
from submarine_site.core.pod_shapes import POD_PATCH
from submarine_site.core.resources import Resources
from tests.notebooks.backends.kubernetes.pod_patches import ALLOWED, ANY
from tests.notebooks.backends.kubernetes.pod_security import violations
from volumes.contract import VolumeSpec

SESSION, RUN, HOME = (str(UUID(int=number)) for number in (1, 2, 3))
SITE = SiteConfig()
SPEC = SessionSpec(
    key=RunKey(session_id=UUID(SESSION), run_id=UUID(RUN)),
    display_name="Größe 🐟",
    owner="ada",
    image="example/notebook:1",
    resources=Resources(cpu_milli=1500, memory_mib=2048),
    base_url=f"/session/{SESSION}/",
    token="s3cret",
    home=VolumeSpec(id=UUID(HOME)),
)
COMMON = {
    "app.kubernetes.io/name": "submarine-notebooks",
    "app.kubernetes.io/component": "session",
    "submarine-notebooks/installation": "default",
}
OF_RUN = COMMON | {"submarine-notebooks/session": SESSION, "submarine-notebooks/run": RUN}
SHARED_MEMORY = "/dev/shm"  # noqa: S108
CONFIG = "/etc/submarine-notebooks/submarine_session"
CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod_of(site: SiteConfig = SITE, *, resources: Resources | None = None, **placed: Any) -> Json:
    spec = replace(SPEC, placement=Placement(**placed), resources=resources or SPEC.resources)
    return manifests.pod(spec, site)


def notebook(pod: Json) -> Json:
    container: Json = pod["spec"]["containers"][0]
    return container


def test_a_session_is_one_pod() -> None:
    answers = {
        "httpGet": {"path": f"/session/{SESSION}/api", "port": 8888},
        "timeoutSeconds": 5,
    }
    assert manifests.pod(SPEC, SITE) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"nb-{RUN}",
            "labels": OF_RUN | {f"submarine-notebooks/volume.{HOME}": ""},
            "annotations": {
                "submarine-notebooks/name": "Größe 🐟",
                "submarine-notebooks/owner": "ada",
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "imagePullSecrets": [],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 100,
                "fsGroup": 100,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "notebook",
                    "image": "example/notebook:1",
                    "imagePullPolicy": "IfNotPresent",
                    "args": [
                        *room.looking_first([], run=f"nb-{RUN}"),
                        "jupyter",
                        "lab",
                        "--ServerApp.sock=",
                        "--ServerApp.ip=*",
                        "--ServerApp.port=8888",
                        "--ServerApp.port_retries=0",
                        f"--ServerApp.base_url=/session/{SESSION}/",
                        "--ServerApp.root_dir=/home/jovyan",
                        "--ServerApp.allow_remote_access=True",
                    ],
                    "workingDir": "/home/jovyan",
                    "env": [
                        {"name": "HOME", "value": "/home/jovyan"},
                        {"name": "CPU_LIMIT", "value": "1.5"},
                        {"name": "MEM_LIMIT", "value": str(2 * 1024**3)},
                        {"name": "JUPYTER_CONFIG_PATH", "value": CONFIG},
                        {"name": "SUBMARINE_JUPYTER", "value": '{"memory_mib": 2048}'},
                        {"name": "JUPYTER_RUNTIME_DIR", "value": manifests.RUNTIME_DIR},
                        {
                            "name": "JUPYTER_TOKEN",
                            "valueFrom": {"secretKeyRef": {"name": f"nb-{RUN}", "key": "token"}},
                        },
                        {
                            "name": "SUBMARINE_VOLUMES",
                            "value": json.dumps({HOME: "/home/jovyan"}),
                        },
                        {
                            "name": "JUPYTERLAB_WORKSPACES_DIR",
                            "value": f"/home/jovyan/.jupyter/lab/workspaces/submarine/{SESSION}",
                        },
                    ],
                    "resources": {
                        "limits": {"cpu": "1500m", "memory": "2048Mi"},
                        "requests": {"cpu": "1500m", "memory": "2048Mi"},
                    },
                    "securityContext": CONFINED,
                    "startupProbe": answers | {"periodSeconds": 1, "failureThreshold": 86400},
                    "readinessProbe": answers | {"periodSeconds": 10},
                    "volumeMounts": [
                        {"name": "home", "mountPath": "/home/jovyan"},
                        {
                            "name": "jupyter-config",
                            "mountPath": CONFIG,
                            "readOnly": True,
                        },
                    ],
                }
            ],
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": f"home-{HOME}"}},
                {
                    "name": "jupyter-config",
                    "configMap": {
                        "name": names.programs_name("default", manifests.PROGRAMS),
                    },
                },
            ],
            "tolerations": [
                {
                    "key": f"node.kubernetes.io/{state}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 60,
                }
                for state in ("not-ready", "unreachable")
            ],
        },
    }


def test_a_profile_places_its_pods() -> None:
    pod = pod_of(
        resources=Resources(cpu_milli=1000, memory_mib=1000, gpus=2),
        shared_memory_mib=512,
        cpu_overcommit=Decimal(3),
        memory_overcommit=Decimal("1.5"),
        gpu_resource="amd.com/gpu",
        node_selector={"pool": "notebooks"},
        preferred_nodes={"disk": "fast", "zone": "a"},
        tolerations=({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
        priority_class="people",
        service_account="reader",
    )
    assert notebook(pod)["resources"] == {
        "limits": {"cpu": "1000m", "memory": "1000Mi", "amd.com/gpu": "2"},
        "requests": {"cpu": "334m", "memory": "667Mi", "amd.com/gpu": "2"},
    }
    spec = pod["spec"]
    assert spec["volumes"][1] == {
        "name": "shared-memory",
        "emptyDir": {"medium": "Memory", "sizeLimit": "512Mi"},
    }
    assert notebook(pod)["volumeMounts"][1] == {
        "name": "shared-memory",
        "mountPath": SHARED_MEMORY,
    }
    assert spec["nodeSelector"] == {"pool": "notebooks"}
    assert spec["affinity"] == {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "preference": {
                        "matchExpressions": [{"key": key, "operator": "In", "values": [value]}]
                    },
                }
                for key, value in (("disk", "fast"), ("zone", "a"))
            ]
        }
    }
    assert spec["tolerations"][0] == {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert len(spec["tolerations"]) == 3
    assert spec["priorityClassName"] == "people"
    assert spec["serviceAccountName"] == "reader"
    assert spec["automountServiceAccountToken"] is True


def test_a_site_says_where_its_pods_run() -> None:
    site = SiteConfig(
        installation="blue",
        home_path="/home/me",
        user_id=1001,
        group_id=1002,
        image_pull_policy="Always",
        image_pull_secrets=("registry",),
        stop_seconds=5,
        scheduler="other",
    )
    pod = pod_of(site)
    spec, container = pod["spec"], notebook(pod)
    assert pod["metadata"]["labels"]["submarine-notebooks/installation"] == "blue"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert (spec["terminationGracePeriodSeconds"], spec["schedulerName"]) == (5, "other")
    ids = {name: spec["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")}
    assert ids == {"runAsUser": 1001, "runAsGroup": 1002, "fsGroup": 1002}
    assert container["imagePullPolicy"] == "Always"
    assert container["volumeMounts"][0]["mountPath"] == container["workingDir"] == "/home/me"
    assert "--ServerApp.root_dir=/home/me" in container["args"]


def test_a_run_without_a_volume_for_its_home_has_one_that_goes_with_it() -> None:
    pod = manifests.pod(replace(SPEC, home=None), SITE)
    assert pod["spec"]["volumes"][0] == {"name": "home", "emptyDir": {}}
    assert notebook(pod)["volumeMounts"][0] == {"name": "home", "mountPath": "/home/jovyan"}
    assert "SUBMARINE_VOLUMES" not in {each["name"] for each in notebook(pod)["env"]}


@pytest.mark.parametrize("mib", [1, 63, 65])
def test_shared_memory_is_a_volume_unless_the_runtime_gives_just_as_much(mib: int) -> None:
    [volume] = [v for v in pod_of(shared_memory_mib=mib)["spec"]["volumes"] if "medium" in str(v)]
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": f"{mib}Mi"}
    assert "shared-memory" not in str(pod_of(shared_memory_mib=64))


def test_the_token_is_in_the_secret_alone() -> None:
    assert manifests.secret(SPEC, SITE) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"nb-{RUN}", "labels": OF_RUN},
        "type": "Opaque",
        "immutable": True,
        "stringData": {"token": "s3cret"},
    }
    assert "s3cret" not in str(manifests.pod(SPEC, SITE))


def test_the_token_is_in_no_file_of_the_pod() -> None:
    volumes = manifests.pod(SPEC, SITE)["spec"]["volumes"]
    assert not [volume for volume in volumes if "secret" in volume]


def test_pods_share_what_is_the_service_s_own_by_a_name_that_says_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = manifests.programs_map(SITE)
    [*_, config] = manifests.pod(SPEC, SITE)["spec"]["volumes"]
    assert config["configMap"]["name"] == shared["metadata"]["name"]
    assert inside.FILES.items() <= shared["data"].items()
    assert shared["immutable"] is True
    monkeypatch.setitem(manifests.PROGRAMS, "submarine_container.py", "another version")
    assert manifests.programs_map(SITE)["metadata"]["name"] != shared["metadata"]["name"]


def test_what_people_write_is_bounded() -> None:
    spec = replace(SPEC, display_name="x" * 1000, owner="y" * 1000)
    annotations = manifests.pod(spec, SITE)["metadata"]["annotations"]
    assert annotations["submarine-notebooks/name"] == "x" * 200
    assert annotations["submarine-notebooks/owner"] == "y" * 200


def test_the_record_is_written_as_it_is() -> None:
    """Escaped it has up to six bytes for one, and a cluster refuses more than 256 KiB in all."""
    spec = replace(SPEC, record={"A": "é\x1b"})
    annotations = manifests.pod(spec, SITE)["metadata"]["annotations"]
    assert annotations["submarine-notebooks/record"] == '{"A": "é\\u001b"}'


def test_only_the_gateway_reaches_sessions() -> None:
    policy = manifests.network_policy(SITE)
    assert policy["metadata"] == {"name": "default-sessions", "labels": COMMON}
    spec = policy["spec"]
    assert spec["podSelector"] == {"matchLabels": {"submarine-notebooks/installation": "default"}}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [
        {"from": [GATEWAY_PODS], "ports": [{"protocol": "TCP", "port": 8888}]}
    ]


def is_reached(address: str, policy: Json) -> bool:
    """Whether the first rule of egress, which is for addresses, lets through to it."""
    blocks = [peer["ipBlock"] for peer in policy["spec"]["egress"][0]["to"]]
    target = ip_address(address)
    return any(
        target in ip_network(block["cidr"])
        and not any(target in ip_network(network) for network in block["except"])
        for block in blocks
    )


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("10.1.2.3", False),
        ("fc00::1", False),
        ("169.254.169.254", False),
        ("169.254.170.2", False),
        ("fe80::a9fe:a9fe", False),
        ("fd00:ec2::254", False),
        ("fd20:ce::254", False),
        ("168.63.129.16", False),
        ("100.100.100.200", False),
        ("64:ff9b::192.0.2.1", True),
        ("64:ff9b::10.1.2.3", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b::168.63.129.16", False),
        ("64:ff9b::100.100.100.200", False),
        ("64:ff9b:1::192.0.2.1", True),
        ("64:ff9b:1::10.1.2.3", False),
        ("64:ff9b:1::169.254.169.254", False),
        ("2002:c000:201::1", True),
        ("2002:a01:203::1", False),
        ("2002:a9fe:a9fe::1", False),
        ("::192.0.2.1", True),
        ("::10.1.2.3", False),
        # Of Teredo the address is where no network of Kubernetes' can name it.
        ("2001:0:c000:201::5601:5601", False),
        ("2001:db8::5601:5601", True),
    ],
)
def test_sessions_reach_neither_metadata_nor_what_is_blocked(
    address: str, *, reached: bool
) -> None:
    site = SiteConfig(blocked_networks=("10.0.0.0/8", "fc00::/10"))
    assert is_reached(address, manifests.network_policy(site)) is reached


def test_no_network_is_taken_for_one_of_the_other_family() -> None:
    for peer in manifests.network_policy(SITE)["spec"]["egress"][0]["to"]:
        for network in map(ip_network, peer["ipBlock"]["except"]):
            assert network.version == ip_network(peer["ipBlock"]["cidr"]).version
            assert getattr(network.network_address, "ipv4_mapped", None) is None


def test_names_are_resolved_whatever_is_blocked() -> None:
    [_, names] = manifests.network_policy(SITE)["spec"]["egress"]
    assert names == {
        "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "169.254.20.10/32"}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }


def test_a_network_that_is_blocked_twice_stands_once() -> None:
    site = SiteConfig(blocked_networks=("169.254.0.0/16",))
    assert manifests.network_policy(site) == manifests.network_policy(SITE)


KEYS = st.sampled_from(["a", "example.com/a"])
PATCH = st.one_of(ALLOWED, ANY)
PLACEMENT = st.builds(
    Placement,
    shared_memory_mib=st.integers(1, 2**20),
    cpu_overcommit=st.decimals(1, 100, places=2),
    memory_overcommit=st.decimals(1, 100, places=2),
    node_selector=st.dictionaries(KEYS, st.just("x"), max_size=2),
    preferred_nodes=st.dictionaries(KEYS, st.just("x"), max_size=2),
    priority_class=st.sampled_from(["", "people"]),
    service_account=st.sampled_from(["", "reader"]),
    pod_patch=PATCH,
)
RESOURCES = st.builds(
    Resources,
    cpu_milli=st.integers(1, 10**6),
    memory_mib=st.integers(1, 2**24),
    gpus=st.integers(0, 16),
)


def quantity(text: str) -> int:
    return int(text.rstrip("mMi"))


@settings(max_examples=200, deadline=None)
@given(placement=PLACEMENT, of_site=PATCH, resources=RESOURCES)
def test_with_every_patch_that_is_accepted_a_pod_is_restricted_and_ours(
    placement: Placement, of_site: Json, resources: Resources
) -> None:
    patches = [
        patch if not list(POD_PATCH(patch, "")) else {} for patch in (of_site, placement.pod_patch)
    ]
    spec = replace(SPEC, resources=resources, placement=replace(placement, pod_patch=patches[1]))
    pod = manifests.pod(spec, SiteConfig(pod_patch=patches[0]))
    assert violations(pod) == []
    plain = manifests.pod(replace(spec, placement=replace(placement, pod_patch={})), SITE)
    for field in ("labels", "annotations"):
        assert plain["metadata"][field].items() <= pod["metadata"][field].items()
    ours, theirs = notebook(plain), notebook(pod)
    for field in ("env", "volumeMounts"):
        assert theirs.pop(field)[: len(ours[field])] == ours.pop(field)
    assert theirs == ours
    own = plain["spec"]["volumes"]
    assert pod["spec"]["volumes"][: len(own)] == own
    assert {name for name in pod["spec"] if pod["spec"][name] != plain["spec"].get(name)} <= {
        "containers",
        "volumes",
    }
    limits, requests = ours["resources"]["limits"], ours["resources"]["requests"]
    for kind in ("cpu", "memory"):
        assert 1 <= quantity(requests[kind]) <= quantity(limits[kind])


@settings(max_examples=50, deadline=None)
@given(patch=ALLOWED)
def test_a_patch_of_what_is_allowed_is_accepted(patch: Json) -> None:
    assert list(POD_PATCH(patch, "")) == []


def test_the_standard_is_told_from_less() -> None:
    pod = {
        "metadata": {"annotations": {}},
        "spec": {
            "hostNetwork": True,
            "volumes": [{"name": "a", "hostPath": {"path": "/"}}],
            "containers": [{"securityContext": {"privileged": True, "runAsUser": 0}}],
        },
    }
    assert violations(pod) == [
        "Capabilities",
        "Host Namespaces",
        "Privilege Escalation",
        "Privileged Containers",
        "Running as Non-root",
        "Running as Non-root user",
        "Seccomp",
        "Volume Types",
    ]


ENTRUSTED = replace(
    SPEC,
    variables={"MODE": "fast", "TRICK": "$(JUPYTER_TOKEN) $$ $HOME"},
    secrets={"API_KEY": "hunter2-hunter2"},
    secret_files={"key.json": "a file's text"},
)


def test_variables_stand_in_the_pod_and_secrets_in_the_runs_secret() -> None:
    pod = manifests.pod(ENTRUSTED, SITE)
    added = notebook(pod)["env"][len(notebook(manifests.pod(SPEC, SITE))["env"]) :]
    assert added == [
        {"name": "MODE", "value": "fast"},
        # What the cluster makes of it is `$(JUPYTER_TOKEN) $$ $HOME` again.
        {"name": "TRICK", "value": "$$(JUPYTER_TOKEN) $$$$ $$HOME"},
        {
            "name": "API_KEY",
            "valueFrom": {"secretKeyRef": {"name": f"nb-{RUN}", "key": "variable.API_KEY"}},
        },
        {"name": "SUBMARINE_SECRETS", "value": "/etc/submarine-secrets"},
    ]
    assert pod["spec"]["volumes"][-1] == {
        "name": "session-secrets",
        "secret": {
            "secretName": f"nb-{RUN}",
            "items": [{"key": "file.key.json", "path": "key.json"}],
            "defaultMode": 0o400,
        },
    }
    assert notebook(pod)["volumeMounts"][-1] == {
        "name": "session-secrets",
        "mountPath": "/etc/submarine-secrets",
        "readOnly": True,
    }
    assert violations(pod) == []
    assert "hunter2" not in str(pod)
    assert "a file's text" not in str(pod)
    data = manifests.secret(ENTRUSTED, SITE)["stringData"]
    assert data == {
        "token": "s3cret",
        "variable.API_KEY": "hunter2-hunter2",
        "file.key.json": "a file's text",
    }


def test_variables_give_way_to_what_operators_say_and_that_to_the_service() -> None:
    spec = replace(
        ENTRUSTED,
        variables={"HOME": "/evil", "JUPYTER_TOKEN": "x", "PIP_INDEX_URL": "mine", "MODE": "mine"},
        secrets={"TIER": "mine"},
        placement=Placement(pod_patch={"env": [{"name": "TIER", "value": "profile's"}]}),
    )
    site = SiteConfig(pod_patch={"env": [{"name": "PIP_INDEX_URL", "value": "site's"}]})
    listed = notebook(manifests.pod(spec, site))["env"]
    env = {each["name"]: each.get("value") for each in listed}
    assert len(env) == len(listed)
    assert (env["HOME"], env["JUPYTER_TOKEN"]) == ("/home/jovyan", None)
    assert (env["PIP_INDEX_URL"], env["TIER"], env["MODE"]) == ("site's", "profile's", "mine")


def test_an_operator_cannot_take_the_place_of_a_volume() -> None:
    for patch in (
        {"volumes": [{"name": f"attached-{HOME}", "emptyDir": {}}]},
        {"env": [{"name": "SUBMARINE_VOLUMES", "value": "{}"}]},
        {"sidecars": [{"name": "mount-points", "image": "a"}]},
    ):
        assert list(POD_PATCH(patch, "")), patch


def test_an_operator_cannot_take_the_place_of_the_secrets() -> None:
    for patch in (
        {"volumes": [{"name": "session-secrets", "emptyDir": {}}]},
        {"env": [{"name": "SUBMARINE_SECRETS", "value": "/tmp"}]},  # noqa: S108
        {
            "volumes": [{"name": "a", "emptyDir": {}}],
            "volumeMounts": [{"name": "a", "mountPath": "/etc/submarine-secrets"}],
        },
    ):
        assert list(POD_PATCH(patch, "")), patch
