"""What the service costs while many sessions run and nobody does anything.

    python -m benchmarks.cluster.idle --running 1000 --seconds 60

The CPU share of each of its programs, and what the API server was asked, by verb and resource,
beyond what it is asked in the same time without the service.
"""

import asyncio
import re
from argparse import ArgumentParser
from collections import Counter

from benchmarks.cluster.common import Cluster, Cost, Load, Meter, connected, run
from benchmarks.cluster.service import running_site

REQUESTS = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
SETTLE_SECONDS = 15
LEAST_PER_SECOND = 0.01


async def requests(cluster: Cluster) -> Counter[str]:
    """How often the API server was asked for what, since it runs. A watch counts when it ends."""
    found: Counter[str] = Counter()
    for labels, count in REQUESTS.findall(await cluster.metrics()):
        given = dict(LABEL.findall(labels))
        what = "/".join(filter(None, (given["resource"], given["subresource"])))
        found[f"{given['verb']} {what}"] += int(float(count))
    return found


async def asked(cluster: Cluster, seconds: float) -> Counter[str]:
    """What the API server is asked in this time."""
    before = await requests(cluster)
    await asyncio.sleep(seconds)
    after = await requests(cluster)
    after.subtract(before)
    return after


async def measure(
    cluster: Cluster, load: Load, seconds: float
) -> tuple[dict[str, Cost], Counter[str]]:
    """Each program's cost, and the requests beyond those without the service."""
    others = await asked(cluster, seconds)
    async with running_site(cluster, load) as site:
        await site.launch(load.after, in_flight=load.in_flight)
        await asyncio.sleep(SETTLE_SECONDS)
        meter = Meter(site.programs())
        made = await asked(cluster, seconds)
        made.subtract(others)
        return meter.costs(), made


async def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--running", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    load = Load(after=options.running)
    async with connected() as cluster:
        costs, made = await measure(cluster, load, options.seconds)
    print(f"{load.after} running, for {options.seconds:g} s:")
    for name, cost in costs.items():
        share = cost.cpu_seconds / options.seconds
        print(f"  {name:<12}{share:>7.2%} of a core{cost.memory_mib:>7.0f} MiB")
    print("requests to the API server, beyond those without the service:")
    for what, count in made.most_common():
        if count / options.seconds >= LEAST_PER_SECOND:
            print(f"  {what:<40}{count / options.seconds:>7.2f}/s")


if __name__ == "__main__":
    run(main())
