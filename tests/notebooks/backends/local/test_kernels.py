"""Real JupyterLab servers with kernels that were really built."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from environments.builder.request import Site
from environments.building import BuildProgress, BuildSpec
from environments.kernels import Kernel
from notebooks.backends.contract import KernelMount, SessionSpec
from notebooks.backends.local.builds import LocalBuilder
from tests.contracts.backend_suite import a_spec
from tests.contracts.eventually import eventually
from tests.environments.builder import channel as channels
from tests.environments.builder.indexes import add_ipykernel, add_wheel, served
from tests.environments.builder.installed import files_of
from tests.notebooks.backends.local.conftest import JUPYTER_LAB, LocalSite, browser
from tests.notebooks.backends.local.test_jupyter import run_code

pytestmark = [pytest.mark.jupyter, pytest.mark.timeout(240)]

CONDA, PIP = "c" * 64, "b" * 64


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSite]:
    """A site whose store has a kernel of conda packages and one of pip packages."""
    ipykernel = files_of("ipykernel")
    channel, index = tmp_path_factory.mktemp("channel"), tmp_path_factory.mktemp("index")
    channels.add_python(channel)
    channels.add_ipykernel(channel, ipykernel)
    channels.add_package(channel, "data", files={"share/data.txt": b"of conda"})
    channels.index(channel)
    add_ipykernel(index, ipykernel)
    add_wheel(index, "tiny")
    conda = Kernel(
        name="conda-data", display_name="Data", channels=(channel.as_uri(),), conda=("data",)
    )
    pip = Kernel(name="pip-tiny", display_name="Tiny", pip=("tiny",))
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder, served(index) as url:
        site = LocalSite(Path(folder), JUPYTER_LAB)
        builder = LocalBuilder(
            data=site.folder / "data", site=Site(indexes=(url,)), memory_mib=4096
        )
        for digest, kernel in ((CONDA, conda), (PIP, pip)):
            build(builder, digest, kernel)
        yield site
        site.close()


def build(builder: LocalBuilder, digest: str, kernel: Kernel) -> None:
    builder.begin(
        BuildSpec(digest=digest, attempt=1, image="any", kernel=kernel, channels=kernel.channels)
    )

    def ended() -> bool:
        seen = builder.observe(digest, 1)
        return seen is not None and seen.progress is not BuildProgress.UNDER_WAY

    eventually(ended, within=120)
    seen = builder.observe(digest, 1)
    assert seen is not None
    assert seen.progress is BuildProgress.BUILT, builder.log(digest, 1, lines=50)


@pytest.fixture(scope="module")
def running(jupyter: LocalSite) -> SessionSpec:
    kernels = (
        KernelMount(digest=CONDA, name="conda-data"),
        KernelMount(digest=PIP, name="pip-tiny"),
    )
    spec = replace(a_spec(), kernels=kernels)
    jupyter.start(spec)
    jupyter.await_ready(spec.key)
    return spec


async def test_declared_kernels_are_offered_beside_the_server_s_own(
    jupyter: LocalSite, running: SessionSpec
) -> None:
    async with browser(jupyter, running) as session, session.get("api/kernelspecs") as answer:
        told = await answer.json()
    assert set(told["kernelspecs"]) == {"conda-data", "pip-tiny", "python3"}
    assert told["default"] == "conda-data"


@pytest.mark.parametrize(
    ("name", "code", "prints"),
    [
        ("conda-data", "print(open(sys.prefix + '/share/data.txt').read())", "of conda"),
        ("pip-tiny", "import tiny; print(tiny.VERSION)", "1.0"),
    ],
)
async def test_a_notebook_runs_on_a_declared_kernel(
    jupyter: LocalSite, running: SessionSpec, name: str, code: str, prints: str
) -> None:
    async with browser(jupyter, running) as session:
        async with session.post("api/kernels", json={"name": name}) as answer:
            kernel = (await answer.json())["id"]
        assert (await run_code(session, kernel, f"import sys; {code}")).strip() == prints


@pytest.mark.parametrize("body", [None, {}])
async def test_new_notebooks_run_on_the_first_kernel(
    jupyter: LocalSite, running: SessionSpec, body: dict[str, str] | None
) -> None:
    async with browser(jupyter, running) as session:
        async with session.post("api/kernels", json=body) as answer:
            kernel = await answer.json()
        prefix = await run_code(session, kernel["id"], "import sys; print(sys.prefix)")
    assert kernel["name"] == "conda-data"
    assert prefix.strip() == str(jupyter.folder / "data/environments" / CONDA / "env")
