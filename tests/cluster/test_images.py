"""Images on a real cluster: ours, and one laid out as those of Jupyter Docker Stacks are."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from notebooks.backends.contract import SessionSpec
from submarine_site.core.resources import Resources
from tests.cluster.cluster import NOTEBOOK, Administrator
from tests.cluster.test_contract import ClusterSite
from tests.contracts.backend_suite import a_spec, home_of
from tests.notebooks.backends.local.test_jupyter import run_code
from volumes.contract import VolumeSpec

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

STACKS = "submarine/test-stacks:1"

BREAK_WHAT_THE_SERVER_USES = """
import pathlib, site
package = pathlib.Path(site.getusersitepackages(), "jupyter_core")
package.mkdir(parents=True)
(package / "__init__.py").write_text("raise ImportError('broken')")
print(package)
"""

Start = Callable[[str, VolumeSpec], SessionSpec]


@pytest.fixture
def site(admin: Administrator, kubeconfig: Path) -> ClusterSite:
    return ClusterSite(admin, kubeconfig)


@pytest.fixture
def start(site: ClusterSite, admin: Administrator) -> Iterator[Start]:
    started = []

    def start(image: str, home: VolumeSpec) -> SessionSpec:
        resources = Resources(cpu_milli=500, memory_mib=512)
        spec = replace(a_spec(home=home), image=image, resources=resources)
        started.append(spec)
        site.backend.ensure_volume(home)
        site.backend.start(spec)
        site.await_ready(spec.key)
        return spec

    yield start
    for spec in started:
        admin.api.delete(f"pods/nb-{spec.key.run_id}", grace_seconds=0)


@asynccontextmanager
async def kernel(
    site: ClusterSite, spec: SessionSpec
) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """A function that runs a cell and gives what it prints."""
    address = site.await_ready(spec.key).address
    async with aiohttp.ClientSession(
        f"{address}{spec.base_url}", headers={"Authorization": f"token {spec.token}"}
    ) as session:
        async with session.post("api/kernels") as answer:
            made = (await answer.json())["id"]
        yield lambda code: run_code(session, made, code)


@pytest.mark.parametrize("image", [NOTEBOOK, STACKS])
async def test_a_session_runs_a_cell_in_its_home(
    site: ClusterSite, start: Start, image: str
) -> None:
    async with kernel(site, start(image, VolumeSpec(id=uuid4()))) as run:
        printed = await run("import os; print(os.getuid(), os.getgid(), os.getcwd(), 6 * 7)")
    assert printed == "1000 100 /home/jovyan 42\n"


async def test_the_entry_point_of_an_image_runs_before_our_command(
    site: ClusterSite, start: Start
) -> None:
    async with kernel(site, start(STACKS, VolumeSpec(id=uuid4()))) as run:
        printed = await run("import os; print(os.environ['STARTED_BY_HOOK'])")
    assert printed == "1\n"


async def test_no_package_in_the_home_keeps_the_reference_image_from_starting(
    site: ClusterSite, start: Start
) -> None:
    spec = start(NOTEBOOK, VolumeSpec(id=uuid4()))
    async with kernel(site, spec) as run:
        assert "/home/jovyan/.local/" in await run(BREAK_WHAT_THE_SERVER_USES)
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    start(NOTEBOOK, home_of(spec))
