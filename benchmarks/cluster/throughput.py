"""The same load for this service: POSTs by API token, until the rows say `running`.

python -m benchmarks.cluster.throughput
"""

import time

from benchmarks.cluster.common import Cluster, Launches, Load, Meter, report, run
from benchmarks.cluster.service import running_site


async def measure(cluster: Cluster, load: Load) -> Launches:
    """Start as many sessions as the load says."""
    async with running_site(cluster, load) as site:
        await site.launch(load.before, in_flight=load.in_flight)
        meter = Meter(site.programs())
        begun = time.time()
        ready = await site.launch(load.count, in_flight=load.in_flight)
        name = "Submarine Notebooks, with homes" if load.homes else "Submarine Notebooks"
        return Launches(
            name=name, begun=begun, ready=ready, costs=meter.costs(), machine=meter.machine()
        )


if __name__ == "__main__":
    run(report(measure, __doc__))
