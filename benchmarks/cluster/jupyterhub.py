"""The same load for JupyterHub 6.1 with KubeSpawner 7.1 and configurable-http-proxy.

    python -m benchmarks.cluster.jupyterhub

They are installed into the user's cache at the first run, by pip and npm. The users are made
before anything is measured; a server counts as ready when the hub's log says how long it took,
which is before the hub tells its proxy. `hub_config.py` says what is configured, and why. Two ways
to ask are measured: `measure_held` has POSTs held until the server is up, as a hub does by itself
(for at most 10 s), `measure` has them answered at once.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from benchmarks.cluster.common import (
    LABELS,
    TOLERATION,
    Cluster,
    Launches,
    Load,
    Meter,
    Readiness,
    flood,
    namespace,
    report,
    run,
)
from tests.stack.service import free_ports

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "submarine-benchmarks")
PACKAGES = ("jupyterhub==6.1.*", "jupyterhub-kubespawner==7.1.*")
PROXY = "configurable-http-proxy@5.3.0"
CONFIG = Path(__file__).with_name("hub_config.py")

STARTED = re.compile(r"User (\S+) took [\d.]+ seconds to start")
FAILED = re.compile(r"^\[[EC] ")


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A running hub."""

    process: psutil.Process
    readiness: Readiness
    failures: list[str]
    """What its log calls an error."""
    http: aiohttp.ClientSession

    async def make_users(self, names: list[str]) -> None:
        async with self.http.post("users", json={"usernames": names}) as answer:
            answer.raise_for_status()

    async def start(self, name: str) -> None:
        async with self.http.post(f"users/{name}/server") as answer:
            assert answer.status in {201, 202}, await answer.text()

    def programs(self) -> dict[str, psutil.Process]:
        """The hub, and the proxy that it has started."""
        [proxy] = self.process.children()
        return {"hub": self.process, "proxy": proxy}


def installed() -> Path:
    """Install JupyterHub and its proxy unless they are there; the folder."""
    folder = CACHE / "jupyterhub"
    wanted = " ".join((sys.version, *PACKAGES, PROXY))
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for command in (
            (folder / "bin" / "pip", "install", "--quiet", "--quiet", *PACKAGES),
            ("npm", "install", "--silent", "--prefix", folder, PROXY),
        ):
            subprocess.run(command, check=True)
        stamp.write_text(wanted)
    return folder


@asynccontextmanager
async def running(place: str, load: Load, *, held: bool) -> AsyncIterator[Hub]:
    """Run a hub whose servers are pods in the namespace `place`."""
    folder = await asyncio.to_thread(installed)
    port, hub_port, proxy_port = free_ports(3)
    token = secrets.token_hex()
    given = {
        "url": f"http://127.0.0.1:{port}",
        "hub_port": hub_port,
        "proxy": [str(folder / "node_modules" / ".bin" / "configurable-http-proxy")],
        "proxy_url": f"http://127.0.0.1:{proxy_port}",
        "token": token,
        "namespace": place,
        "labels": LABELS,
        "toleration": TOLERATION,
        "homes": load.homes,
        "held": held,
    }
    readiness = Readiness()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as data:
        process = await asyncio.create_subprocess_exec(
            *(folder / "bin" / "jupyterhub", "--config", CONFIG, "--no-ssl"),
            cwd=data,
            env={**os.environ, "BENCHMARK": json.dumps(given)},
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C is for who measures, who then ends the hub.
            start_new_session=True,
        )
        assert process.stdout is not None
        reading = asyncio.create_task(_read(process.stdout, readiness, failures))
        try:
            async with aiohttp.ClientSession(
                f"{given['url']}/hub/api/",
                headers={"Authorization": f"token {token}"},
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=300),
            ) as http:
                hub = Hub(
                    process=psutil.Process(process.pid),
                    readiness=readiness,
                    failures=failures,
                    http=http,
                )
                await _until_up(hub)
                yield hub
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            reading.cancel()


async def _read(log: asyncio.StreamReader, readiness: Readiness, failures: list[str]) -> None:
    async for line in log:
        text = line.decode()
        if found := STARTED.search(text):
            readiness.note(found[1])
        elif FAILED.search(text):
            failures.append(text.rstrip())


async def _until_up(hub: Hub) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with hub.http.get("users") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.2)


async def measure_held(cluster: Cluster, load: Load) -> Launches:
    """Start a server for as many users as the load says, each POST held until it is up."""
    return await _measure(cluster, load, held=True)


async def measure(cluster: Cluster, load: Load) -> Launches:
    """The same with POSTs that are answered at once."""
    return await _measure(cluster, load, held=False)


async def _measure(cluster: Cluster, load: Load, *, held: bool) -> Launches:
    async with (
        namespace(cluster) as place,
        running(place, load, held=held) as hub,
        asyncio.timeout(load.patience),
    ):
        users = [f"user{number}" for number in range(load.after)]
        await hub.make_users(users)

        async def start_all(names: list[str]) -> list[float]:
            await flood(names, hub.start, in_flight=load.in_flight)
            return await hub.readiness.of(names)

        await start_all(users[: load.before])
        meter = Meter(hub.programs())
        begun = time.time()
        ready = await start_all(users[load.before :])
        assert not hub.failures, hub.failures[:5]
        name = "JupyterHub, POSTs held" if held else "JupyterHub, POSTs answered at once"
        if load.homes:
            name += ", with homes"
        return Launches(
            name=name, begun=begun, ready=ready, costs=meter.costs(), machine=meter.machine()
        )


if __name__ == "__main__":
    run(report(measure, __doc__))
