"""Code of sessions, put into their homes by an init container, on a real cluster."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Administrator
from tests.cluster.service import OnCluster, on_cluster
from tests.git_server import TOKEN, USERNAME, GitServer, git_server
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git"), host) as serving:
        yield serving


@pytest.fixture(scope="module")
def on(
    admin: Administrator,
    kubeconfig: Path,
    server: GitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OnCluster]:
    data = tmp_path_factory.mktemp("service") / "data"
    trusted = {"SUBMARINE_CODE_CA_CERTIFICATES": server.certificates}
    with on_cluster(admin, kubeconfig, data, **trusted) as on:
        yield on


def read(demo: Program, session: str, path: str) -> str:
    return str(demo.jupyter(session, "GET", f"api/contents/{path}").json().get("content"))


def test_a_repository_is_there_and_its_changes_stay(
    on: OnCluster, demo: Program, server: GitServer
) -> None:
    server.repository("plain.git", {"notes.txt": "one\n"})
    source = {"url": server.url("plain.git"), "folder": "work/plain"}
    session = demo.start(code=[source])
    assert [each["status"] for each in demo.read(session)["code"]] == ["fetched"]
    assert read(demo, session, "work/plain/notes.txt") == "one\n"
    status = "['git', 'status', '--short'], cwd='work/plain'"
    code = f"import subprocess; subprocess.check_output({status})"
    assert demo.run_cell(session, code) == "b''"

    changed = {"type": "file", "format": "text", "content": "changed\n"}
    demo.jupyter(session, "PUT", "api/contents/work/plain/notes.txt", json=changed)
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
    demo.verb(session, "start")
    on.await_agreement(session, "running")
    assert [each["status"] for each in demo.read(session)["code"]] == ["kept"]
    assert read(demo, session, "work/plain/notes.txt") == "changed\n"


def test_a_private_one_comes_with_a_credential_that_nobody_sees(
    on: OnCluster, demo: Program, server: GitServer
) -> None:
    server.repository("private/a.git")
    credential = demo.api(
        "POST",
        "git-credentials/",
        json={
            "name": "work",
            "kind": "token",
            "hosts": [f"{server.host}:{server.port}"],
            "username": USERNAME,
            "secret": TOKEN,
        },
    ).json()["id"]
    session = demo.start(code=[{"url": server.url("private/a.git"), "credential": credential}])
    assert [each["status"] for each in demo.read(session)["code"]] == ["fetched"]
    pod = on.await_pod(session)
    [step], [notebook] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert step["securityContext"] == notebook["securityContext"]
    assert "/etc/submarine-code" not in json.dumps(notebook)
    assert TOKEN not in json.dumps(pod)
    assert TOKEN not in on.log
    # Not as a whole: the notebook itself would be found.
    search = ["grep", "-r", "--exclude-dir=.ipython", f"{TOKEN[:5]}[{TOKEN[5]}]{TOKEN[6:]}", "."]
    code = f"import subprocess; subprocess.run({search}, stdout=-3).returncode"
    assert demo.run_cell(session, code) == "1"


def test_a_failure_over_code_is_none_of_the_session(
    on: OnCluster, demo: Program, server: GitServer
) -> None:
    missing = {"url": server.url("none.git"), "folder": "none"}
    unknown = {"url": "https://git.invalid/a.git", "folder": "nowhere"}
    session = demo.start(code=[missing, unknown])
    told = demo.read(session)
    assert told["status"] == "running"
    assert [each["code"] for each in told["code"]] == ["code_not_found", "code_host_unknown"]
    assert "Started without “none”" in on.page(session)


def test_a_launch_waits_for_its_code_and_a_stop_ends_it(
    on: OnCluster, demo: Program, server: GitServer
) -> None:
    server.asked.clear()
    # Not in a folder that is in the home already: it would be left as it is.
    code = [{"url": server.url("slow/a.git"), "folder": "slow"}]
    body = {"profile": "small", "environment": "notebook-env", "code": code}
    session = demo.api("POST", "sessions/", json=body).json()["id"]
    wait_until(lambda: server.asked)
    wait_until(lambda: "Fetching code." in on.page(session))
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
