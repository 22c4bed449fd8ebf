"""When nodes are read: a node is cordoned right before its pods are evicted."""

from datetime import datetime, timedelta
from typing import Any

from notebooks.backends.kubernetes.api import ApiError
from notebooks.backends.kubernetes.observer import Observer
from tests.notebooks.backends.kubernetes.recordings import Recording, recording


class Cluster:
    """An API of one node, by a clock that the test moves. It counts the reads of that node."""

    def __init__(self, pod: Recording) -> None:
        self.offset = timedelta()
        self.time = datetime.fromisoformat(pod.at(60))
        self.cordoned = False
        self.refuses = False
        self.reads = 0

    def now(self) -> datetime:
        return self.time

    def get(self, path: str, **query: str) -> dict[str, Any]:
        assert path == "nodes"
        if self.refuses:
            raise ApiError(403, "Forbidden", "nodes is forbidden")
        self.reads += query.get("fieldSelector") == "metadata.name=n1"
        spec = {"unschedulable": True} if self.cordoned else {}
        return {"items": [{"metadata": {"name": "n1"}, "spec": spec, "status": {}}]}


def running() -> Recording:
    seen = recording("ready")
    seen.pod["spec"]["nodeName"] = "n1"
    return seen


def test_a_node_that_was_cordoned_since_it_was_read_is_read_again() -> None:
    pod = running()
    cluster = Cluster(pod)
    observer = Observer(cluster)  # type: ignore[arg-type]
    assert observer.look(pod.deleted(at=60).pod, []).failure_code == "server_lost"
    cluster.cordoned = True
    cluster.time += timedelta(seconds=1)
    seen = observer.look(pod.deleted(at=61).pod, [])
    assert (seen.failure_code, cluster.reads) == ("evicted", 2)


def test_of_many_pods_that_end_the_node_is_read_once() -> None:
    pod = running()
    cluster = Cluster(pod)
    observer = Observer(cluster)  # type: ignore[arg-type]
    for _ in range(50):
        observer.look(pod.deleted(at=60).pod, [])
    assert cluster.reads == 1
    cluster.time += timedelta(minutes=5)
    observer.look(pod.deleted(at=60).pod, [])
    for _ in range(50):
        observer.look(pod.deleted(at=60).pod, [])
    assert cluster.reads == 2


def test_a_node_is_not_read_for_a_pod_that_goes_on() -> None:
    pod = running()
    cluster = Cluster(pod)
    Observer(cluster).look(pod.pod, [])  # type: ignore[arg-type]
    assert cluster.reads == 0


def test_without_the_right_to_nodes_a_deletion_is_told_as_one() -> None:
    pod = running()
    cluster = Cluster(pod)
    cluster.cordoned = cluster.refuses = True
    observer = Observer(cluster)  # type: ignore[arg-type]
    assert observer.look(pod.deleted(at=60).pod, []).failure_code == "server_lost"
