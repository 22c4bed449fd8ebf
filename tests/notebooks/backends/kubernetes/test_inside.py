"""What a pod's Jupyter loads of ours: as text where it may run, and in a real one."""

import ast
import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from notebooks.backends.kubernetes import inside
from notebooks.backends.kubernetes.inside import submarine_container
from notebooks.backends.kubernetes.inside.submarine_container import oom_kills, usage
from notebooks.gateway.headers import OOM_KILLS, USAGE
from notebooks.gateway.usage import read

JUPYTER = Path(__file__).parents[4] / ".venv-notebook" / "bin" / "jupyter-lab"

HOME = uuid4()
VERSION_1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
VERSION_2 = "low 0\nhigh 0\nmax 812\noom 1\noom_kill {}\noom_group_kill 0\n"


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The second place where the counter may be."""
    path = tmp_path / "counter"
    monkeypatch.setattr(submarine_container, "COUNTERS", (tmp_path / "none", path))
    return path


@pytest.mark.parametrize("form", [VERSION_1, VERSION_2])
def test_the_count_is_read_in_either_version_of_cgroups(counter: Path, form: str) -> None:
    counter.write_text(form.format(3))
    assert oom_kills() == 3


@pytest.mark.parametrize("content", [None, "", "oom_kill_disable 0\n"])
def test_without_a_count_there_is_none(counter: Path, content: str | None) -> None:
    if content is not None:
        counter.write_text(content)
    assert oom_kills() == 0


@pytest.mark.parametrize("name", [name for name in inside.FILES if name.endswith(".py")])
def test_the_files_run_on_an_old_python(name: str) -> None:
    ast.parse(inside.FILES[name], feature_version=(3, 8))


def test_the_gateway_knows_the_headers() -> None:
    assert submarine_container.HEADER.lower().encode() == OOM_KILLS
    assert submarine_container.USAGE_HEADER.lower().encode() == USAGE


def test_the_gateway_reads_how_full_volumes_are(tmp_path: Path) -> None:
    volume, gone = uuid4(), uuid4()
    disk = shutil.disk_usage(tmp_path)
    seen = read(usage({str(volume): str(tmp_path), str(gone): str(tmp_path / "none")}).encode())
    assert seen[volume].capacity_mib == disk.total // 1024**2
    assert seen[volume].used_mib == pytest.approx(disk.used // 1024**2, rel=0.01)
    assert list(seen) == [volume]


def test_the_pods_own_name_for_the_variable_is_ours() -> None:
    assert submarine_container.VOLUMES == inside.VOLUMES


@dataclass
class Lab:
    """A JupyterLab with its own configuration beside ours; its counter is a file."""

    url: str
    counter: Path
    client: aiohttp.ClientSession

    async def headers(self) -> dict[str, str]:
        async with self.client.get(f"{self.url}/api") as response:
            assert response.status == 200
            return dict(response.headers)

    async def text(self, path: str) -> str:
        bearer = {"Authorization": "token t0ken"}
        async with self.client.get(f"{self.url}/{path}", headers=bearer) as response:
            assert response.status == 200
            return await response.text()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    ours, home = tmp_path / Path(inside.FOLDER).name, tmp_path / "home"
    counter, sock = tmp_path / "counter", tmp_path / "lab.sock"
    ours.mkdir()
    for name, text in inside.FILES.items():
        (ours / name).write_text(text.replace(str(submarine_container.COUNTERS[0]), str(counter)))
    (home / ".jupyter").mkdir(parents=True)
    (home / ".jupyter" / "jupyter_server_config.py").write_text(
        "c.ServerApp.jpserver_extensions = {'jupyter_server_terminals': True}\n"
        "c.ServerApp.tornado_settings = {'headers': {'X-Mine': 'stays'}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        str(JUPYTER),
        *("--no-browser", "--allow-root", f"--ServerApp.sock={sock}"),
        cwd=home,
        env={
            "HOME": str(home),
            "JUPYTER_CONFIG_PATH": str(ours),
            "JUPYTER_TOKEN": "t0ken",
            "SUBMARINE_VOLUMES": json.dumps({str(HOME): str(home)}),
            "PATH": f"{JUPYTER.parent}:{os.environ['PATH']}",
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(sock))) as client:
            found = Lab("http://localhost", counter, client)
            async with asyncio.timeout(60):
                while not await _answers(found):  # noqa: ASYNC110 - it gives no event to wait for
                    await asyncio.sleep(0.2)
            yield found
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(20):
            await process.wait()


async def _answers(lab: Lab) -> bool:
    try:
        await lab.headers()
    except aiohttp.ClientConnectionError:
        return False
    return True


@pytest.mark.jupyter
@pytest.mark.skipif(not JUPYTER.exists(), reason="needs .venv-notebook")
async def test_answers_tell_the_count_beside_what_the_user_configured(lab: Lab) -> None:
    headers = await lab.headers()
    assert headers["X-Mine"] == "stays"
    assert submarine_container.HEADER not in headers
    for kills in ("1", "2"):
        lab.counter.write_text(VERSION_2.format(kills))
        async with asyncio.timeout(20):
            while headers.get(submarine_container.HEADER) != kills:
                await asyncio.sleep(0.1)
                headers = await lab.headers()
    assert headers["X-Mine"] == "stays"
    assert list(read(headers[submarine_container.USAGE_HEADER].encode())) == [HOME]


@pytest.mark.jupyter
@pytest.mark.skipif(not JUPYTER.exists(), reason="needs .venv-notebook")
async def test_the_page_has_what_is_ours_and_offers_neither_news_nor_an_end(lab: Lab) -> None:
    page = await lab.text("lab")
    [told] = re.findall(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    config = json.loads(told)
    assert (config["quitButton"], config["news"]) == (False, {"disabled": True})
    [ours] = [each for each in config["federated_extensions"] if each["name"].startswith("subm")]
    remote = await lab.text(f"lab/extensions/{ours['name']}/{ours['load']}")
    assert remote == inside.FILES["remoteEntry.js"]
