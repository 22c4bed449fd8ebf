"""The released SDK and CLI of Apache Submarine against the whole service, unchanged, in each way
in which they can be let in.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stack.service import CHECKOUT, Program, Service, running, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

BIN = CHECKOUT / ".venv-submarine" / "bin"
DRIVE = CHECKOUT / "tests" / "submarine" / "drive.py"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that lets in as the demo user whoever shows nothing."""
    data: Path = tmp_path_factory.mktemp("submarine") / "data"
    with running(data, SUBMARINE_V1_AUTH_NONE="demo") as service:
        yield service


def signed_in(service: Service) -> str:
    """The token that name and password are changed for."""
    user = service.users["user"]
    answer = requests.post(
        f"{service.url}/api/auth/token",
        json={"username": user["name"], "password": user["password"]},
        timeout=30,
    )
    return str(answer.json()["result"])


def drive(host: str, *token: str) -> Any:
    done = subprocess.run(
        [BIN / "python", DRIVE, host, *token],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WAYS = {
    "an API token in the header": lambda service: (service.url, Program(service).token),
    "a token of Submarine's sign-in": lambda service: (service.url, signed_in(service)),
    "a token in the path": lambda service: (f"{service.url}/u/{Program(service).token}:32080",),
    "nothing at all": lambda service: (service.url,),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_method_of_the_sdk(service: Service, way: str) -> None:
    told = drive(*WAYS[way](service))
    name = told["name"]
    made = told["created"]
    assert "'result': 'Pong'" in told["ping"]
    assert (made["name"], made["spec"]["environment"]["name"]) == (name, "notebook-env")
    assert made["spec"]["spec"]["resources"] == "cpu=1,memory=2Gi"
    assert told["again"][0] == 409
    assert told["again"][1]["success"] is False
    for found in ("got", "got_async"):
        assert told[found]["notebookId"] == made["notebookId"]
    assert [each["name"] for each in told["listed"]] == [name]
    assert [each["name"] for each in told["listed_async"]] == [name]
    assert (told["sized"]["profile"], told["huge"][0]) == ("medium", 400)
    assert "No size that you may use has 2 CPU · 4 GiB · 8 GPU." in told["huge"][1]["message"]
    assert told["scalars"]["envVars"] == {"A": "1", "B": "true", "C": "1.5", "D": "", "E": "010"}
    assert told["scalars"]["profile"] == "small"
    assert told["deleted"]["status"] == "terminating"
    for gone in ("gone", "gone_async"):
        assert (told[gone][0], told[gone][1]["message"]) == (404, "Notebook not found.")
    assert (told["anew"], told["left"]) == (name, [])

    kernel = told["environment"]["environmentSpec"]["kernelSpec"]
    assert kernel["pipDependencies"] == ["pyarrow==0.17.0"]
    assert told["environment_again"][0] == 409
    for found in ("environment_updated", "environment_got", "environment_got_async"):
        assert told[found]["environmentId"] == told["environment"]["environmentId"]
        assert told[found]["environmentSpec"]["kernelSpec"]["pipDependencies"] == ["six"]
    names = {"notebook-env", "notebook-gpu-env", f"{name}-env"}
    for listed in ("environments", "environments_async"):
        assert {each["environmentSpec"]["name"] for each in told[listed]} == names
    assert told["environment_deleted"] == told["environment_got"]
    assert told["environment_deleted_async"]["environmentSpec"]["name"] == f"{name}-env"
    assert told["environment_gone"][0] == 404
    assert told["environment_gone"][1]["message"] == "Environment not found."
    assert told["sign_in"] == [
        401,
        {
            "status": "UNAUTHORIZED",
            "code": 401,
            "success": False,
            "message": "User Not Found. Please try again!",
            "result": None,
            "attributes": {},
        },
    ]


def cli(*words: str) -> str:
    """What the CLI prints, on a wide screen."""
    done = subprocess.run(
        [BIN / "submarine", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"COLUMNS": "250", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture
def configured() -> Iterator[None]:
    """It keeps its configuration with its own files."""
    cli("config", "init")
    yield
    cli("config", "init")


@pytest.mark.usefixtures("configured")
def test_every_command_of_the_cli(service: Service, demo: Program) -> None:
    host = service.url.removeprefix("http://")
    cli("config", "set", "connection.hostname", f"{host}/u/{demo.token}")
    made = {
        "meta": {"name": "from-cli"},
        "environment": {"name": "notebook-env"},
        "spec": {"resources": "cpu=1"},
    }
    answer = demo.http.post(f"{service.url}/api/v1/notebook/", json=made, timeout=30)
    notebook_id = answer.json()["result"]["notebookId"]
    demo.api("POST", "environments/", json={"name": "from-cli-env"})

    table = cli("list", "notebook")
    [row] = [line for line in table.splitlines() if "from-cli" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:4] == ["from-cli", notebook_id, "notebook-env", "cpu=1,memory=2Gi"]
    assert "List of Notebooks" in table
    shown = cli("get", "notebook", notebook_id)
    assert f"Notebook(id = {notebook_id} )" in shown
    assert '"name": "from-cli"' in shown
    assert cli("delete", "notebook", notebook_id).strip().endswith("deleted")
    assert "[Api Error] Notebook not found." in cli("get", "notebook", notebook_id)
    assert "[Api Error] Notebook not found." in cli("delete", "notebook", notebook_id)
    assert "from-cli" not in cli("list", "notebook")

    table = cli("list", "environment")
    assert "List of Environments" in table
    assert "notebook-gpu-env" in table
    assert "from-cli-env" in table
    assert '"name": "from-cli-env"' in cli("get", "environment", "from-cli-env")
    assert cli("delete", "environment", "from-cli-env").strip().endswith("deleted")
    assert "[Api Error] Environment not found." in cli("get", "environment", "from-cli-env")
    assert "changed by an operator" in cli("delete", "environment", "notebook-env")
    # What this service does not have is refused in a way that it can print.
    assert "[Api Error]" in cli("list", "experiment")


@pytest.mark.usefixtures("configured")
def test_where_it_was_asked_for_the_cli_needs_no_token(service: Service) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    cli("config", "set", "connection.hostname", host)
    cli("config", "set", "connection.port", port)
    assert "notebook-env" in cli("list", "environment")


@pytest.mark.usefixtures("configured")
def test_who_is_not_let_in_is_told_so_by_the_cli(service: Service) -> None:
    host = service.url.removeprefix("http://")
    cli("config", "set", "connection.hostname", f"{host}/u/subnb_none")
    said = cli("list", "notebook")
    assert said.strip() == "[Api Error] The API token is unknown, revoked or expired."


# In the way of Submarine's own documentation.
INSIDE = """
from submarine.client.api.notebook_client import NotebookClient
from submarine.client.exceptions import ApiException
import json
client = NotebookClient()
listed = client.list_notebooks(user_id="x")
try:
    client.delete_notebook(listed[0]["notebookId"])
except ApiException as error:
    refused = error.status
print(json.dumps([[each["name"] for each in listed], refused]))
"""


@pytest.mark.jupyter
def test_inside_a_session_nothing_has_to_be_configured(service: Service, demo: Program) -> None:
    other, session = demo.start(name="other"), demo.start(name="inside")
    in_kernel = (
        f"import subprocess; subprocess.check_output([{str(BIN / 'python')!r}, '-c', {INSIDE!r}])"
    )
    told = demo.run_cell(session, in_kernel)
    assert told == repr(b'[["inside"], 403]\n')

    port = demo.run_cell(session, "import os; os.environ['SUBMARINE_SERVER_PORT']").strip("'")
    url = f"http://127.0.0.1:{port}/api/v1/notebook"
    assert [each["name"] for each in requests.get(url, timeout=30).json()["result"]] == ["inside"]
    demo.verb(session, "stop")
    stopped_at = time.monotonic()
    wait_until(lambda: requests.get(url, timeout=30).status_code == 401, seconds=1)
    assert time.monotonic() - stopped_at < 1
    demo.wait_for(session, "stopped")
    assert requests.get(url, timeout=30).status_code == 401

    for folder in (service.data.with_suffix(".log"), *service.data.glob("runs/*/*/*")):
        if folder.is_file():
            assert "subrun_" not in folder.read_text(errors="replace"), folder
    demo.delete(session)
    demo.delete(other)
