"""A local backend in folders of its own, whose processes are gone when the test ends."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

import aiohttp
import psutil
import pytest
from yarl import URL

from notebooks.backends.contract import Observed, RunKey, RunState, SessionSpec
from notebooks.backends.local.backend import LocalBackend
from notebooks.backends.local.processes import leftovers
from notebooks.backends.local.runs import Run, State
from tests.contracts.backend_suite import Site, a_spec
from tests.contracts.eventually import eventually
from volumes.contract import VolumeSpec

STAND_IN = Path(__file__).with_name("standin.py")
JUPYTER_LAB = Path(__file__).parents[4] / ".venv-notebook/bin/jupyter-lab"


class LocalSite(Site):
    def __init__(self, folder: Path, jupyter: Path) -> None:
        self.folder = folder
        self.jupyter = jupyter
        self.backend: LocalBackend = self.another_backend()

    def another_backend(self) -> LocalBackend:
        """As another process of the service has it."""
        return LocalBackend(
            data=self.folder / "data", runtime=self.folder / "run", jupyter=self.jupyter
        )

    def start(self, spec: SessionSpec | None = None) -> SessionSpec:
        spec = spec or a_spec()
        volumes = [mount.volume for mount in spec.mounts]
        for volume in [*volumes, spec.home] if spec.home else volumes:
            self.backend.ensure_volume(volume)
        self.backend.start(spec)
        return spec

    def start_ready(self) -> SessionSpec:
        spec = self.start()
        self.await_ready(spec.key)
        return spec

    def await_state(self, key: RunKey, state: RunState) -> Observed:
        def look() -> Observed | None:
            seen = self.backend.observe(key)
            return seen if seen and seen.state is state else None

        return eventually(look)

    def await_ready(self, key: RunKey) -> Observed:
        return self.await_state(key, RunState.READY)

    def await_gone(self, key: RunKey) -> None:
        eventually(lambda: self.backend.observe(key) is None)

    def crash(self, key: RunKey) -> int:
        os.kill(self.server(key).pid, signal.SIGKILL)
        self.await_state(key, RunState.EXITED)
        return -signal.SIGKILL

    def write_log(self, key: RunKey, line: str) -> None:
        self.ask(key, f"say/{line}")
        eventually(lambda: line in self.backend.logs(key, lines=10))

    def write_file(self, key: RunKey, path: str, text: str) -> bool:
        return self.ask(key, f"write/{text}/{path}").startswith("HTTP/1.1 200 ")

    def read_file(self, key: RunKey, path: str) -> str:
        return self.ask(key, f"read/{path}").partition("\r\n\r\n")[2]

    def claim(self) -> str:
        claim = self.folder / "archive"
        claim.mkdir()
        return str(claim)

    def claim_of_nothing(self) -> str:
        return str(self.folder / "nothing")

    def ask(self, key: RunKey, what: str) -> str:
        """Have the stand-in do something, and give its answer."""
        request = self.run(key).request()
        assert request is not None
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(request.socket)
            server.sendall(f"GET {request.base_url}{what} HTTP/1.0\r\n\r\n".encode())
            return server.recv(65536).decode()

    def run(self, key: RunKey) -> Run:
        return self.backend._runs.of(key)

    def home(self, volume: VolumeSpec) -> Path:
        return self.backend._volumes.of(volume)

    def state(self, key: RunKey) -> State:
        return eventually(lambda: self.run(key).state())

    def shim(self, key: RunKey) -> psutil.Process:
        return psutil.Process(eventually(lambda: self.state(key).pid))

    def server(self, key: RunKey) -> psutil.Process:
        return psutil.Process(eventually(lambda: self.state(key).server))

    def processes(self, key: RunKey) -> list[psutil.Process]:
        """Every process of the run, its shim included."""
        return leftovers(key.run_id)

    def close(self) -> None:
        keys = [
            RunKey(UUID(session.name), UUID(run.name))
            for session in (self.folder / "data/runs").glob("*")
            for run in session.iterdir()
        ]
        for key in keys:
            self.backend.stop(key)
        for key in keys:
            self.await_gone(key)
        left = [process for key in keys for process in self.processes(key)]
        assert left == []


@asynccontextmanager
async def browser(site: LocalSite, spec: SessionSpec) -> AsyncIterator[aiohttp.ClientSession]:
    """As the gateway asks: over the socket, by the public name, with the session's token."""
    seen = site.backend.observe(spec.key)
    assert seen is not None
    async with aiohttp.ClientSession(
        base_url=f"http://ada.notebooks.example{spec.base_url}",
        connector=aiohttp.UnixConnector(seen.address.removeprefix("unix:")),
        headers={"Authorization": f"token {spec.token}"},
    ) as session:
        yield session


async def get(
    site: LocalSite, spec: SessionSpec, path: str | URL, *, token: str = ""
) -> tuple[int, str]:
    headers = {"Authorization": f"token {token or spec.token}"}
    async with browser(site, spec) as session, session.get(path, headers=headers) as answer:
        return answer.status, await answer.text()


# Deeper than Python calls itself, and than a process may have files open.
DEPTH = 3_000


def dig(top: Path, target: Path) -> None:
    """Make a folder in a folder in a folder, and so on, with a symlink in the last one."""
    at = os.open(top, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("a", dir_fd=at)
        below = os.open("a", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.symlink(target, "out", dir_fd=at)
    os.close(at)


def stand_in(folder: Path, behaviour: str) -> Path:
    """Make an executable that behaves in one of the ways of `standin.py`."""
    path = folder / behaviour
    command = shlex.join([sys.executable, "-I", "-S", str(STAND_IN), behaviour])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o700)
    return path


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 2 MiB and 200 files at this folder; the test is left out where none can be made."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=200,mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs root, to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def local_site(folder: Path, tmp_path: Path) -> Iterator[Callable[[str], LocalSite]]:
    """Make the one site of this test, whose servers behave as named; at the end, all is gone."""
    sites: list[LocalSite] = []

    def make(behaviour: str) -> LocalSite:
        sites.append(LocalSite(folder, stand_in(tmp_path, behaviour)))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(local_site: Callable[[str], LocalSite]) -> LocalSite:
    return local_site("obeys")
