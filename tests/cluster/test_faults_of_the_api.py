"""An API server that is away for minutes, or takes what it is told and does not answer."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.cluster.apiserver import ApiServer
from tests.cluster.cluster import Administrator
from tests.cluster.proxy import Proxy, between
from tests.cluster.service import OnCluster, on_cluster
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(420)]

OUTAGE = 120
SILENCE = 30


@pytest.fixture(scope="module")
def server(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = ApiServer(kubeconfig, tmp_path_factory.mktemp("apiserver"))
    with server.running():
        yield server


@pytest.fixture(scope="module")
def way(
    server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Proxy, Path]]:
    with between(server.kubeconfig, tmp_path_factory.mktemp("proxy")) as way:
        yield way


@pytest.fixture(scope="module")
def on(
    admin: Administrator, way: tuple[Proxy, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OnCluster]:
    _, kubeconfig = way
    with on_cluster(admin, kubeconfig, tmp_path_factory.mktemp("service") / "data") as on:
        yield on


def test_all_sessions_survive_two_minutes_without_the_api(
    on: OnCluster, demo: Program, server: ApiServer
) -> None:
    sessions = _in_every_state(on, demo)
    uid = on.uid_of(sessions["running"])

    server.stop()
    over = time.monotonic() + OUTAGE
    asked_for_meanwhile = str(demo.create(environment="server")["id"])
    demo.verb(sessions["to_stop_meanwhile"], "stop")
    assert demo.jupyter_answers(sessions["running"])
    wait_until(lambda: on.health()["watcher"]["status"] == "stale", seconds=OUTAGE)
    Event().wait(over - time.monotonic())
    for session, status in (
        (sessions["running"], "running"),
        (sessions["to_stop_meanwhile"], "stopping"),
    ):
        assert demo.read(session)["status"] == on.shown(session) == status
    server.start()

    for session in (sessions["starting"], sessions["running"], asked_for_meanwhile):
        assert on.await_agreement(session, "running")["run"]["number"] == 1
    for session in (sessions["stopping"], sessions["to_stop_meanwhile"]):
        on.await_agreement(session, "stopped")
    assert on.uid_of(sessions["running"]) == uid
    wait_until(lambda: on.health()["status"] == "ok")


def test_all_sessions_survive_an_api_that_does_not_answer(
    on: OnCluster, demo: Program, way: tuple[Proxy, Path]
) -> None:
    proxy, _ = way
    sessions = _in_every_state(on, demo)
    uid = on.uid_of(sessions["running"])

    proxy.hang()
    asked_for_meanwhile = str(demo.create(environment="server")["id"])
    demo.verb(sessions["to_stop_meanwhile"], "stop")
    Event().wait(SILENCE)
    proxy.restore()

    for session in (sessions["starting"], sessions["running"], asked_for_meanwhile):
        assert on.await_agreement(session, "running")["run"]["number"] == 1
    for session in (sessions["stopping"], sessions["to_stop_meanwhile"]):
        on.await_agreement(session, "stopped")
    assert on.uid_of(sessions["running"]) == uid


def _in_every_state(on: OnCluster, demo: Program) -> dict[str, str]:
    """Sessions that run, and one each that is just starting and stopping."""
    sessions = {
        state: demo.start(environment="server")
        for state in ("running", "stopping", "to_stop_meanwhile")
    }
    sessions["starting"] = str(demo.create(environment="server")["id"])
    demo.verb(sessions["stopping"], "stop")
    return sessions
