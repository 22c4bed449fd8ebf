"""How soon every session is looked after again once worker and watcher were killed.

    python -m benchmarks.cluster.restart --running 1000

Both are ended by SIGKILL, and started again by what keeps the service. Sessions are confirmed when
the watcher notes its first sign of life: it does so when it has listed every pod and the
reconciler has compared all of them with their rows. The worker's, noted after its first look at
all rows and all pods, is given as well. Then rows and pods are compared with those before: none
may be lost, or be another.
"""

import asyncio
import time
from argparse import ArgumentParser
from collections.abc import Mapping

from redis import Redis

from benchmarks.cluster.common import Cluster, Load, connected, run
from benchmarks.cluster.service import Site, running_site
from submarine_site.core.heartbeat import Heartbeat

LEFT = ("left to the poll", "could not be looked at")
SETTLE_SECONDS = 10
LOOK_SECONDS = 0.01
LOOKS = 6000
ASKED_SECONDS = 5.0


async def signs_of_life(redis: Redis) -> dict[Heartbeat, float]:
    """Wait for the first of each; when it was noted."""
    noted: dict[Heartbeat, float] = {}
    for _ in range(LOOKS):
        for heart in Heartbeat:
            if heart not in noted and redis.exists(heart):
                noted[heart] = time.time()
        if len(noted) == len(Heartbeat):
            return noted
        await asyncio.sleep(LOOK_SECONDS)
    raise TimeoutError(f"only of {list(noted)}")


async def state(cluster: Cluster, site: Site) -> tuple[set[tuple[str, str, str]], set[str]]:
    """Every session with its run and status, and every pod."""
    rows = {(row.id, row.run_id, row.status) for row in site.rows()}
    pods = await cluster.request("GET", f"/api/v1/namespaces/{site.place}/pods")
    return rows, {pod["metadata"]["uid"] for pod in pods["items"]}


async def measure(cluster: Cluster, load: Load) -> Mapping[Heartbeat, float]:
    """Seconds from the kill until each has seen everything."""
    async with running_site(cluster, load) as site:
        await site.launch(load.after, in_flight=load.in_flight)
        await asyncio.sleep(SETTLE_SECONDS)
        before = await state(cluster, site)
        log = site.service.data.with_suffix(".log")
        written = log.stat().st_size
        with Redis.from_url(site.environment["REDIS_URL"]) as redis:
            killed = time.time()
            site.service.kill("worker")
            site.service.kill("watcher")
            redis.delete(*Heartbeat)
            noted = await signs_of_life(redis)
        await asyncio.sleep(SETTLE_SECONDS)
        assert await state(cluster, site) == before
        since = log.read_bytes()[written:].decode(errors="replace")
        assert not any(word in since for word in LEFT), since
        return {heart: at - killed for heart, at in noted.items()}


async def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--running", type=int, default=1000)
    load = Load(after=parser.parse_args().running)
    async with connected() as cluster:
        took = await measure(cluster, load)
    print(
        f"{load.after} sessions, none lost or started anew: confirmed by the watcher after "
        f"{took[Heartbeat.WATCHER]:.2f} s (asked: {ASKED_SECONDS:g} s), "
        f"by the worker after {took[Heartbeat.POLL]:.2f} s"
    )


if __name__ == "__main__":
    run(main())
