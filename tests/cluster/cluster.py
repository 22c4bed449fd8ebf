"""A cluster for tests, its administrator's view, and what an installation in it is given.

`SUBMARINE_TEST_KUBECONFIG` names the administrator's kubeconfig, so that no test ever meets the
cluster that somebody's own `kubectl` points to.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from notebooks.backends.kubernetes.api import Api, Json
from tests.contracts.eventually import eventually

CHECKOUT = Path(__file__).parents[2]
RIGHTS = CHECKOUT / "deploy" / "kubernetes"
KUBECONFIG = os.environ.get("SUBMARINE_TEST_KUBECONFIG", "")

RBAC = "/apis/rbac.authorization.k8s.io/v1"

NOTEBOOK = "submarine/notebook:1"
"""The reference image, from docker/notebook/Dockerfile."""

SERVER = "submarine/test-server:1"
"""A stand-in that answers at once, from images/server."""


class Administrator:
    """Does with the cluster what an operator does with `kubectl`, in one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.api = Api(namespace=namespace, kubeconfig=KUBECONFIG)

    def apply(self, path: Path) -> None:
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] == "RoleBinding":
                for subject in document["subjects"]:
                    subject["namespace"] = self.namespace
            resource, group = document["kind"].lower() + "s", document["apiVersion"]
            if group == "v1":
                self.api.create(resource, document)
            else:
                self.api.create(f"/apis/{group}/namespaces/{self.namespace}/{resource}", document)

    def token(self, account: str) -> str:
        """A token of a service account, as a pod of it would have."""
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": 7200},
        }
        path = f"serviceaccounts/{account}/token"
        # Not by `create`, which is told no more than what it is called.
        return str(self.api._json("POST", path, {}, asked)["status"]["token"])

    def names(self, resource: str) -> set[str]:
        """What there is of a kind."""
        return {item["metadata"]["name"] for item in self.api.get(resource)["items"]}

    def claim(
        self, name: str, *, storage: str = "10Mi", metadata: Json | None = None, **spec: Any
    ) -> Json:
        """Make a claim by hand."""
        self.api.create(
            "persistentvolumeclaims",
            {
                "metadata": {"name": name, **(metadata or {})},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": storage}},
                    **spec,
                },
            },
        )
        return self.api.get(f"persistentvolumeclaims/{name}")

    def pod(self, name: str, **spec: Any) -> Json:
        """Make a pod by hand."""
        container = {"name": "main", "image": NOTEBOOK, "command": ["sleep", "3600"]}
        self.api.create(
            "pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, **spec.pop("metadata", {})},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
            },
        )
        return self.api.get(f"pods/{name}")


@contextmanager
def a_namespace() -> Iterator[Administrator]:
    """A namespace of its own, with the rights of an installation, gone at the end."""
    name = f"test-{uuid4().hex[:8]}"
    admin = Administrator(name)
    # As clusters newer than 1.20 label it themselves.
    labels = {"kubernetes.io/metadata.name": name}
    admin.api.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    try:
        admin.apply(RIGHTS / "rbac.yaml")
        # The tokens of a new account take a moment, and pods are refused before there are any.
        eventually(lambda: "default" in admin.names("serviceaccounts"))
        yield admin
    finally:
        for pod in admin.api.get("pods")["items"]:
            admin.api.delete(f"pods/{pod['metadata']['name']}", grace_seconds=0)
        admin.api.delete(f"/api/v1/namespaces/{name}")


@contextmanager
def nodes_seen(admin: Administrator) -> Iterator[None]:
    """Give the service the optional right to list nodes."""
    role = yaml.safe_load((RIGHTS / "rbac-nodes.yaml").read_text())
    name = f"{role['metadata']['name']}-{admin.namespace}"
    role["metadata"]["name"] = name
    service = {
        "kind": "ServiceAccount",
        "name": "submarine-notebooks",
        "namespace": admin.namespace,
    }
    binding = {
        "metadata": {"name": name},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": name,
        },
        "subjects": [service],
    }
    admin.api.create(f"{RBAC}/clusterroles", role)
    admin.api.create(f"{RBAC}/clusterrolebindings", binding)
    try:
        yield
    finally:
        admin.api.delete(f"{RBAC}/clusterrolebindings/{name}")
        admin.api.delete(f"{RBAC}/clusterroles/{name}")


def limited_kubeconfig(admin: Administrator, folder: Path) -> Path:
    """A kubeconfig of the installation's own service account, with no right but its Role's."""
    told = yaml.safe_load(Path(KUBECONFIG).read_text())
    told["users"] = [
        {"name": "submarine-notebooks", "user": {"token": admin.token("submarine-notebooks")}}
    ]
    [context] = told["contexts"]
    context["context"] |= {"user": "submarine-notebooks", "namespace": admin.namespace}
    path = folder / f"{admin.namespace}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(told))
    return path
