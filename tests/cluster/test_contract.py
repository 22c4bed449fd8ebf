"""What every backend does, done with pods."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
import requests

from notebooks.backends.contract import Observed, RunKey, RunState
from notebooks.backends.kubernetes.api import Api
from notebooks.backends.kubernetes.backend import KubernetesBackend
from notebooks.backends.kubernetes.config import SiteConfig
from tests.cluster.cluster import Administrator
from tests.contracts.backend_suite import BackendContract, Site
from tests.contracts.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


class ClusterSite(Site):
    backend: KubernetesBackend

    def __init__(
        self,
        admin: Administrator,
        kubeconfig: Path,
        site: SiteConfig = SiteConfig(home_size="10Mi", stop_seconds=5),  # noqa: B008 - frozen
    ) -> None:
        self._admin = admin
        self.backend = KubernetesBackend(site, Api(kubeconfig=str(kubeconfig)))

    def await_ready(self, key: RunKey) -> Observed:
        def ready() -> Observed | None:
            seen = self.backend.observe(key)
            assert seen is not None
            return seen if seen.state is RunState.READY else None

        return eventually(ready, within=60)

    def await_gone(self, key: RunKey) -> None:
        def gone() -> bool:
            # As the reconciler does, for as long as anything is left.
            self.backend.stop(key)
            return self.backend.observe(key) is None

        eventually(gone, within=60)

    def crash(self, key: RunKey) -> int:
        self._ask(key, "end/3")

        def ended() -> bool:
            seen = self.backend.observe(key)
            return seen is not None and seen.state is RunState.EXITED

        eventually(ended)
        return 3

    def write_log(self, key: RunKey, line: str) -> None:
        self._ask(key, f"log/{quote(line)}")
        eventually(lambda: f"{line}\n" in self.backend.logs(key, lines=50))

    def write_file(self, key: RunKey, path: str, text: str) -> bool:
        return self._file(key, path, text).ok

    def read_file(self, key: RunKey, path: str) -> str:
        answer = self._file(key, path)
        return answer.text if answer.ok else ""

    def claim(self) -> str:
        name = f"given-{uuid4().hex[:8]}"
        self._admin.claim(name)
        return name

    def claim_of_nothing(self) -> str:
        return "given-never"

    def _file(self, key: RunKey, path: str, text: str = "") -> requests.Response:
        address = self.await_ready(key).address
        return requests.get(f"{address}/file", params={path: text}, timeout=10)

    def _ask(self, key: RunKey, path: str) -> None:
        try:
            requests.get(f"{self.await_ready(key).address}/{path}", timeout=10)
        except requests.ConnectionError:
            assert path.startswith("end/")


class TestKubernetesBackend(BackendContract):
    @pytest.fixture
    def site(self, admin: Administrator, kubeconfig: Path) -> Iterator[ClusterSite]:
        site = ClusterSite(admin, kubeconfig)
        yield site
        for resource in ("pods", "secrets", "persistentvolumeclaims"):
            for name in admin.names(resource):
                if name.startswith(("nb-", "home-", "given-")):
                    admin.api.delete(f"{resource}/{name}", grace_seconds=0)
        eventually(lambda: not admin.names("pods"))
