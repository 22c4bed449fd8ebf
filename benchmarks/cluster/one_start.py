"""What the service adds to the start of one pod, where nothing else is under way.

    python -m benchmarks.cluster.one_start --rounds 20

From the POST until the row says `running`, less what the pod took from its creation to Ready as a
watch tells it. All times are of this machine's clock: the cluster's own have whole seconds.
"""

import asyncio
import statistics
import time
from argparse import ArgumentParser
from dataclasses import dataclass

from benchmarks.cluster.common import Cluster, Json, Load, connected, is_ready, run
from benchmarks.cluster.service import Site, running_site

SESSION = "submarine-notebooks/session"
PAUSE_SECONDS = 1.0
ASKED_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Start:
    """When each step of one start was over."""

    posted: float
    created: float
    ready: float
    running: float

    @property
    def added(self) -> float:
        """Seconds beyond the pod's own."""
        return (self.running - self.posted) - (self.ready - self.created)


class Pods:
    """When the pod of each session was seen first, and when it was Ready."""

    def __init__(self) -> None:
        self.created: dict[str, float] = {}
        self.ready: dict[str, float] = {}

    async def follow(self, cluster: Cluster, place: str) -> None:
        """Note them for as long as nobody cancels."""
        async for pod in cluster.follow_pods(place):
            self._note(pod, time.time())

    def _note(self, pod: Json, now: float) -> None:
        session = pod["metadata"]["labels"][SESSION]
        self.created.setdefault(session, now)
        if is_ready(pod):
            self.ready.setdefault(session, now)


async def one(site: Site, pods: Pods) -> Start:
    """Start a session and wait until it runs."""
    posted = time.time()
    session = await site.create()
    running = await site.until_running(session)
    # The row may say so before this watch does.
    await asyncio.sleep(PAUSE_SECONDS)
    return Start(
        posted=posted, created=pods.created[session], ready=pods.ready[session], running=running
    )


async def measure(cluster: Cluster, rounds: int) -> list[Start]:
    """Start so many, one after the other; the first, with cold caches, is left out."""
    async with running_site(cluster, Load()) as site:
        pods = Pods()
        following = asyncio.create_task(pods.follow(cluster, site.place))
        try:
            return [await one(site, pods) for _ in range(rounds + 1)][1:]
        finally:
            following.cancel()


async def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    async with connected() as cluster:
        starts = await measure(cluster, rounds)
    for what, times in (
        ("POST → pod is there", [start.created - start.posted for start in starts]),
        ("pod is there → Ready", [start.ready - start.created for start in starts]),
        ("Ready → running", [start.running - start.ready for start in starts]),
        ("added to the pod's own", [start.added for start in starts]),
    ):
        print(f"{what:<24}median {statistics.median(times):.3f} s, worst {max(times):.3f} s")
    print(f"asked: at most {ASKED_SECONDS} s")


if __name__ == "__main__":
    run(main())
