"""Messages and output of a real JupyterLab server, beyond Jupyter's own limits."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from notebooks.backends.contract import SessionSpec
from submarine_site.core.resources import Resources
from tests.contracts.backend_suite import a_spec, home_of
from tests.notebooks.backends.local.conftest import JUPYTER_LAB, LocalSite, browser

pytestmark = pytest.mark.jupyter

MIB = 1024**2
LARGE = "print('x' * 50 * 2**20)"
RESOURCES = Resources(cpu_milli=1000, memory_mib=2048)


@pytest.fixture(scope="module")
def jupyter() -> Iterator[LocalSite]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        site = LocalSite(Path(folder), JUPYTER_LAB)
        yield site
        site.close()


@pytest.fixture(scope="module")
def running(jupyter: LocalSite) -> SessionSpec:
    spec = jupyter.start(replace(a_spec(), resources=RESOURCES))
    jupyter.await_ready(spec.key)
    return spec


async def printed(session: aiohttp.ClientSession, code: str, *, padding: int = 0) -> str:
    """Run code in a kernel of its own, asked for by a message with so many bytes beside it."""
    async with session.post("api/kernels") as answer:
        kernel = (await answer.json())["id"]
    request = {
        "header": {"msg_id": "one", "msg_type": "execute_request", "version": "5.3"},
        "parent_header": {},
        "metadata": {"padding": "x" * padding},
        "content": {"code": code, "silent": False, "store_history": False},
        "channel": "shell",
    }
    texts = []
    async with session.ws_connect(
        f"api/kernels/{kernel}/channels",
        max_msg_size=0,
        timeout=aiohttp.ClientWSTimeout(ws_receive=60),
    ) as channel:
        await channel.send_json(request)
        async for message in channel:
            said = message.json()
            if said["parent_header"].get("msg_id") != "one":
                continue
            if said["msg_type"] == "stream":
                texts.append(said["content"]["text"])
            if said["content"].get("execution_state") == "idle":
                return "".join(texts)
    raise AssertionError("The server closed the connection.")


async def test_a_large_output_comes_through(jupyter: LocalSite, running: SessionSpec) -> None:
    async with browser(jupyter, running) as session:
        assert len(await printed(session, LARGE)) == 50 * MIB + 1


async def test_many_outputs_come_through(jupyter: LocalSite, running: SessionSpec) -> None:
    code = "for n in range(4_000): print(n, flush=True)"
    async with browser(jupyter, running) as session:
        lines = (await printed(session, code)).splitlines()
    assert lines == [str(n) for n in range(4_000)]


async def test_a_large_message_comes_through(jupyter: LocalSite, running: SessionSpec) -> None:
    async with browser(jupyter, running) as session:
        assert await printed(session, "print(1)", padding=50 * MIB) == "1\n"


@pytest.mark.parametrize("section", ["ServerApp", "ZMQChannelsWebsocketConnection"])
async def test_a_limit_that_the_user_configures_holds(jupyter: LocalSite, section: str) -> None:
    spec = replace(a_spec(), resources=RESOURCES)
    jupyter.backend.ensure_volume(home_of(spec))
    config = jupyter.home(home_of(spec)) / ".jupyter"
    config.mkdir()
    (config / "jupyter_server_config.py").write_text(f"c.{section}.iopub_data_rate_limit = 1e6\n")
    jupyter.backend.start(spec)
    jupyter.await_ready(spec.key)
    async with browser(jupyter, spec) as session:
        assert (await printed(session, LARGE)).startswith("IOPub data rate exceeded.")
