"""A service whose machine's clock is a minute off the cluster's, either way."""

import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Administrator
from tests.cluster.service import OnCluster, on_cluster
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(240)]

START_TIMEOUT = timedelta(seconds=15)
TRUNCATED = timedelta(seconds=2)
"""The cluster tells times in whole seconds, and its clock is known to a second."""


@pytest.fixture(scope="module", params=["+60", "-60"])
def on(
    request: pytest.FixtureRequest,
    admin: Administrator,
    kubeconfig: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OnCluster]:
    folder = tmp_path_factory.mktemp("service")
    library = folder / "skew.so"
    source = Path(__file__).with_name("skew.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    skewed = {
        "LD_PRELOAD": str(library),
        "CLOCK_SKEW": request.param,
        "SUBMARINE_START_TIMEOUT": str(START_TIMEOUT.seconds),
    }
    with on_cluster(admin, kubeconfig, folder / "data", **skewed) as on:
        yield on


def test_a_session_starts_and_stops_with_its_times_in_order(on: OnCluster, demo: Program) -> None:
    session = str(demo.create(environment="server")["id"])
    run = on.await_agreement(session, "running")["run"]

    begun, ended = _times(run)
    assert list(begun) == [
        "queued",
        "scheduling",
        "volume",
        "preparing",
        "starting_server",
        "ready",
    ]
    assert list(begun.values()) == sorted(begun.values())
    assert all(ended[name] >= begun[name] for name in ended)
    since, until = _time(run["created_at"]), _time(run["ready_at"])
    assert all(since <= at <= until + TRUNCATED for at in begun.values())
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")


def test_a_server_that_never_answers_has_its_time_no_more_no_less(
    on: OnCluster, demo: Program
) -> None:
    session = str(demo.create(environment="silent")["id"])
    wait_until(lambda: demo.read(session)["run"]["phases"][-1]["phase"] == "starting_server")

    failed = on.await_agreement(session, "failed")

    assert failed["reason"]["code"] == "server_never_answered"
    begun, _ = _times(failed["run"])
    lasted = _time(failed["run"]["ended_at"]) - begun["starting_server"]
    assert lasted > START_TIMEOUT - TRUNCATED


def _times(run: dict[str, Any]) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """When its phases began and when they ended."""
    begun = {each["phase"]: _time(each["started_at"]) for each in run["phases"]}
    over = [each for each in run["phases"] if each["finished_at"]]
    return begun, {each["phase"]: _time(each["finished_at"]) for each in over}


def _time(written: str) -> datetime:
    return datetime.fromisoformat(written)
