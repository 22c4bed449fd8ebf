"""What may stand in the parts of a pod that operators write: their form, and what is refused.

`POD_PATCH` is the closed list of what a profile or site may add to a pod. Nothing in it takes
away, replaces or weakens what the service puts there.
"""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from submarine_site.core.image_references import image_reference
from submarine_site.core.object_names import LABEL_PREFIX, contains_own_name, is_own_name
from submarine_site.core.shapes import (
    Check,
    Problem,
    at,
    both,
    choice,
    flag,
    integer,
    items,
    mapping,
    record,
    text,
    unless,
)

NOTEBOOK_CONTAINER = "notebook"
CODE_CONTAINER = "code"
MOUNT_POINTS_CONTAINER = "mount-points"
HOME_VOLUME = "home"
SHARED_MEMORY_VOLUME = "shared-memory"
CONFIG_VOLUME = "jupyter-config"
SECRETS_VOLUME = "session-secrets"
STORE_VOLUME = "environments"
CODE_VOLUME = "code"
ATTACHED_VOLUME = "attached-"
"""Before the volume's id."""
OWN_ENVIRONMENT = frozenset(
    {
        "CPU_LIMIT",
        "HOME",
        "JUPYTERLAB_WORKSPACES_DIR",
        "JUPYTER_CONFIG_PATH",
        "JUPYTER_NO_CONFIG",
        "JUPYTER_PATH",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTER_TOKEN",
        "MEM_LIMIT",
        "SUBMARINE_JUPYTER",
        "SUBMARINE_SECRETS",
        "SUBMARINE_VOLUMES",
    }
)
"""Environment variables of the notebook container that the service sets."""

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

DNS_LABEL = text(
    _LABEL,
    what="a name of small letters, digits and hyphens, at most 63, with a letter or digit at "
    "both ends",
)
DNS_SUBDOMAIN = text(
    _SUBDOMAIN,
    most=253,
    what="a name of small letters, digits, hyphens and dots, with a letter or digit at both ends",
)
LABEL_KEY = text(
    rf"({_SUBDOMAIN}/)?{_NAME}",
    most=317,
    what="a label's name, such as team or example.com/team",
)
LABEL_VALUE = text(
    rf"({_NAME})?",
    what="a label's value: at most 63 letters, digits, hyphens, dots and underscores, with a "
    "letter or digit at both ends",
)
RESOURCE_NAME = text(
    rf"{_SUBDOMAIN}/{_NAME}", most=317, what="the name of a resource, such as nvidia.com/gpu"
)
QUANTITY = text(
    r"(?=.*[1-9])[0-9]+(\.[0-9]+)?(m|[kMGTPE]|[KMGTPE]i)?",
    what="an amount such as 500m, 2 or 10Gi",
)
LABELS = mapping(keys=LABEL_KEY, values=LABEL_VALUE)

_SECONDS = integer(least=0, most=2**31 - 1)
_TOLERATION = record(
    optional={
        "key": LABEL_KEY,
        "operator": choice("Equal", "Exists"),
        "value": LABEL_VALUE,
        "effect": choice("NoSchedule", "PreferNoSchedule", "NoExecute"),
        "tolerationSeconds": _SECONDS,
    }
)


def _agrees(value: Any, path: str) -> Iterator[Problem]:
    exists = value.get("operator") == "Exists"
    if exists and "value" in value:
        yield Problem(path, "With the operator Exists there is no value.")
    if not exists and "key" not in value:
        yield Problem(path, "Without a key the operator has to be Exists.")
    if "tolerationSeconds" in value and value.get("effect") != "NoExecute":
        yield Problem(path, "tolerationSeconds needs the effect NoExecute.")


TOLERATIONS = items(both(_TOLERATION, _agrees))

_SELECTOR = record(
    optional={
        "matchLabels": LABELS,
        "matchExpressions": items(
            record(
                required={
                    "key": LABEL_KEY,
                    "operator": choice("In", "NotIn", "Exists", "DoesNotExist"),
                },
                optional={"values": items(LABEL_VALUE)},
            )
        ),
    }
)


def _is_network(value: Any, path: str) -> Iterator[Problem]:
    try:
        ip_network(value)
    except ValueError as error:
        yield Problem(path, f"This is not a network: {error}.")


def _is_not_everything(value: Any, path: str) -> Iterator[Problem]:
    if ip_network(value).prefixlen == 0:
        yield Problem(path, "This is every address, which a policy cannot leave out.")


_NETWORK = both(
    text(r"[0-9A-Fa-f.:]+/[0-9]{1,3}", what="a network such as 10.0.0.0/8"), _is_network
)
BLOCKED_NETWORK = both(_NETWORK, _is_not_everything)

_PEER = record(
    optional={
        "podSelector": _SELECTOR,
        "namespaceSelector": _SELECTOR,
        "ipBlock": record(required={"cidr": _NETWORK}, optional={"except": items(_NETWORK)}),
    }
)


def _names_somebody(value: Any, path: str) -> Iterator[Problem]:
    if not value:
        yield Problem(path, "This needs an ipBlock, or a podSelector, a namespaceSelector or both.")
    if "ipBlock" in value and len(value) > 1:
        yield Problem(path, "Beside an ipBlock there are no selectors.")


# An empty list would let everybody in.
PEERS = items(both(_PEER, _names_somebody), least=1)

OTHERS_NAME = unless(is_own_name, "This name belongs to an object of the service.", DNS_SUBDOMAIN)
_OWN_LABELS = frozenset({"app.kubernetes.io/component", "app.kubernetes.io/name"})
ALLOWED_LABELS = (
    "app.kubernetes.io/instance",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/version",
    "kueue.x-k8s.io/priority-class",
    "kueue.x-k8s.io/queue-name",
)
"""Labels that a patch may set, beside names without a dot and a slash. Webhooks and controllers
add containers, identities and secrets to pods by labels of their own domains.
"""
REFUSED_LABELS = (
    "aadpodidbinding",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "pod-template-hash",
)
"""Labels without a domain that controllers act on: the first assigns an Azure identity to the pod,
and by the others workload controllers recognise pods of theirs.
"""
ALLOWED_ANNOTATIONS = (
    "karpenter.sh/do-not-disrupt",
    "kubectl.kubernetes.io/default-container",
    "kubectl.kubernetes.io/default-logs-container",
    "kubernetes.io/description",
    "prometheus.io/path",
    "prometheus.io/port",
    "prometheus.io/scheme",
    "prometheus.io/scrape",
)
"""What a patch may annotate, beside names without a dot and a slash. Runtimes, networks and
injectors of secrets are told by annotations what they do to a pod, and each new one by others.
"""


def _has_domain(key: str) -> bool:
    return "." in key or "/" in key


_ADDED_LABEL = unless(
    lambda key: key.startswith(LABEL_PREFIX) or key in _OWN_LABELS,
    "The service sets this one itself.",
    unless(
        lambda key: key in REFUSED_LABELS or (_has_domain(key) and key not in ALLOWED_LABELS),
        "A pod patch may not set this label: allowed are names without dots and slashes, other "
        f"than {', '.join(REFUSED_LABELS)}; and {', '.join(ALLOWED_LABELS)}.",
        LABEL_KEY,
    ),
)
_ADDED_ANNOTATION = unless(
    lambda key: _has_domain(key) and key not in ALLOWED_ANNOTATIONS,
    "A patch may not set this annotation: allowed are names without dots and slashes, and "
    f"{', '.join(ALLOWED_ANNOTATIONS)}.",
    LABEL_KEY,
)

_TEXT = text()
_ENV_NAME = text(r"[A-Za-z_][A-Za-z0-9_]*", what="the name of an environment variable")
_KEY_OF = {"name": OTHERS_NAME, "key": text(r"[-._a-zA-Z0-9]+", what="a key")}


def _environment(name: Check) -> Check:
    source = record(
        one_of={
            "configMapKeyRef": record(required=_KEY_OF, optional={"optional": flag}),
            "secretKeyRef": record(required=_KEY_OF, optional={"optional": flag}),
            "fieldRef": record(required={"fieldPath": _TEXT}),
        }
    )
    each = record(required={"name": name}, one_of={"value": _TEXT, "valueFrom": source})
    return items(each, unique="name")


_MODE = integer(least=0, most=0o777)
_FILES = {
    "defaultMode": _MODE,
    "optional": flag,
    "items": items(record(required={"key": _TEXT, "path": _TEXT}, optional={"mode": _MODE})),
}
_OWN_VOLUMES = frozenset(
    {HOME_VOLUME, SHARED_MEMORY_VOLUME, CONFIG_VOLUME, SECRETS_VOLUME, STORE_VOLUME, CODE_VOLUME}
)
# Of the kinds of volumes that the restricted standard allows, those that need nothing of the node
# and give no token of the cluster away.
_VOLUME = record(
    required={
        "name": unless(
            lambda name: name in _OWN_VOLUMES or name.startswith(ATTACHED_VOLUME),
            "The service has a volume of this name.",
            DNS_LABEL,
        )
    },
    one_of={
        "configMap": record(required={"name": OTHERS_NAME}, optional=_FILES),
        "csi": record(
            required={"driver": DNS_SUBDOMAIN},
            optional={
                "readOnly": flag,
                "fsType": _TEXT,
                # Drivers are told by these which Secret or claim they are to use.
                "volumeAttributes": mapping(
                    keys=_TEXT,
                    values=unless(contains_own_name, "This names the service's own.", _TEXT),
                ),
                "nodePublishSecretRef": record(required={"name": OTHERS_NAME}),
            },
        ),
        "emptyDir": record(optional={"medium": choice("", "Memory"), "sizeLimit": QUANTITY}),
        "persistentVolumeClaim": record(
            required={"claimName": OTHERS_NAME}, optional={"readOnly": flag}
        ),
        "secret": record(required={"secretName": OTHERS_NAME}, optional=_FILES),
    },
)

_STEP = r"(?!\.\.?(/|\Z))[^/:]+"
FOLDER = unless(
    lambda path: f"{path}/".startswith(("/dev/", "/proc/", "/sys/")),
    "This folder is the system's.",
    text(rf"(/{_STEP})+", what="an absolute path such as /data/raw, without .. and colons"),
)
_OWN_FOLDERS = (
    "/etc/submarine-code/",
    "/etc/submarine-notebooks/",
    "/etc/submarine-secrets/",
    # The store of what is built, and what builds it.
    "/opt/submarine/",
    # In most images /var/run leads here.
    "/run/secrets/",
    "/tmp/jupyter-runtime/",  # noqa: S108
    "/tmp/submarine-rescue/",  # noqa: S108
    "/var/run/secrets/",
)
_MOUNT_PATH = unless(
    lambda path: any(
        f"{path}/".startswith(own) or own.startswith(f"{path}/") for own in _OWN_FOLDERS
    ),
    "The service has something of its own there.",
    FOLDER,
)
_MOUNTS = items(
    record(
        required={"name": DNS_LABEL, "mountPath": _MOUNT_PATH},
        optional={
            "readOnly": flag,
            "subPath": text(rf"{_STEP}(/{_STEP})*", what="a relative path without .. and colons"),
        },
    ),
    unique="mountPath",
)

_AMOUNTS = mapping(keys=LABEL_KEY, values=QUANTITY)
_SIDECAR = record(
    required={
        "name": unless(
            {NOTEBOOK_CONTAINER, CODE_CONTAINER, MOUNT_POINTS_CONTAINER}.__contains__,
            "The service has this container.",
            DNS_LABEL,
        ),
        "image": image_reference,
    },
    optional={
        "command": items(_TEXT),
        "args": items(_TEXT),
        "workingDir": FOLDER,
        "env": _environment(_ENV_NAME),
        "resources": record(optional={"limits": _AMOUNTS, "requests": _AMOUNTS}),
        "volumeMounts": _MOUNTS,
    },
)
_POD_PATCH = record(
    optional={
        "labels": mapping(keys=_ADDED_LABEL, values=LABEL_VALUE),
        "annotations": mapping(keys=_ADDED_ANNOTATION, values=_TEXT),
        "env": _environment(
            unless(OWN_ENVIRONMENT.__contains__, "The service sets this one itself.", _ENV_NAME)
        ),
        "volumes": items(_VOLUME, unique="name"),
        "volumeMounts": _MOUNTS,
        "sidecars": items(_SIDECAR, unique="name"),
    }
)


def _mounts_what_it_has(value: Any, path: str) -> Iterator[Problem]:
    volumes = {volume["name"] for volume in value.get("volumes", [])}
    mounts = [(path, value, volumes)]
    for index, sidecar in enumerate(value.get("sidecars", [])):
        mounts.append((at(path, f"sidecars[{index}]"), sidecar, volumes | {HOME_VOLUME}))
    for where, container, known in mounts:
        for index, mount in enumerate(container.get("volumeMounts", [])):
            if mount["name"] not in known:
                yield Problem(
                    at(where, f"volumeMounts[{index}].name"),
                    f"There is no volume {mount['name']} in the patch.",
                )


POD_PATCH = both(_POD_PATCH, _mounts_what_it_has)
