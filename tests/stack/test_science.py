"""A data scientist's way: an environment from a file, code and secrets, a notebook, and back."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from submarine_client import Client, ExecutionFailed
from tests.git_server import GitServer, git_server
from tests.stack import science
from tests.stack.service import Program, Service, running, signed_in, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.jupyter, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as serving:
        yield serving


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[science.Packages]:
    folder = tmp_path_factory.mktemp("packages")
    with science.packages(folder, host="127.0.0.1", interpreter=sys.executable) as packages:
        yield packages


@pytest.fixture(scope="module")
def service(
    server: GitServer, packages: science.Packages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    settings = {
        **packages.settings,
        "SUBMARINE_CODE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "SUBMARINE_CODE_CA_CERTIFICATES": server.certificates,
    }
    with running(tmp_path_factory.mktemp("science") / "data", **settings) as service:
        yield service


def build_of(demo: Program) -> dict[str, Any]:
    [build] = demo.api("GET", "environments/science/").json()["newest"]["builds"]
    return dict(build)


def test_a_notebook_of_a_repository_runs_on_what_its_environment_declares(
    service: Service, demo: Program, server: GitServer, packages: science.Packages
) -> None:
    science.upload(service)
    digest = build_of(demo)["digest"]

    def log() -> dict[str, str]:
        return dict(demo.api("GET", f"builds/{digest}/log/").json())

    # No wheel is given out yet: what is read is said while it is being built.
    wait_until(lambda: "Installing 1 pip requirements." in log()["text"])
    assert log()["state"] == "building"
    page = signed_in(service, "user").get(f"{service.url}/environments/science", timeout=30).text
    assert "Installing 1 pip requirements." in page

    for name, kind, value in science.SECRETS:
        demo.keep_secret(name, kind, value)
    source = science.publish(server)
    session = demo.create(environment="science", code=[source], **science.SETUP)["id"]
    told = demo.read(session)
    assert told["status"] == "requested"
    assert "Waiting for the environment to be built." in str(told["run"]["phases"])

    packages.wheels.set()
    demo.wait_for(session, "running")
    built = build_of(demo)
    assert (built["state"], built["attempt"]) == ("built", 1)
    assert "frames==2.0" in log()["text"]
    lock = demo.api("GET", f"builds/{digest}/lock/").json()
    assert {each["name"] for each in lock["conda"]} == {"python", "measures", "ipykernel"}
    assert [(each["name"], each["version"]) for each in lock["pip"]] == [("frames", "2.0")]

    path = "work/analysis/analysis.ipynb"
    assert demo.run_notebook(session, path) == science.RESULTS
    document = demo.jupyter(session, "GET", f"api/contents/{path}").json()
    document["content"]["cells"].pop()
    assert demo.jupyter(session, "PUT", f"api/contents/{path}", json=document).ok

    with Client(service.url, token=demo.token) as client:
        running = client.sessions.get(session)
        with running.kernel() as kernel:
            assert kernel.run("import frames; frames.VERSION").text == "'2.0'"
        with running.kernel("python3") as kernel, pytest.raises(ExecutionFailed) as raised:
            kernel.run("import frames")
        assert raised.value.name == "ModuleNotFoundError"

    demo.verb(session, "stop")
    demo.wait_for(session, "stopped")
    demo.verb(session, "start")
    again = demo.wait_for(session, "running")
    assert [each["status"] for each in again["code"]] == ["kept"]
    assert demo.run_notebook(session, path) == science.RESULTS[:-1]
    assert build_of(demo) == built
    demo.delete(session)
