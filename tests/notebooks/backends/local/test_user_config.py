"""Real JupyterLab servers in homes whose own Jupyter configuration says otherwise."""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from notebooks.backends import inside
from notebooks.backends.contract import RunState, SessionSpec
from tests.contracts.backend_suite import a_spec, home_of
from tests.notebooks.backends.local.conftest import JUPYTER_LAB, LocalSite, browser

pytestmark = pytest.mark.jupyter

OPTIONS = {
    "allow_origin": "https://elsewhere.example",
    "allow_origin_pat": "https://elsewhere.*",
    "base_url": "/mine/",
    "certfile": "mine.pem",
    "file_to_run": "mine.ipynb",
    "ip": "192.0.2.1",
    "keyfile": "mine.key",
    "notebook_dir": "/usr",
    "open_browser": True,
    "password": "argon2:mine",
    "password_required": True,
    "port": 9999,
    "root_dir": "/usr",
    "sock": "/usr/mine.sock",
    "token": "mine",
    "websocket_url": "wss://elsewhere.example",
}


def as_python(section: str, options: dict[str, object]) -> str:
    return "".join(f"c.{section}.{name} = {value!r}\n" for name, value in options.items())


OF_NOTEBOOK = {name: OPTIONS[name] for name in OPTIONS.keys() - {"notebook_dir"}}
IDENTITY = """
c.IdentityProvider.token = ""
c.PasswordIdentityProvider.token = "mine"
c.PasswordIdentityProvider.hashed_password = "argon2:mine"
c.PasswordIdentityProvider.password_required = True
c.ServerApp.PasswordIdentityProvider.token = ""
c.ServerApp.identity_provider_class = "jupyter_server.auth.identity.IdentityProvider"
c.ServerApp.login_handler_class = "jupyter_server.auth.login.LegacyLoginHandler"
c.AsyncLargeFileManager.root_dir = "/usr"
c.ServerApp.AsyncLargeFileManager.root_dir = "/usr"
c.AsyncMappingKernelManager.root_dir = "/usr"
from jupyter_server.auth.authorizer import Authorizer
class Nobody(Authorizer):
    def is_authorized(self, *_): return False
c.ServerApp.authorizer_class = Nobody
"""
HARMLESS = 'c.ContentsManager.untitled_notebook = "Blatt"\n'

# A file that cannot be read is left out by Jupyter itself.
CONFIGURED = {
    "of-the-server": {
        "jupyter_server_config.py": as_python("ServerApp", OPTIONS) + IDENTITY,
        "jupyter_server_config.json": json.dumps({"ServerApp": OPTIONS}),
        "jupyter_lab_config.py": "c.ServerApp.token = (\n",
    },
    "of-older-names": {
        "jupyter_server_config.py": as_python("NotebookApp", OF_NOTEBOOK),
        "jupyter_lab_config.py": as_python("LabApp", OF_NOTEBOOK) + IDENTITY,
        "jupyter_notebook_config.py": as_python("NotebookApp", OF_NOTEBOOK),
    },
    "of-all": {
        "jupyter_config.py": as_python("ServerApp", OPTIONS)
        + as_python("LabApp", OF_NOTEBOOK)
        + 'c.JupyterApp.config_file = "/usr/nothing.py"\n'
        + 'c.JupyterApp.config_file_name = "nothing"\n'
    },
    "without-a-token": {
        "jupyter_server_config.py": "c.NotebookApp.token = ''\nc.NotebookApp.password = ''\n"
    },
}


@pytest.fixture
def jupyter(folder: Path) -> Iterator[LocalSite]:
    site = LocalSite(folder, JUPYTER_LAB)
    yield site
    site.close()


def configured(site: LocalSite, files: dict[str, str]) -> SessionSpec:
    """Make a home with these files of configuration, and start a session with it."""
    spec = a_spec()
    site.backend.ensure_volume(home_of(spec))
    config = site.home(home_of(spec)) / ".jupyter"
    config.mkdir()
    for name, text in files.items():
        (config / name).write_text(text)
    site.backend.start(spec)
    return spec


@asynccontextmanager
async def as_stranger(site: LocalSite, spec: SessionSpec) -> AsyncIterator[aiohttp.ClientSession]:
    seen = site.backend.observe(spec.key)
    assert seen is not None
    async with aiohttp.ClientSession(
        base_url=f"http://ada.notebooks.example{spec.base_url}",
        connector=aiohttp.UnixConnector(seen.address.removeprefix("unix:")),
    ) as session:
        yield session


@pytest.mark.parametrize("name", CONFIGURED)
async def test_what_the_service_depends_on_is_not_the_homes_to_change(
    jupyter: LocalSite, name: str
) -> None:
    spec = configured(jupyter, CONFIGURED[name])
    jupyter.await_ready(spec.key)
    home = jupyter.home(home_of(spec))
    (home / "notes.txt").write_text("ada's")
    async with browser(jupyter, spec) as session:
        # As programs write, with a token and no cookie.
        new = {"type": "file", "format": "text", "content": "new"}
        async with session.put("api/contents/new.txt", json=new) as answer:
            assert answer.status == 201
        assert (home / "new.txt").read_text() == "new"
        async with session.get("lab") as answer:
            page = await answer.text()
            assert f'"baseUrl": "{spec.base_url}"' in page
            assert '"wsUrl": ""' in page
        async with session.post("api/kernels") as answer:
            kernel = (await answer.json())["id"]
        # As browsers connect.
        origin = "http://ada.notebooks.example"
        async with session.ws_connect(f"api/kernels/{kernel}/channels", origin=origin):
            pass
        async with session.delete(f"api/kernels/{kernel}") as answer:
            assert answer.status == 204
        # What is not ours does not stand in the way of what is.
        async with session.get("lab/api/news") as answer:
            assert await answer.json() == {"news": []}
    async with as_stranger(jupyter, spec) as session:
        for token in ("", "mine", "argon2:mine"):
            headers = {"Authorization": f"token {token}"}
            async with session.get("api/contents", headers=headers) as answer:
                assert answer.status == 403


async def test_what_is_harmless_stays_the_users(jupyter: LocalSite) -> None:
    spec = configured(jupyter, {"jupyter_server_config.py": HARMLESS})
    jupyter.await_ready(spec.key)
    async with (
        browser(jupyter, spec) as session,
        session.post("api/contents", json={"type": "notebook"}) as answer,
    ):
        assert (await answer.json())["name"] == "Blatt.ipynb"


async def test_a_home_keeps_the_open_tabs_of_its_last_sessions(jupyter: LocalSite) -> None:
    spec = a_spec()
    jupyter.backend.ensure_volume(home_of(spec))
    workspaces = jupyter.home(home_of(spec)) / ".jupyter/lab/workspaces"
    own, common = workspaces / "submarine" / str(spec.key.session_id), workspaces / "mine"
    sessions = [workspaces / "submarine" / str(UUID(int=number)) for number in range(60)]
    for age, folder in enumerate([*sessions, own, common, workspaces / "submarine" / "notes"]):
        folder.mkdir(parents=True)
        (folder / "tabs").touch()
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    jupyter.backend.start(spec)
    jupyter.await_ready(spec.key)

    assert all((folder / "tabs").exists() for folder in [*sessions[:49], own, common])
    assert (workspaces / "submarine/notes/tabs").exists()
    assert not any(folder.exists() for folder in sessions[49:])
    name = spec.key.session_id.hex[-12:]
    tabs = {"data": {"tabs": ["a.ipynb"]}, "metadata": {"id": name}}
    async with browser(jupyter, spec) as session:
        async with session.get("lab") as answer:
            assert f'"workspace": "{name}"' in await answer.text()
        async with session.get("lab/workspaces/other/tree/a.ipynb") as answer:
            assert '"workspace": "other"' in await answer.text()
        async with session.put(f"lab/api/workspaces/{name}", json=tabs) as answer:
            assert answer.status == 204
    assert {path.suffix for path in own.iterdir()} == {"", ".jupyterlab-workspace"}


def test_a_configuration_that_keeps_the_server_from_starting_ends_it(jupyter: LocalSite) -> None:
    spec = configured(jupyter, {"jupyter_server_config.py": "c.ServerApp.port_retries = 'many'\n"})
    assert jupyter.await_state(spec.key, RunState.EXITED).exit_code == 1


# Stands for jupyter_server 1, which lacks the module.
WITHOUT_IDENTITY = """
import json, sys
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config
app = ServerApp.instance()
app.cli_config = Config(ServerApp={"base_url": "/ours/"})
app.root_dir = sys.argv[2]
sys.modules["jupyter_server.auth.identity"] = None
sys.path.append(sys.argv[1])
from session_server import pin_options
pin_options(512)
app.update_config(Config(ServerApp=json.loads(sys.argv[3])))
print(json.dumps(app.config, default=lambda value: value.__name__))
"""


def test_what_is_pinned_holds_where_jupyter_has_no_providers_of_identity(tmp_path: Path) -> None:
    theirs = {**OPTIONS, "LargeFileManager": {"root_dir": "/usr"}}
    done = subprocess.run(
        [
            JUPYTER_LAB.with_name("python"),
            "-c",
            WITHOUT_IDENTITY,
            inside.FOLDER,
            tmp_path,
            json.dumps(theirs),
        ],
        env={"JUPYTER_TOKEN": "ours", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    config = json.loads(done.stdout)
    server = config["ServerApp"]
    wanted = {
        "allow_origin": "",
        "allow_origin_pat": "",
        "allow_password_change": False,
        "authorizer_class": "AllowAllAuthorizer",
        "base_url": "/ours/",
        "certfile": "",
        "file_to_run": "",
        "keyfile": "",
        "login_handler_class": "jupyter_server.auth.login.LoginHandler",
        "open_browser": False,
        "password": "",
        "password_required": False,
        "token": "ours",
        "websocket_url": "",
    }
    assert {name: server[name] for name in wanted} == wanted
    assert "identity_provider_class" not in server
    assert server["LargeFileManager"] == {"root_dir": str(tmp_path)}
    assert config["SubmarineSession"] == {"memory_mib": 512}
