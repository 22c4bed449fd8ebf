"""The whole service with a cluster behind it."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import psutil
import requests
from redis import Redis

from notebooks.backends.kubernetes.api import ApiError, Json
from tests.cluster.cluster import Administrator
from tests.stack.service import CHECKOUT, Program, Service, running, signed_in, wait_until

GONE_SECONDS = 120
"""Kubelets before 1.22 may take a minute to let go of a pod that was deleted early in its life."""

# A small cluster has room for few of the sizes that people work with.
CATALOGUE = """
from environments.services import seed_environment
from quotas.models import ResourceProfile
ResourceProfile.objects.filter(name="small").update(
    cpu_milli=1000, memory_mib=512, cpu_overcommit=20, memory_overcommit=4
)
huge = {"cpu_milli": 4_000_000, "memory_mib": 512}
ResourceProfile.objects.create(name="huge", display_name="Huge", **huge)
for name in ("server", "broken", "stubborn", "silent", "stacks"):
    image = f"submarine/test-{name}:1"
    seed_environment(name=name, display_name=name, image=image)
"""


@dataclass(frozen=True, kw_only=True)
class OnCluster:
    """A running service, and the cluster as its administrator sees it."""

    service: Service
    admin: Administrator

    @cached_property
    def demo(self) -> Program:
        return Program(self.service)

    @cached_property
    def _browser(self) -> requests.Session:
        return signed_in(self.service, "user")

    @property
    def log(self) -> str:
        """All that its processes have said."""
        return self.service.data.with_suffix(".log").read_text(errors="replace")

    @property
    def redis(self) -> Redis:
        return Redis.from_url(psutil.Process(self.service.pid("worker")).environ()["REDIS_URL"])

    def manage(self, *words: str) -> str:
        """Run a command of manage.py with the settings that the service has; what it said."""
        done = self.attempt(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        environment = psutil.Process(self.service.pid("web")).environ()
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=GONE_SECONDS + 30,
            check=False,
        )

    def add_environment(self, name: str, image: str) -> None:
        self.manage(
            *("shell", "-c"),
            "from environments.services import seed_environment\n"
            f"seed_environment(name={name!r}, display_name={name!r}, image={image!r})",
        )

    def health(self) -> dict[str, Any]:
        return dict(requests.get(f"{self.service.url}/health", timeout=30).json())

    def await_look(self) -> None:
        """See everything looked at by a look that began after this was called."""
        # The first that ends may have begun before.
        for _ in range(2):
            wait_until(partial(self._has_looked, since=time.monotonic()))

    def _has_looked(self, *, since: float) -> bool:
        seconds = self.health()["poll"]["seconds"]
        # It is given in tenths.
        return seconds is not None and time.monotonic() - since > seconds + 0.2

    def pod_of(self, session_id: str) -> Json | None:
        """The pod of the session's present or last run."""
        with suppress(ApiError):
            return self.admin.api.get(f"pods/{self._name(session_id)}")
        return None

    def await_pod(self, session_id: str, *, other_than: str = "") -> Json:
        """The session's pod as soon as there is one; `other_than` is the uid of an earlier one."""

        def there() -> Json | None:
            pod = self.pod_of(session_id)
            return pod if pod and pod["metadata"]["uid"] != other_than else None

        pod = wait_until(there)
        assert pod is not None
        return pod

    def uid_of(self, session_id: str) -> str:
        return str(self.await_pod(session_id)["metadata"]["uid"])

    def _name(self, session_id: str) -> str:
        return f"nb-{self.demo.read(session_id)['run']['id']}"

    def objects_of(self, session_id: str) -> dict[str, set[str]]:
        """What the cluster has of a session's runs, by kind."""
        found = {}
        for kind in ("pods", "secrets"):
            items = self.admin.api.get(
                kind, labelSelector=f"submarine-notebooks/session={session_id}"
            )["items"]
            found[kind] = {item["metadata"]["name"] for item in items}
        return found

    def home_claim(self) -> str:
        """The name of the claim of the demo user's home."""
        [home] = self.demo.api("GET", "volumes/?kind=home&state=live").json()
        return f"home-{home['id']}"

    def token_of(self, session_id: str) -> str:
        """The Jupyter token of the session's run."""
        run = self.demo.read(session_id)["run"]["id"]
        said = self.manage(
            *("shell", "-v0", "-c"),
            "from uuid import UUID\n"
            "from notebooks.credentials import jupyter_token\n"
            f"print(jupyter_token(UUID({run!r})))",
        )
        return said.strip()

    def page(self, session_id: str) -> str:
        return self._browser.get(f"{self.service.url}/sessions/{session_id}", timeout=30).text

    def shown(self, session_id: str) -> str:
        """The state that the session's page shows."""
        found = re.search(r'data-status="(\w+)"', self.page(session_id))
        return found[1] if found else ""

    def await_agreement(self, session_id: str, status: str) -> dict[str, Any]:
        """See row, page, pod and Secret tell the same of a session at rest, and its home there."""
        session = self.demo.wait_for(session_id, status, seconds=GONE_SECONDS)
        names = {self._name(session_id)} if status == "running" else set()
        wanted = {"pods": names, "secrets": names}
        wait_until(lambda: self.objects_of(session_id) == wanted, seconds=GONE_SECONDS)
        assert self.home_claim() in self.admin.names("persistentvolumeclaims")
        assert self.shown(session_id) == status
        return session

    def await_gone(self, session_id: str) -> None:
        """See a session stopped, and nothing left of its runs."""
        self.demo.wait_for(session_id, "stopped", seconds=GONE_SECONDS)
        wait_until(lambda: not any(self.objects_of(session_id).values()), seconds=GONE_SECONDS)

    def ours(self) -> dict[str, set[str]]:
        """What there is of runs in the cluster, by kind."""
        return {
            kind: {name for name in self.admin.names(kind) if name.startswith("nb-")}
            for kind in ("pods", "secrets")
        }

    def await_nothing_left(self) -> None:
        """See every pod and Secret of sessions gone. What they stored stays."""
        left: dict[str, set[str]] = {}

        def is_clean() -> bool:
            left.update(self.ours())
            return not any(left.values())

        try:
            wait_until(is_clean, seconds=GONE_SECONDS)
        except AssertionError:
            raise AssertionError(left) from None

    def delete_all(self) -> None:
        """Delete all sessions, and see that nothing is left of any."""
        for session in self.demo.api("GET", "sessions/").json()["results"]:
            assert self.demo.api("DELETE", f"sessions/{session['id']}/").status_code == 204
        self.await_nothing_left()


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
