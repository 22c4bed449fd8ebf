"""The kernel's OOM killer takes the process that runs a cell, and the session goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from notebooks.backends.contract import Observed, RunState, SessionSpec
from notebooks.backends.kubernetes.api import Api
from notebooks.backends.kubernetes.backend import KubernetesBackend
from notebooks.backends.kubernetes.config import SiteConfig
from submarine_site.core.resources import Resources
from tests.cluster.cluster import NOTEBOOK, Administrator
from tests.contracts.backend_suite import a_spec, home_of
from tests.contracts.eventually import eventually
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Running, Upstream, serving

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

LIMIT_MIB = 512
CELL = f"everything = bytearray(b'x' * ({LIMIT_MIB} << 20))"


@pytest.fixture
def site(kubeconfig: Path) -> KubernetesBackend:
    return KubernetesBackend(SiteConfig(home_size="10Mi"), Api(kubeconfig=str(kubeconfig)))


@pytest.fixture
def running(site: KubernetesBackend, admin: Administrator) -> Iterator[tuple[SessionSpec, str]]:
    """A session of the reference image, and where it answers."""
    spec = replace(
        a_spec(),
        image=NOTEBOOK,
        resources=Resources(cpu_milli=1000, memory_mib=LIMIT_MIB),
        token="the-run's-token",
    )
    site.ensure_volume(home_of(spec))
    site.start(spec)

    def ready() -> Observed | None:
        seen = site.observe(spec.key)
        assert seen is not None
        assert not seen.failure_code, seen
        return seen if seen.state is RunState.READY else None

    yield spec, eventually(ready, within=60).address
    admin.api.delete(f"pods/nb-{spec.key.run_id}", grace_seconds=0)


@pytest.fixture
async def gateway(running: tuple[SessionSpec, str]) -> AsyncIterator[Running]:
    spec, address = running
    async with serving(
        MemoryAuthority(), Upstream(address), session_id=spec.key.session_id
    ) as gateway:
        yield gateway


async def ask(gateway: Running, within: str, method: str = "GET", data: object = None) -> Any:
    body = None if data is None else BytesIO(json.dumps(data).encode())
    async with gateway.fetch(within, method=method, headers=gateway.own, data=body) as response:
        assert response.status < 300, await response.text()
        assert "X-Submarine-Oom-Kills" not in response.headers
        return await response.json()


async def run_out_of_memory(gateway: Running) -> None:
    """Run the cell, and wait until Jupyter starts its kernel anew."""
    kernel = await ask(gateway, "api/kernels", "POST", {"name": "python3"})
    execute = {
        "channel": "shell",
        "header": {"msg_id": "m1", "msg_type": "execute_request", "session": "s", "version": "5.3"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": CELL, "silent": False},
    }
    async with gateway.connect(f"api/kernels/{kernel['id']}/channels?session_id=s") as ws:
        await ws.send_str(json.dumps(execute))
        async with asyncio.timeout(60):
            while "restarting" not in (message := await ws.receive_str()):
                assert '"status": "ok"' not in message


async def test_a_kernel_that_is_ended_for_its_memory_is_told_and_the_session_goes_on(
    running: tuple[SessionSpec, str], gateway: Running, site: KubernetesBackend
) -> None:
    spec, _ = running
    await ask(gateway, "api")
    assert gateway.authority.oom_kills == []
    await run_out_of_memory(gateway)
    async with asyncio.timeout(60):
        while not gateway.authority.oom_kills:
            # As an open JupyterLab does.
            await ask(gateway, "api/kernels")
            await asyncio.sleep(0.5)
    run_id = gateway.authority.where[spec.key.session_id].run_id
    assert gateway.authority.oom_kills == [{run_id: 1}]
    seen = await asyncio.to_thread(site.observe, spec.key)
    assert seen is not None
    assert (seen.state, seen.failure_code) == (RunState.READY, "")
