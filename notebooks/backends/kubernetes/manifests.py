"""The objects of the cluster, from what is asked (`SessionSpec`) and where (`SiteConfig`). Pure.

Pods pass the `restricted` Pod Security Standard, whatever image and patches they have.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import ROUND_UP, Decimal
from ipaddress import ip_network
from pathlib import Path

from notebooks.backends import rescue
from notebooks.backends.contract import SECRETS_FOLDER, Ceiling, SessionSpec
from notebooks.backends.kubernetes import (
    code_step,
    inside,
    mount_points,
    names,
    room,
    storage,
)
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.patch import apply
from notebooks.backends.kubernetes.text import literal
from submarine_site.core.networks import CLOUD_METADATA, TEREDO, embedding_networks
from submarine_site.core.pod_shapes import (
    CONFIG_VOLUME,
    NOTEBOOK_CONTAINER,
    SECRETS_VOLUME,
    SHARED_MEMORY_VOLUME,
    STORE_VOLUME,
)

CONTAINER = NOTEBOOK_CONTAINER
PORT = 8888
TOKEN_KEY = "token"  # noqa: S105
RUNTIME_DIR = "/tmp/jupyter-runtime"  # noqa: S108
SECRETS_PATH = "/etc/submarine-secrets"
STORE_PATH = "/opt/submarine/environments"
RESCUE_DIR = Path("/tmp/submarine-rescue")  # noqa: S108
NODE_LOST_SECONDS = 60
"""How long a pod waits for a lost node to come back."""
RUNTIME_SHARED_MEMORY_MIB = 64
"""What a pod has at `/dev/shm` by itself, of containerd as of CRI-O. To fill it is an error there,
while a pod that fills a volume of ours is evicted.
"""
START_SECONDS = 24 * 3600
"""The start-up probe may not end a start: what is too long is decided above the backend."""

# What holds for each container alone; the rest of the standard is said of the pod, once: whatever
# stands in a pod, the cluster reads and writes many times at each start.
CONFINED: Json = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

PROGRAMS = {**inside.FILES, **code_step.PROGRAM_FILES}
"""What runs in pods and is ours, by the keys of the ConfigMap that all of them share."""

# Where NodeLocal DNSCache listens on each node: link-local too, and no pod that a selector finds.
NODE_LOCAL_DNS = "169.254.20.10/32"


def pod(spec: SessionSpec, site: SiteConfig) -> Json:
    """The pod of a run, with what site and profile add to it."""
    placement = spec.placement
    made: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.run_name(spec.key),
            "labels": names.run_labels(spec.key, site.installation) | storage.use_labels(spec),
            "annotations": {
                **storage.described(spec.display_name, spec.owner),
                # Not escaped: that makes up to six bytes of one, and their number is limited.
                **(
                    {names.RECORD: json.dumps(spec.record, ensure_ascii=False)}
                    if spec.record
                    else {}
                ),
                # A node that is given up to save cost takes what people have in memory with it.
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": site.stop_seconds,
            # Else the namespace's Services stand in the environment, by names of their own choice.
            "enableServiceLinks": False,
            "automountServiceAccountToken": bool(placement.service_account),
            "securityContext": pod_security(site),
            **({"initContainers": steps} if (steps := _steps(spec, site)) else {}),
            "containers": [_notebook(spec, site)],
            "volumes": _volumes(spec, site),
            "imagePullSecrets": [{"name": name} for name in site.image_pull_secrets],
            **_scheduling(spec, site),
        },
    }
    sidecar = {"imagePullPolicy": site.image_pull_policy, "securityContext": CONFINED}
    # What the user asks for gives way to what operators say, and that to what stands above.
    patches = (_asked_for(spec), site.pod_patch, placement.pod_patch)
    return apply(made, patches, sidecar=sidecar)


def secret(spec: SessionSpec, site: SiteConfig) -> Json:
    """What is secret of a run: never part of the pod, which more people may read."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.run_name(spec.key),
            "labels": names.run_labels(spec.key, site.installation),
        },
        "type": "Opaque",
        "immutable": True,
        "stringData": {
            TOKEN_KEY: spec.token,
            **{_variable_key(name): value for name, value in spec.secrets.items()},
            **{_file_key(name): text for name, text in spec.secret_files.items()},
            **(code_step.secret_files(spec, site) if spec.code else {}),
        },
    }


def programs_map(site: SiteConfig) -> Json:
    """What all pods are given of ours. Its name is that of what it holds: pods of an older version
    of the service go on with theirs.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.programs_name(site.installation, PROGRAMS),
            "labels": names.labels(site.installation),
        },
        "immutable": True,
        "data": PROGRAMS,
    }


def _variable_key(name: str) -> str:
    return f"variable.{name}"


def _file_key(name: str) -> str:
    return f"file.{name}"


def network_policy(site: SiteConfig) -> Json:
    """Who reaches session pods: the gateway; and what they reach: all but what is blocked."""
    named = (*CLOUD_METADATA, *site.blocked_networks)
    # Translators and tunnels of the cluster's would lead from IPv6 to what is blocked of IPv4.
    embedding = (each for network in named for each in embedding_networks(network))
    blocked = list(dict.fromkeys((*named, *embedding, TEREDO)))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": names.policy_name(site.installation),
            "labels": names.labels(site.installation),
        },
        "spec": {
            "podSelector": {"matchLabels": {names.INSTALLATION: site.installation}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": list(site.gateway_peers), "ports": [{"protocol": "TCP", "port": PORT}]}
            ],
            "egress": [
                {"to": [_all_but(blocked, everything=each) for each in ("0.0.0.0/0", "::/0")]},
                {
                    # Names are resolved by pods, also where those have blocked addresses.
                    "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": NODE_LOCAL_DNS}}],
                    "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
                },
            ],
        },
    }


def backstop(ceiling: Ceiling, site: SiteConfig) -> Json:
    """What the namespace may have in all, as far as it is bounded."""
    hard = {
        "pods": None if ceiling.pods is None else str(ceiling.pods),
        "limits.cpu": None if ceiling.cpu_milli is None else f"{ceiling.cpu_milli}m",
        "limits.memory": None if ceiling.memory_mib is None else f"{ceiling.memory_mib}Mi",
        **{f"requests.{name}": str(amount) for name, amount in ceiling.gpus.items()},
    }
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {
            "name": names.backstop_name(site.installation),
            "labels": names.labels(site.installation),
        },
        "spec": {"hard": {name: most for name, most in hard.items() if most is not None}},
    }


def _all_but(blocked: Iterable[str], *, everything: str) -> Json:
    family = ip_network(everything).version
    excepted = [each for each in blocked if ip_network(each).version == family]
    return {"ipBlock": {"cidr": everything, "except": excepted}}


def _notebook(spec: SessionSpec, site: SiteConfig) -> Json:
    answers = {"httpGet": {"path": f"{spec.base_url}api", "port": PORT}, "timeoutSeconds": 5}
    return {
        "name": CONTAINER,
        "image": spec.image,
        "imagePullPolicy": site.image_pull_policy,
        # Arguments alone: the image's entry point is run with them.
        "args": _command(spec, site),
        "workingDir": site.home_path,
        "env": [
            {"name": "HOME", "value": site.home_path},
            # What the memory display of jupyter-resource-usage measures against.
            {"name": "CPU_LIMIT", "value": f"{spec.resources.cpu_milli / 1000:g}"},
            {"name": "MEM_LIMIT", "value": str(spec.resources.memory_mib * 1024**2)},
            {"name": "JUPYTER_CONFIG_PATH", "value": inside.FOLDER},
            {"name": inside.JUPYTER, "value": literal(inside.variable(spec))},
            # Sockets and files that others may not read do not work on every kind of volume, and
            # what is in there is of no use to the next run.
            {"name": "JUPYTER_RUNTIME_DIR", "value": RUNTIME_DIR},
            {
                "name": "JUPYTER_TOKEN",
                "valueFrom": {"secretKeyRef": {"name": names.run_name(spec.key), "key": TOKEN_KEY}},
            },
            *_kernel_path(spec),
            *_usage(spec, site),
            *_files_of_jupyter(spec, site),
        ],
        "resources": _resources(spec),
        "securityContext": CONFINED,
        "startupProbe": answers | {"periodSeconds": 1, "failureThreshold": START_SECONDS},
        "readinessProbe": answers | {"periodSeconds": 10},
        "volumeMounts": [
            *storage.mounts(spec, site),
            *(
                [{"name": SHARED_MEMORY_VOLUME, "mountPath": "/dev/shm"}]  # noqa: S108
                if _has_own_shared_memory(spec)
                else []
            ),
            {"name": CONFIG_VOLUME, "mountPath": inside.FOLDER, "readOnly": True},
            *(
                # Of the store what is its own: the others may hold what others alone may see.
                {
                    "name": STORE_VOLUME,
                    "mountPath": f"{STORE_PATH}/{kernel.digest}",
                    "subPath": kernel.digest,
                    "readOnly": True,
                }
                for kernel in spec.kernels
            ),
        ],
    }


def _kernel_path(spec: SessionSpec) -> list[Json]:
    """Where Jupyter looks for kernels before it looks elsewhere."""
    folders = [f"{STORE_PATH}/{kernel.digest}/share/jupyter" for kernel in spec.kernels]
    return [{"name": "JUPYTER_PATH", "value": ":".join(folders)}] if folders else []


def _usage(spec: SessionSpec, site: SiteConfig) -> list[Json]:
    """Where the volumes are of whose use the session tells."""
    folders = storage.folders(spec, site)
    value = literal(json.dumps(folders))
    return [{"name": inside.VOLUMES, "value": value}] if folders else []


def _files_of_jupyter(spec: SessionSpec, site: SiteConfig) -> list[Json]:
    """Where the server keeps files of its own."""
    variables = (
        rescue.environment(RESCUE_DIR)
        if spec.is_rescue
        else inside.workspaces(Path(site.home_path), spec)
    )
    return [{"name": name, "value": value} for name, value in variables.items()]


def _steps(spec: SessionSpec, site: SiteConfig) -> list[Json]:
    """What comes before the server, in the home."""
    steps = [mount_points.container(spec, site)] if spec.mounts else []
    if spec.code:
        steps.append(code_step.container(spec, site))
    # No more than the server itself, so that it asks for nothing beyond.
    without_gpus = replace(spec, resources=replace(spec.resources, gpus=0))
    common = {
        "imagePullPolicy": site.image_pull_policy,
        "resources": _resources(without_gpus),
        "securityContext": CONFINED,
    }
    return [step | common for step in steps]


def _asked_for(spec: SessionSpec) -> Json:
    """The user's own variables and files, in the form of a patch."""
    own = names.run_name(spec.key)
    env: list[Json] = [
        {"name": name, "value": literal(value)} for name, value in spec.variables.items()
    ]
    env += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": own, "key": _variable_key(name)}}}
        for name in spec.secrets
    ]
    if not spec.secret_files:
        return {"env": env}
    items = [{"key": _file_key(name), "path": name} for name in spec.secret_files]
    return {
        "env": [*env, {"name": SECRETS_FOLDER, "value": SECRETS_PATH}],
        "volumes": [
            {
                "name": SECRETS_VOLUME,
                # In memory on the node.
                "secret": {"secretName": own, "items": items, "defaultMode": 0o400},
            }
        ],
        "volumeMounts": [{"name": SECRETS_VOLUME, "mountPath": SECRETS_PATH, "readOnly": True}],
    }


def _command(spec: SessionSpec, site: SiteConfig) -> list[str]:
    options: dict[str, object] = {
        # Where it is set, Jupyter listens at no address.
        "ServerApp.sock": "",
        # All addresses of both families that the pod has.
        "ServerApp.ip": "*",
        "ServerApp.port": PORT,
        # Another port would not be found.
        "ServerApp.port_retries": 0,
        "ServerApp.base_url": spec.base_url,
        "ServerApp.root_dir": site.home_path,
        # The gateway keeps the host that the browser asked for.
        "ServerApp.allow_remote_access": True,
    }
    if spec.kernels:
        options["MultiKernelManager.default_kernel_name"] = spec.kernels[0].name
    if spec.is_rescue:
        options |= rescue.OPTIONS
    command = ["jupyter", "lab", *(f"--{name}={value}" for name, value in options.items())]
    looks = spec.home and not spec.is_rescue
    return room.looking_first(command, run=names.run_name(spec.key)) if looks else command


def _resources(spec: SessionSpec) -> Json:
    asked, placement = spec.resources, spec.placement
    gpus = {placement.gpu_resource: str(asked.gpus)} if asked.gpus else {}
    cpu = _share(asked.cpu_milli, placement.cpu_overcommit)
    memory = _share(asked.memory_mib, placement.memory_overcommit)
    return {
        "limits": {"cpu": f"{asked.cpu_milli}m", "memory": f"{asked.memory_mib}Mi", **gpus},
        "requests": {"cpu": f"{cpu}m", "memory": f"{memory}Mi", **gpus},
    }


def _share(limit: int, overcommit: Decimal) -> int:
    return int((limit / overcommit).to_integral_value(ROUND_UP))


def _volumes(spec: SessionSpec, site: SiteConfig) -> list[Json]:
    programs = names.programs_name(site.installation, PROGRAMS)
    return [
        *storage.pod_volumes(spec),
        *([_shared_memory(spec)] if _has_own_shared_memory(spec) else []),
        {"name": CONFIG_VOLUME, "configMap": {"name": programs}},
        *([code_step.volume(spec, programs)] if spec.code else []),
        *([_store(site)] if spec.kernels else []),
    ]


def _has_own_shared_memory(spec: SessionSpec) -> bool:
    return spec.placement.shared_memory_mib != RUNTIME_SHARED_MEMORY_MIB


def _shared_memory(spec: SessionSpec) -> Json:
    size = f"{spec.placement.shared_memory_mib}Mi"
    return {"name": SHARED_MEMORY_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def _store(site: SiteConfig) -> Json:
    claim = {"claimName": names.store_name(site.installation)}
    return {"name": STORE_VOLUME, "persistentVolumeClaim": claim}


def pod_security(site: SiteConfig) -> Json:
    return {
        "runAsNonRoot": True,
        "runAsUser": site.user_id,
        "runAsGroup": site.group_id,
        "fsGroup": site.group_id,
        # To look through all files of a large home at each start takes minutes.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _scheduling(spec: SessionSpec, site: SiteConfig) -> Json:
    placement = spec.placement
    hints = [
        {
            "weight": 100,
            "preference": {"matchExpressions": [{"key": k, "operator": "In", "values": [v]}]},
        }
        for k, v in placement.preferred_nodes.items()
    ]
    lost = [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": NODE_LOST_SECONDS,
        }
        for state in ("not-ready", "unreachable")
    ]
    affinity = storage.affinity(spec, site)
    if hints:
        affinity["nodeAffinity"] = {"preferredDuringSchedulingIgnoredDuringExecution": hints}
    chosen: Json = {
        "nodeSelector": dict(placement.node_selector),
        "affinity": affinity,
        "tolerations": [*map(dict, placement.tolerations), *lost],
        "priorityClassName": placement.priority_class,
        "serviceAccountName": placement.service_account,
        "schedulerName": site.scheduler,
    }
    return {field: value for field, value in chosen.items() if value}
