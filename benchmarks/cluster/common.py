"""What the benchmarks on a cluster share: a bare client, a namespace, a load and what it cost.

They want KUBECONFIG, and nodes with the label and taint `fake=true` on which a pod is Ready once
it is bound and something that looks like Jupyter answers on port 8888 of its address.
"""

import asyncio
import json
import signal
import ssl
import time
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Any, Self
from uuid import uuid4

import aiohttp
import psutil
from kubernetes import client, config

Json = dict[str, Any]

LABELS = {"fake": "true"}
TOLERATION = {"key": "fake", "operator": "Exists"}
MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Load:
    """How many are running before and after what is measured, and how many POSTs are open."""

    before: int = 100
    after: int = 1000
    in_flight: int = 50
    homes: bool = False
    """Whether raw and JupyterHub also make a volume for each, as this service does."""

    @property
    def count(self) -> int:
        """The starts that are measured."""
        return self.after - self.before

    @classmethod
    def from_arguments(cls, parser: ArgumentParser) -> tuple[Self, Namespace]:
        """Read the command line: the load, and what else the parser was told to read."""
        parser.add_argument("--before", type=int, default=cls.before)
        parser.add_argument("--after", type=int, default=cls.after)
        parser.add_argument("--in-flight", type=int, default=cls.in_flight)
        parser.add_argument("--homes", action="store_true", help="with a volume for each")
        given = parser.parse_args()
        names = [each.name for each in fields(cls)]
        return cls(**{name: getattr(given, name) for name in names}), given

    @property
    def patience(self) -> float:
        """Seconds after which a load that has not come to its end never will."""
        return 120 + self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What programs used while measured, and the memory that they had at the end."""

    cpu_seconds: float
    memory_mib: float


@dataclass(frozen=True, kw_only=True)
class Launches:
    """The outcome of a load: when the first POST was sent, and when each start was ready."""

    name: str
    begun: float
    ready: list[float]
    costs: Mapping[str, Cost]
    machine: Cost
    """All that ran meanwhile: also the cluster, and whoever measured."""

    def per_second(self) -> float:
        """Starts per second, from the first POST to the last that was ready."""
        return len(self.ready) / (max(self.ready) - self.begun)

    def first_and_last(self) -> tuple[float, float]:
        """Starts per second within the first hundred that were ready, and within the last."""
        ready = sorted(self.ready)
        first, last = ready[:100], ready[-100:]
        return _rate(first), _rate(last)

    def report(self) -> None:
        """Print the figures."""
        first, last = self.first_and_last()
        print(
            f"{self.name}: {len(self.ready)} starts in {max(self.ready) - self.begun:.1f} s, "
            f"{self.per_second():.1f}/s; first hundred {first:.1f}/s, last hundred {last:.1f}/s"
        )
        for name, cost in {**self.costs, "the whole machine": self.machine}.items():
            milliseconds = cost.cpu_seconds / len(self.ready) * 1000
            print(f"  {name:<20}{milliseconds:>7.1f} ms CPU per start{cost.memory_mib:>7.0f} MiB")


class Meter:
    """What programs use from here on, each with its children, unless those are named as well."""

    def __init__(self, programs: Mapping[str, psutil.Process]) -> None:
        self._programs = programs
        self._roots = {process.pid for process in programs.values()}
        self._before = {name: self._cpu_seconds(process) for name, process in programs.items()}
        self._machine_before = _busy_seconds()

    def costs(self) -> dict[str, Cost]:
        """So far, by program."""
        return {
            name: Cost(
                cpu_seconds=self._cpu_seconds(process) - self._before[name],
                memory_mib=self._memory_mib(process),
            )
            for name, process in self._programs.items()
        }

    def machine(self) -> Cost:
        """So far, by everything that runs here."""
        return Cost(
            cpu_seconds=_busy_seconds() - self._machine_before,
            memory_mib=psutil.virtual_memory().used / MIB,
        )

    def _cpu_seconds(self, process: psutil.Process) -> float:
        """Also of children that have ended."""
        return self._sum(process, lambda each: sum(each.cpu_times()[:4]))

    def _memory_mib(self, process: psutil.Process) -> float:
        """What they share counts in part, so that it adds up."""
        return self._sum(process, lambda each: each.memory_full_info().pss / MIB)

    def _sum(self, process: psutil.Process, measure: Callable[[psutil.Process], float]) -> float:
        total = 0.0
        for each in (process, *process.children(recursive=True)):
            if each == process or each.pid not in self._roots:
                # A database's come and go.
                with suppress(psutil.NoSuchProcess):
                    total += measure(each)
        return total


def _rate(times: list[float]) -> float:
    return (len(times) - 1) / (times[-1] - times[0])


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


class Cluster:
    """A bare client: JSON in, JSON out, nothing between."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def request(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask the API server. Raises `aiohttp.ClientResponseError` on any refusal."""
        async with self._http.request(method, path, json=body) as answer:
            if not answer.ok:
                raise aiohttp.ClientResponseError(
                    answer.request_info,
                    (),
                    status=answer.status,
                    message=(await answer.text())[:500],
                )
            return dict(await answer.json())

    async def metrics(self) -> str:
        """What the API server tells of itself, as Prometheus reads it."""
        async with self._http.get("/metrics") as answer:
            answer.raise_for_status()
            return await answer.text()

    async def follow_pods(self, namespace: str) -> AsyncIterator[Json]:
        """Every pod, and again whenever it has changed."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        listed = await self.request("GET", path)
        for pod in listed["items"]:
            yield pod
        version = listed["metadata"]["resourceVersion"]
        async with self._http.get(
            path,
            params={"watch": "1", "resourceVersion": version},
            timeout=aiohttp.ClientTimeout(total=None),
        ) as stream:
            stream.raise_for_status()
            async for line in stream.content:
                yield json.loads(line)["object"]


@asynccontextmanager
async def connected() -> AsyncIterator[Cluster]:
    """Connect to the cluster of KUBECONFIG; ends the program if it has no fake nodes."""
    found = client.Configuration()
    config.load_kube_config(client_configuration=found)
    tls = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if found.cert_file:
        tls.load_cert_chain(found.cert_file, found.key_file)
    headers = {"Authorization": found.api_key["authorization"]} if found.api_key else {}
    async with aiohttp.ClientSession(
        found.host,
        connector=aiohttp.TCPConnector(ssl=tls, limit=0),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=60),
        read_bufsize=MIB,
    ) as http:
        cluster = Cluster(http)
        nodes = await cluster.request("GET", "/api/v1/nodes?labelSelector=fake%3Dtrue")
        if not nodes["items"]:
            raise SystemExit("This cluster has no nodes with the label fake=true: add some.")
        yield cluster


@asynccontextmanager
async def namespace(cluster: Cluster) -> AsyncIterator[str]:
    """A namespace that is removed again, with all that is in it, before the block is left."""
    name = f"bench-{uuid4().hex[:8]}"
    await cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    try:
        yield name
    finally:
        now = {"gracePeriodSeconds": 0}
        await cluster.request("DELETE", f"/api/v1/namespaces/{name}/pods", now)
        await cluster.request("DELETE", f"/api/v1/namespaces/{name}")
        await _until_gone(cluster, f"/api/v1/namespaces/{name}")


async def _until_gone(cluster: Cluster, path: str, *, seconds: int = 300) -> None:
    for _ in range(seconds):
        try:
            await cluster.request("GET", path)
        except aiohttp.ClientResponseError as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return
            raise
        await asyncio.sleep(1)
    raise TimeoutError(f"{path} is still there after {seconds} s")


async def flood(
    names: Iterable[str], start: Callable[[str], Awaitable[None]], *, in_flight: int
) -> None:
    """Start one of each name, so many at a time."""
    left = iter(names)

    async def work() -> None:
        for name in left:
            await start(name)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())


class Readiness:
    """When each of those that were awaited was ready."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._changed = asyncio.Event()

    def note(self, name: str) -> None:
        """It is ready now, unless that is known."""
        self._times.setdefault(name, time.time())
        self._changed.set()

    async def of(self, names: Iterable[str]) -> list[float]:
        """Wait until all of them are ready."""
        wanted = list(names)
        while not self._times.keys() >= set(wanted):
            self._changed.clear()
            await self._changed.wait()
        return [self._times[name] for name in wanted]


def is_ready(pod: Json) -> bool:
    """Whether the pod says so."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"].get("conditions", ())
    )


async def report(
    measure: Callable[[Cluster, Load], Awaitable[Launches]], description: str | None
) -> None:
    """Measure as the command line says, and print the outcome."""
    load, _ = Load.from_arguments(ArgumentParser(description=description))
    async with connected() as cluster:
        (await measure(cluster, load)).report()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run it; Ctrl-C and SIGTERM end it in order, so that nothing is left in the cluster."""

    async def stoppable() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await main

    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(stoppable())
