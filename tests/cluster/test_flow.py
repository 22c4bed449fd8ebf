"""A person's way through the service on a cluster: start, work, stop, come back, delete."""

import json
import re
from ast import literal_eval
from datetime import datetime

import pytest

from tests.cluster.service import OnCluster
from tests.stack.service import Program

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(300)]


CONFIGURATION = """
c.ServerApp.port = 9999
c.NotebookApp.token = ""
c.IdentityProvider.token = "abc"
c.ServerApp.base_url = "/elsewhere/"
c.ServerApp.root_dir = "/tmp"
c.LabApp.ip = "127.0.0.2"
"""


def test_a_session_keeps_its_files_and_leaves_nothing(on: OnCluster, demo: Program) -> None:
    session = demo.start(name="thesis")
    first = on.uid_of(session)
    assert demo.run_cell(session, "6 * 7") == "42"
    note = {"type": "file", "format": "text", "content": "still here"}
    assert demo.jupyter(session, "PUT", "api/contents/note.txt", json=note).status_code == 201

    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
    assert demo.jupyter(session, "GET", "api/status").status_code == 503
    demo.verb(session, "start")
    on.await_agreement(session, "running")

    assert on.uid_of(session) != first
    found = demo.jupyter(session, "GET", "api/contents/note.txt").json()
    assert found["content"] == "still here"
    log = demo.api("GET", f"sessions/{session}/logs/").json()["text"]
    assert re.search(r"Jupyter Server .* is running at", log)
    assert demo.api("DELETE", f"sessions/{session}/").status_code == 204
    on.await_nothing_left()
    assert demo.api("GET", f"sessions/{session}/").status_code == 404


def test_a_launch_is_shown_step_by_step(on: OnCluster, demo: Program) -> None:
    session = demo.start()

    run = on.await_agreement(session, "running")["run"]

    steps = run["phases"]
    names = [step["phase"] for step in steps]
    assert names == ["queued", "scheduling", "volume", "preparing", "starting_server", "ready"]
    times = [run["created_at"]]
    for step in steps:
        times += [step["started_at"], step["finished_at"]]
    assert times.pop() is None
    assert [datetime.fromisoformat(at) for at in times] == sorted(
        map(datetime.fromisoformat, times)
    )


def test_a_pod_is_confined_and_holds_nothing_secret(on: OnCluster, demo: Program) -> None:
    session = demo.start()
    pod = on.await_pod(session)
    [container] = pod["spec"]["containers"]
    token = on.token_of(session)

    assert demo.run_cell(session, "import os; os.environ['JUPYTER_TOKEN']") == repr(token)
    mounted = "import os; os.path.exists('/var/run/secrets/kubernetes.io')"
    assert demo.run_cell(session, mounted) == "False"
    assert token not in json.dumps(pod)
    assert token not in on.log
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    of_all = pod["spec"]["securityContext"]
    assert (of_all["runAsNonRoot"], of_all["runAsUser"]) == (True, 1000)
    assert of_all["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (container["resources"]["limits"], container["resources"]["requests"]) == (
        {"cpu": "1", "memory": "512Mi"},
        {"cpu": "50m", "memory": "128Mi"},
    )


def test_shared_memory_is_as_large_as_the_profile_says(on: OnCluster, demo: Program) -> None:
    session = demo.start()
    write = """
from pathlib import Path
said = ""
try:
    Path("/dev/shm/NAME").write_bytes(bytes(MIB * 2**20))
except OSError as error:
    said = error.strerror
said
"""
    assert demo.run_cell(session, write.replace("NAME", "most").replace("MIB", "60")) == "''"
    beyond = demo.run_cell(session, write.replace("NAME", "more").replace("MIB", "8"))
    assert beyond == "'No space left on device'"
    assert on.await_agreement(session, "running")


def test_a_notebook_finds_variables_and_secrets_that_the_pod_does_not_show(
    on: OnCluster, demo: Program
) -> None:
    demo.keep_secret("CLUSTER_KEY", "variable", "hunter2-variable")
    demo.keep_secret("cluster.json", "file", "hunter2-file")
    session = demo.start(
        variables={"MODE": "$(JUPYTER_TOKEN) $$ $HOME"}, secrets=["CLUSTER_KEY", "cluster.json"]
    )
    code = (
        "import os, pathlib\n"
        "folder = pathlib.Path(os.environ['SUBMARINE_SECRETS'])\n"
        "file = folder / 'cluster.json'\n"
        "[os.environ['MODE'], os.environ['CLUSTER_KEY'], file.read_text(),"
        " [name for name in os.listdir(folder) if name[0] != '.'], file.stat().st_mode & 0o007]"
    )
    found = ["$(JUPYTER_TOKEN) $$ $HOME", "hunter2-variable", "hunter2-file"]
    assert literal_eval(demo.run_cell(session, code)) == [*found, ["cluster.json"], 0]
    assert "hunter2" not in json.dumps(on.await_pod(session))
    assert "hunter2" not in on.log
    assert "hunter2" not in demo.api("GET", f"sessions/{session}/logs/").text
    assert demo.api("DELETE", f"sessions/{session}/").status_code == 204
    on.await_nothing_left()


def test_a_jupyter_configuration_in_the_home_changes_nothing_that_the_service_needs(
    on: OnCluster, demo: Program
) -> None:
    session = demo.start()
    write = f"""
from pathlib import Path
folder = Path.home() / ".jupyter"
folder.mkdir(exist_ok=True)
file = folder / "jupyter_server_config.py"
file.write_text({CONFIGURATION!r})
"""
    demo.run_cell(session, write)
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
    demo.verb(session, "start")
    on.await_agreement(session, "running")

    note = {"type": "file", "format": "text", "content": "by token"}
    assert demo.jupyter(session, "PUT", "api/contents/by-token.txt", json=note).status_code == 201
    assert demo.run_cell(session, "6 * 7") == "42"
    demo.run_cell(
        session,
        "from pathlib import Path; (Path.home() / '.jupyter' / "
        "'jupyter_server_config.py').unlink()",
    )


def test_an_image_of_docker_stacks_style_works_unchanged(on: OnCluster, demo: Program) -> None:
    session = demo.start(environment="stacks")

    assert demo.run_cell(session, "import os; os.environ['STARTED_BY_HOOK']") == "'1'"
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
