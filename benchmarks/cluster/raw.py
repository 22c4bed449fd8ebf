"""The limit: what the cluster does for a bare client that makes pods and watches them run.

python -m benchmarks.cluster.raw
"""

import asyncio
import os
import time

import psutil

from benchmarks.cluster.common import (
    LABELS,
    TOLERATION,
    Cluster,
    Json,
    Launches,
    Load,
    Meter,
    Readiness,
    flood,
    is_ready,
    namespace,
    report,
    run,
)


def pod(name: str, *, home: bool) -> Json:
    """Make the manifest of a pod as plain as a notebook's may be."""
    container: Json = {
        "name": "notebook",
        "image": "notebook",
        "args": ["jupyter", "lab"],
        "ports": [{"name": "http", "containerPort": 8888}],
        "resources": {"limits": {"cpu": "100m", "memory": "256Mi"}},
    }
    spec: Json = {
        "containers": [container],
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "nodeSelector": LABELS,
        "tolerations": [TOLERATION],
    }
    if home:
        container["volumeMounts"] = [{"name": "home", "mountPath": "/home/jovyan"}]
        spec["volumes"] = [{"name": "home", "persistentVolumeClaim": {"claimName": name}}]
    return {"metadata": {"name": name}, "spec": spec}


def claim(name: str) -> Json:
    """Make the manifest of a home of the default storage class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name}, "spec": spec}


async def measure(cluster: Cluster, load: Load) -> Launches:
    """Start as many pods as the load says, one after the other of so many clients."""
    async with namespace(cluster) as place, asyncio.timeout(load.patience):
        at = f"/api/v1/namespaces/{place}"
        readiness = Readiness()

        names = [f"nb-{number}" for number in range(load.after)]

        async def start(name: str) -> None:
            if load.homes:
                await cluster.request("POST", f"{at}/persistentvolumeclaims", claim(name))
            await cluster.request("POST", f"{at}/pods", pod(name, home=load.homes))

        async def follow() -> None:
            async for each in cluster.follow_pods(place):
                if is_ready(each):
                    readiness.note(each["metadata"]["name"])

        async def start_all(these: list[str]) -> list[float]:
            await flood(these, start, in_flight=load.in_flight)
            return await readiness.of(these)

        following = asyncio.create_task(follow())
        try:
            await start_all(names[: load.before])
            meter = Meter({"bare client": psutil.Process(os.getpid())})
            begun = time.time()
            ready = await start_all(names[load.before :])
        finally:
            following.cancel()
        name = "raw limit, with homes" if load.homes else "raw limit"
        return Launches(
            name=name, begun=begun, ready=ready, costs=meter.costs(), machine=meter.machine()
        )


if __name__ == "__main__":
    run(report(measure, __doc__))
