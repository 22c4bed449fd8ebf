"""Through the gateway to a real JupyterLab on a Unix socket."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest

from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Running, Upstream, serving

JUPYTER = Path(__file__).parents[3] / ".venv-notebook" / "bin" / "jupyter-lab"

pytestmark = [
    pytest.mark.jupyter,
    pytest.mark.skipif(not JUPYTER.exists(), reason="needs .venv-notebook"),
]


@pytest.fixture
async def lab(authority: MemoryAuthority) -> AsyncIterator[Running]:
    """A gateway in front of a JupyterLab that has just started."""
    session_id = uuid4()
    with TemporaryDirectory(prefix="gw") as folder:
        sock = Path(folder) / "lab.sock"
        process = await asyncio.create_subprocess_exec(
            str(JUPYTER),
            *("--no-browser", "--allow-root", "--ServerApp.allow_remote_access=True"),
            f"--ServerApp.sock={sock}",
            f"--ServerApp.base_url=/session/{session_id}/",
            f"--ServerApp.root_dir={folder}",
            cwd=folder,
            env={
                "HOME": folder,
                "JUPYTER_TOKEN": "the-run's-token",
                "PATH": f"{JUPYTER.parent}:{os.environ['PATH']}",
            },
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with serving(
                authority, Upstream(f"unix:{sock}"), session_id=session_id
            ) as gateway:
                async with asyncio.timeout(60):
                    while (await answer(gateway, "api/status"))[0] != 200:  # noqa: ASYNC110
                        await asyncio.sleep(0.2)
                yield gateway
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(20):
                await process.wait()


async def answer(
    gateway: Running, within: str, method: str = "GET", data: object = None
) -> tuple[int, Any]:
    body = None if data is None else BytesIO(json.dumps(data).encode())
    async with gateway.fetch(within, method=method, headers=gateway.own, data=body) as response:
        text = await response.text()
        is_json = response.content_type == "application/json"
        return response.status, json.loads(text) if is_json else text


async def test_jupyterlab_is_used_through_the_gateway(lab: Running) -> None:
    status, page = await answer(lab, "lab")
    assert status == 200
    assert "jupyter-config-data" in page
    await kernel_computes(lab)
    await terminal_echoes(lab)
    await file_goes_up_and_comes_down(lab)


async def kernel_computes(lab: Running) -> None:
    status, kernel = await answer(lab, "api/kernels", "POST", {"name": "python3"})
    assert status == 201
    execute = {
        "channel": "shell",
        "header": {"msg_id": "m1", "msg_type": "execute_request", "session": "s", "version": "5.3"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": "6*7", "silent": False},
    }
    lab.authority.add_token(lab.session_id, "subnb_adas")
    for query, headers in (("", lab.own), ("&token=subnb_adas", {})):
        within = f"api/kernels/{kernel['id']}/channels?session_id=s{query}"
        async with lab.connect(within, headers=headers) as ws:
            await ws.send_str(json.dumps(execute))
            async with asyncio.timeout(30):
                while True:
                    message = json.loads(await ws.receive_str())
                    if message["msg_type"] == "execute_result":
                        break
        assert message["content"]["data"] == {"text/plain": "42"}
    status, _ = await answer(lab, f"api/kernels/{kernel['id']}", "DELETE")
    assert status == 204


async def terminal_echoes(lab: Running) -> None:
    status, terminal = await answer(lab, "api/terminals", "POST", {})
    assert status == 200
    output = ""
    async with lab.connect(f"terminals/websocket/{terminal['name']}") as ws:
        await ws.send_str(json.dumps(["stdin", "echo $((6*7))-through\r"]))
        async with asyncio.timeout(30):
            while "42-through" not in output:
                kind, *text = json.loads(await ws.receive_str())
                output += str(text[0]) if kind == "stdout" else ""


async def file_goes_up_and_comes_down(lab: Running) -> None:
    content = os.urandom(1_000_000)
    upload = {
        "type": "file",
        "format": "base64",
        "content": base64.b64encode(content).decode(),
    }
    status, _ = await answer(lab, "api/contents/a%20b%23c.bin", "PUT", upload)
    assert status == 201
    async with lab.fetch("files/a%20b%23c.bin") as response:
        assert response.status == 200
        assert await response.read() == content
