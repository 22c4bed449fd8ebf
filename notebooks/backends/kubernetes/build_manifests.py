"""The objects of a build: a Job, what it is asked to do, and the store. Pure.

A build runs code of the packages that it installs. Its pod has no more rights than a session's and
sees of the store its own folder alone.
"""

from collections.abc import Sequence

from environments import builder
from environments.builder.request import Site
from environments.building import BuildSpec, request
from notebooks.backends.contract import BUILD_CPU_MILLI
from notebooks.backends.kubernetes import names
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.kubernetes.manifests import CONFINED, STORE_PATH, pod_security
from submarine_site.core.pod_shapes import STORE_VOLUME

CONTAINER = "build"
PROGRAM_PATH = "/opt/submarine/program"
TOOLS_PATH = "/opt/submarine/tools"
IMAGE_TOOLS = "/opt/builder"
"""Where the builder's image has `uv` and `py-rattler`."""
REQUEST = "request.json"
WAITING_SECONDS = 900
"""How much longer than the build itself its Job may take: for a place, and for images to come."""
_PACKAGE = "environments/builder"


def claim(site: SiteConfig) -> Json:
    """The store."""
    wanted: Json = {
        "accessModes": [site.store_access_mode],
        "resources": {"requests": {"storage": site.store_size}},
    }
    if site.store_class:
        wanted["storageClassName"] = site.store_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.store_name(site.installation),
            "labels": names.labels(site.installation),
        },
        "spec": wanted,
    }


def secret(spec: BuildSpec, site: SiteConfig, packages: Site) -> Json:
    """The program and what it is asked: the addresses of indexes may hold passwords."""
    asked = request(spec, site=packages, folder=f"{STORE_PATH}/{spec.digest}")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.build_name(spec.digest, spec.attempt),
            "labels": names.build_labels(spec.digest, site.installation),
        },
        "type": "Opaque",
        "immutable": True,
        "stringData": {REQUEST: asked.as_text(), **builder.sources()},
    }


def job(spec: BuildSpec, site: SiteConfig, packages: Site, *, memory_mib: int) -> Json:
    name = names.build_name(spec.digest, spec.attempt)
    made = _job(
        name=name,
        digest=spec.digest,
        image=spec.image,
        arguments=["-m", "environments.builder", f"{PROGRAM_PATH}/{REQUEST}"],
        # Its own folder of the store, and no other's.
        store={"mountPath": f"{STORE_PATH}/{spec.digest}", "subPath": spec.digest},
        site=site,
        memory_mib=memory_mib,
    )
    made["spec"]["activeDeadlineSeconds"] = packages.seconds + WAITING_SECONDS
    return made


def discard_secret(digest: str, site: SiteConfig) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.discard_name(digest),
            "labels": names.build_labels(digest, site.installation),
        },
        "type": "Opaque",
        "immutable": True,
        "stringData": builder.sources(),
    }


def discard_job(digest: str, image: str, site: SiteConfig, *, memory_mib: int) -> Json:
    return _job(
        name=names.discard_name(digest),
        digest=digest,
        image=image,
        arguments=["-m", "environments.builder.discard", f"{STORE_PATH}/{digest}"],
        store={"mountPath": STORE_PATH},
        site=site,
        memory_mib=memory_mib,
    )


def _job(
    *,
    name: str,
    digest: str,
    image: str,
    arguments: Sequence[str],
    store: Json,
    site: SiteConfig,
    memory_mib: int,
) -> Json:
    labels = names.build_labels(digest, site.installation)
    common = {"imagePullPolicy": site.image_pull_policy, "securityContext": CONFINED}
    common["resources"] = {
        "limits": {"cpu": f"{BUILD_CPU_MILLI}m", "memory": f"{memory_mib}Mi"},
        "requests": {"cpu": "500m", "memory": f"{memory_mib}Mi"},
    }
    environment = {
        "HOME": "/tmp",  # noqa: S108
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{PROGRAM_PATH}:{TOOLS_PATH}",
    }
    items = [{"key": key, "path": f"{_PACKAGE}/{key}"} for key in builder.sources()]
    if name != names.discard_name(digest):
        items.append({"key": REQUEST, "path": REQUEST})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            # Whether it is tried again is decided above the builder.
            "backoffLimit": 0,
            "template": {
                # With this label the pod is under the same NetworkPolicy as sessions' pods.
                "metadata": {"labels": labels | {names.INSTALLATION: site.installation}},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 0,
                    "enableServiceLinks": False,
                    "automountServiceAccountToken": False,
                    "securityContext": pod_security(site),
                    "initContainers": [
                        {
                            "name": "tools",
                            "image": site.builder_image or image,
                            "command": ["cp", "-R", f"{IMAGE_TOOLS}/.", TOOLS_PATH],
                            "volumeMounts": [{"name": "tools", "mountPath": TOOLS_PATH}],
                            **common,
                        }
                    ],
                    "containers": [
                        {
                            "name": CONTAINER,
                            "image": image,
                            # The kernel is made of the Python that its sessions will have there.
                            "command": ["python3", *arguments],
                            "env": [{"name": k, "value": v} for k, v in environment.items()],
                            "volumeMounts": [
                                {"name": STORE_VOLUME, **store},
                                {"name": "tools", "mountPath": TOOLS_PATH, "readOnly": True},
                                {"name": "program", "mountPath": PROGRAM_PATH, "readOnly": True},
                            ],
                            **common,
                        }
                    ],
                    "volumes": [
                        {
                            "name": STORE_VOLUME,
                            "persistentVolumeClaim": {
                                "claimName": names.store_name(site.installation)
                            },
                        },
                        {"name": "tools", "emptyDir": {}},
                        {"name": "program", "secret": {"secretName": name, "items": items}},
                    ],
                    "imagePullSecrets": [{"name": each} for each in site.image_pull_secrets],
                    **({"schedulerName": site.scheduler} if site.scheduler else {}),
                },
            },
        },
    }
