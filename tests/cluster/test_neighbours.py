"""Two installations in one cluster, in a namespace each or in the same, leave each other alone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.cluster import Administrator, a_namespace, limited_kubeconfig
from tests.cluster.service import GONE_SECONDS, OnCluster, on_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.fixture(params=["two namespaces", "one namespace"])
def neighbours(
    request: pytest.FixtureRequest, admin: Administrator, kubeconfig: Path, tmp_path: Path
) -> Iterator[tuple[OnCluster, OnCluster]]:
    with ExitStack() as stack:
        other, there = admin, kubeconfig
        names = {"SUBMARINE_INSTALLATION": "blue"}, {"SUBMARINE_INSTALLATION": "green"}
        if request.param == "two namespaces":
            other = stack.enter_context(a_namespace())
            there = limited_kubeconfig(other, tmp_path)
            names = {}, {}
        yield (
            stack.enter_context(on_cluster(admin, kubeconfig, tmp_path / "one", **names[0])),
            stack.enter_context(on_cluster(other, there, tmp_path / "other", **names[1])),
        )


def test_neighbours_leave_each_other_alone(neighbours: tuple[OnCluster, OnCluster]) -> None:
    one, other = neighbours
    mine, theirs = (each.demo.start(environment="server") for each in neighbours)
    uid = other.uid_of(theirs)
    for each in neighbours:
        each.await_look()
        each.manage("shell", "-c", "from notebooks.wiring import backend; backend().tidy()")

    assert one.demo.api("DELETE", f"sessions/{mine}/").status_code == 204
    one.manage("stop_sessions", "--timeout", str(GONE_SECONDS))
    one.await_look()

    other.await_agreement(theirs, "running")
    assert other.uid_of(theirs) == uid
    assert theirs not in one.log
    assert mine not in other.log
    for each in neighbours:
        assert "belongs to no session" not in each.log
    other.delete_all()
    one.await_nothing_left()
