"""The whole service with a cluster behind it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.cluster.cluster import Administrator
from tests.stack.service import CHECKOUT, Program, Service, running, wait_until

# A small cluster has room for few of the sizes that people work with.
CATALOGUE = """
from environments.models import Environment
from quotas.models import ResourceProfile
ResourceProfile.objects.filter(name="small").update(
    cpu_milli=1000, memory_mib=512, cpu_overcommit=20, memory_overcommit=4
)
ResourceProfile.objects.create(
    name="huge", display_name="Huge", cpu_milli=4_000_000, memory_mib=512
)
images = {"server": "submarine/test-server:1", "nowhere": "submarine/no-such-image:1"}
images |= {kind: f"submarine/test-{kind}:1" for kind in ("broken", "stubborn", "silent", "stacks")}
for name, image in images.items():
    Environment.objects.create(name=name, display_name=name, image=image)
"""


@dataclass(frozen=True, kw_only=True)
class OnCluster:
    """A running service, and the cluster as its administrator sees it."""

    service: Service
    admin: Administrator

    @property
    def demo(self) -> Program:
        return Program(self.service)

    def manage(self, *words: str) -> str:
        """Run a command of manage.py with the settings that the service has."""
        environment = psutil.Process(self.service.pid("web")).environ()
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ours(self) -> dict[str, set[str]]:
        """What there is of sessions in the cluster, by kind."""
        kinds = {"pods": "nb-", "secrets": "nb-", "persistentvolumeclaims": "home-"}
        return {
            kind: {name for name in self.admin.names(kind) if name.startswith(prefix)}
            for kind, prefix in kinds.items()
        }

    def await_nothing_left(self) -> None:
        """See every pod, Secret and claim of sessions gone."""
        wait_until(lambda: not any(self.ours().values()), seconds=90)


@contextmanager
def on_cluster(
    admin: Administrator, kubeconfig: Path, data: Path, **environment: str
) -> Iterator[OnCluster]:
    """Run the service with the rights of its Role."""
    settings = {
        "SUBMARINE_BACKEND": "kubernetes",
        "KUBECONFIG": str(kubeconfig),
        "SUBMARINE_KUBERNETES_HOME_SIZE": "10Mi",
        "SUBMARINE_KUBERNETES_STOP_SECONDS": "5",
        **environment,
    }
    with running(data, **settings) as service:
        found = OnCluster(service=service, admin=admin)
        found.manage("shell", "-c", CATALOGUE)
        yield found
