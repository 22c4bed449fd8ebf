"""Real JupyterLab servers: what they offer, to whom, and that nothing of them survives a stop."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import psutil
import pytest
from yarl import URL

from notebooks.backends.contract import SessionSpec
from tests.contracts.backend_suite import home_of
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import JUPYTER_LAB, LocalSite, browser, get

pytestmark = pytest.mark.jupyter


@pytest.fixture(scope="module")
def jupyter() -> Iterator[LocalSite]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        site = LocalSite(Path(folder), JUPYTER_LAB)
        yield site
        site.close()


@pytest.fixture(scope="module")
def running(jupyter: LocalSite) -> SessionSpec:
    """A server that no test may change much."""
    spec = jupyter.start_ready()
    (jupyter.home(home_of(spec)) / "notes.txt").write_text("ada's")
    return spec


@pytest.fixture(scope="module")
def mallory(jupyter: LocalSite) -> SessionSpec:
    return jupyter.start_ready()


async def test_lab_is_served_under_its_path_and_the_public_name(
    jupyter: LocalSite, running: SessionSpec
) -> None:
    status, page = await get(jupyter, running, "lab")
    assert status == 200
    assert f'"baseUrl": "{running.base_url}"' in page


async def test_nobody_gets_in_without_the_token(jupyter: LocalSite, running: SessionSpec) -> None:
    status, _ = await get(jupyter, running, "api/contents", token="guess")
    assert status == 403


async def test_the_home_is_what_is_shown(jupyter: LocalSite, running: SessionSpec) -> None:
    _, listing = await get(jupyter, running, "api/contents")
    assert [entry["name"] for entry in json.loads(listing)["content"]] == ["notes.txt"]


@pytest.mark.parametrize("way", ["../{name}/notes.txt", "..%2F{name}%2Fnotes.txt", "{path}"])
async def test_a_session_cannot_reach_another_home(
    jupyter: LocalSite, running: SessionSpec, mallory: SessionSpec, way: str
) -> None:
    other = jupyter.home(home_of(running))
    path = way.format(name=other.name, path=quote(f"{other}/notes.txt", safe=""))
    # Encoded, or the client would resolve the dots itself.
    address = URL(f"http://x{mallory.base_url}api/contents/{path}", encoded=True)
    status, text = await get(jupyter, mallory, address)
    assert status == 404
    assert "ada's" not in text


async def test_no_news_and_no_updates_are_asked_for(
    jupyter: LocalSite, running: SessionSpec
) -> None:
    assert await get(jupyter, running, "lab/api/news") == (200, '{"news": []}')
    assert await get(jupyter, running, "lab/api/update") == (200, '{"notification": null}')


async def test_a_token_in_an_address_is_not_in_the_log(
    jupyter: LocalSite, running: SessionSpec
) -> None:
    status, _ = await get(jupyter, running, f"no-such-page?token={running.token}")
    assert status == 404
    eventually(lambda: "no-such-page" in jupyter.backend.logs(running.key, lines=10))
    assert running.token not in jupyter.backend.logs(running.key, lines=1000)


def test_nothing_listens_but_the_socket(jupyter: LocalSite, running: SessionSpec) -> None:
    connections = [
        connection
        for process in jupyter.processes(running.key)
        for connection in process.net_connections(kind="inet")
    ]
    assert connections == []
    assert Path(jupyter.run(running.key).socket).stat().st_mode & 0o777 == 0o600


async def test_a_kernel_has_sockets_of_its_own_user_and_dies_with_its_session(
    jupyter: LocalSite,
) -> None:
    spec = jupyter.start_ready()
    async with browser(jupyter, spec) as session:
        async with session.post("api/kernels") as answer:
            kernel = (await answer.json())["id"]
        pid = int(await run_code(session, kernel, "import os; print(os.getpid())"))
    process = psutil.Process(pid)
    assert process in jupyter.processes(spec.key)
    sockets = [path.name for path in jupyter.run(spec.key).sockets.glob("kernel-*-ipc-*")]
    assert sorted(sockets) == [f"kernel-{kernel}-ipc-{channel}" for channel in range(1, 6)]
    jupyter.backend.stop(spec.key)
    jupyter.await_gone(spec.key)
    assert not process.is_running()


async def run_code(session: aiohttp.ClientSession, kernel: str, code: str) -> str:
    """Run code in a kernel, and give what it prints."""
    request = {
        "header": {"msg_id": code, "msg_type": "execute_request", "version": "5.3"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "store_history": False},
        "channel": "shell",
    }
    printed = []
    async with session.ws_connect(
        f"api/kernels/{kernel}/channels", timeout=aiohttp.ClientWSTimeout(ws_receive=20)
    ) as channel:
        await channel.send_json(request)
        async for message in channel:
            said = message.json()
            if said["parent_header"].get("msg_id") != code:
                continue
            if said["msg_type"] == "stream":
                printed.append(said["content"]["text"])
            if said["content"].get("execution_state") == "idle":
                return "".join(printed)
    raise AssertionError("The kernel did not answer.")


async def test_what_a_terminal_left_in_the_background_dies_with_the_session(
    jupyter: LocalSite,
) -> None:
    spec = jupyter.start_ready()
    home = jupyter.home(home_of(spec))
    command = "nohup setsid sh -c 'echo $$ > pid.new; mv pid.new pid; sleep 300' &\r"
    async with browser(jupyter, spec) as session:
        async with session.post("api/terminals") as answer:
            terminal = (await answer.json())["name"]
        async with session.ws_connect(f"terminals/websocket/{terminal}") as shell:
            await shell.receive()
            await shell.send_json(["stdin", command])
            eventually((home / "pid").exists)
    process = psutil.Process(int((home / "pid").read_text()))
    assert process.cwd() == str(home)
    jupyter.backend.stop(spec.key)
    jupyter.await_gone(spec.key)
    assert not process.is_running()


async def test_a_kernel_dies_also_when_the_shim_was_killed(jupyter: LocalSite) -> None:
    spec = jupyter.start_ready()
    async with browser(jupyter, spec) as session, session.post("api/kernels") as answer:
        assert answer.status == 201
    eventually(lambda: len(jupyter.processes(spec.key)) == 3)
    jupyter.shim(spec.key).kill()
    jupyter.backend.stop(spec.key)
    jupyter.await_gone(spec.key)
    assert jupyter.processes(spec.key) == []


def test_a_server_that_is_asked_to_end_ends_in_order(jupyter: LocalSite) -> None:
    spec = jupyter.start_ready()
    jupyter.backend.stop(spec.key)
    jupyter.await_gone(spec.key)
    assert jupyter.state(spec.key).exit_code == 0
