"""What a session's pod finds of the service, with nothing configured."""

import json
import time
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.cluster.cluster import Administrator
from tests.cluster.proxy import Proxy
from tests.cluster.service import OnCluster, on_cluster
from tests.stack.service import Program, wait_until
from tests.stack.test_inside import EXAMPLE, SDK, run_of
from tests.stack.test_submarine import INSIDE

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(300)]

BIN = "/opt/submarine/bin"


@pytest.fixture(scope="module")
def on(
    admin: Administrator, kubeconfig: Path, host: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OnCluster]:
    """One whose web process pods reach, as they would by a Service."""
    data, way = tmp_path_factory.mktemp("service") / "data", Proxy(at=host)
    with way.running():
        url = f"http://{host}:{way.port}"
        with on_cluster(admin, kubeconfig, data, SUBMARINE_SESSIONS_API_URL=url) as on:
            web = urlsplit(on.service.url)
            assert web.hostname
            assert web.port
            way.target = (web.hostname, web.port)
            on.add_environment("submarine", "submarine/test-submarine:1")
            yield on


def test_our_client_reads_its_own_session(on: OnCluster, demo: Program) -> None:
    session = demo.start(name="inside")
    other = demo.create(name="other")["id"]
    [mine, listed, refused] = literal_eval(
        demo.run_cell(session, SDK.replace("OTHER", repr(other)))
    )
    assert (mine, listed) == (session, [session])
    assert [name for name, _ in refused] == ["Forbidden", "Forbidden", "NotFound"]
    code, said, told = run_of(demo, session, "subnb", "show", session)
    assert (code, told) == (0, "")
    assert session in said

    example = demo.jupyter(session, "GET", EXAMPLE).json()
    body = {"type": "notebook", "format": "json", "content": example}
    path = "submarine-example.ipynb"
    assert demo.jupyter(session, "PUT", f"api/contents/{path}", json=body).status_code == 201
    [shown, *_] = demo.run_notebook(session, path)
    assert shown == f"<Session 'inside' running {session}>"
    page = demo.jupyter(session, "GET", "lab", headers={"Accept": "text/html"}).text
    assert "submarine_session" in page


def test_the_released_clients_of_submarine_need_no_configuration(
    on: OnCluster, demo: Program
) -> None:
    session = demo.start(name="inside", environment="submarine")
    other = demo.create(name="other")["id"]
    assert run_of(demo, session, f"{BIN}/python", "-c", INSIDE)[:2] == (0, '[["inside"], 403]\n')
    code, said, told = run_of(demo, session, f"{BIN}/submarine", "list", "notebook")
    assert (code, told) == (0, "")
    assert "List of Notebooks" in said
    assert {"inside", "other"} & set(said.split()) == {"inside"}
    assert demo.read(other)["name"] == "other"


def test_the_credential_ends_with_the_run_and_stands_nowhere(on: OnCluster, demo: Program) -> None:
    session = demo.start()
    token = demo.run_cell(session, "import os; os.environ['SUBMARINE_TOKEN']").strip("'")
    assert token.startswith("subrun_")
    assert token not in json.dumps(on.await_pod(session))
    told = [demo.api("GET", f"sessions/{session}/{what}").text for what in ("", "events/", "logs/")]

    def answered() -> int:
        return requests.get(
            f"{on.service.url}/api/v2/sessions",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        ).status_code

    assert answered() == 200
    demo.verb(session, "stop")
    stopped_at = time.monotonic()
    wait_until(lambda: answered() == 401, seconds=1)
    assert time.monotonic() - stopped_at < 1
    on.await_gone(session)
    assert answered() == 401
    assert not [text for text in (*told, on.log) if "subrun_" in text]
