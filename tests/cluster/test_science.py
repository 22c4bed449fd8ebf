"""A data scientist's way on a real cluster: an environment from a file, code, secrets, and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import NOTEBOOK, Administrator
from tests.cluster.service import OnCluster, on_cluster
from tests.git_server import GitServer, git_server
from tests.stack import science
from tests.stack.service import Program

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(300)]

PYTHON = "/usr/local/bin/python3"
"""Of the reference image."""


@pytest.fixture(scope="module")
def server(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git"), host) as serving:
        yield serving


@pytest.fixture(scope="module")
def on(
    admin: Administrator,
    kubeconfig: Path,
    host: str,
    server: GitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OnCluster]:
    folder = tmp_path_factory.mktemp("packages")
    with science.packages(folder, host=host, interpreter=PYTHON) as packages:
        packages.wheels.set()
        settings = {
            **packages.settings,
            "SUBMARINE_KUBERNETES_STORE_SIZE": "100Mi",
            "SUBMARINE_KUBERNETES_STORE_ACCESS_MODE": "ReadWriteOnce",
            "SUBMARINE_BUILD_MEMORY_MIB": "512",
            "SUBMARINE_CODE_CA_CERTIFICATES": server.certificates,
        }
        data = tmp_path_factory.mktemp("service") / "data"
        with on_cluster(admin, kubeconfig, data, **settings) as on:
            yield on


def test_a_notebook_of_a_repository_runs_on_what_its_environment_declares(
    on: OnCluster, demo: Program, server: GitServer
) -> None:
    science.upload(on.service, image=NOTEBOOK)
    for name, kind, value in science.SECRETS:
        demo.keep_secret(name, kind, value)
    source = science.publish(server)
    session = demo.create(environment="science", code=[source], **science.SETUP)["id"]
    demo.wait_for(session, "running", seconds=120)

    built = demo.api("GET", "environments/science/").json()["newest"]["builds"]
    assert [(build["state"], build["attempt"]) for build in built] == [("built", 1)]
    log = demo.api("GET", f"builds/{built[0]['digest']}/log/").json()["text"]
    assert "frames==2.0" in log

    path = "work/analysis/analysis.ipynb"
    assert demo.run_notebook(session, path) == science.RESULTS
    document = demo.jupyter(session, "GET", f"api/contents/{path}").json()
    document["content"]["cells"].pop()
    assert demo.jupyter(session, "PUT", f"api/contents/{path}", json=document).ok

    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
    demo.verb(session, "start")
    again = on.await_agreement(session, "running")
    assert [each["status"] for each in again["code"]] == ["kept"]
    assert demo.run_notebook(session, path) == science.RESULTS[:-1]
    assert demo.api("GET", "environments/science/").json()["newest"]["builds"] == built
