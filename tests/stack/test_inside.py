"""What a session finds of the service, with nothing configured: our own client, the released CLI of
Apache Submarine, and an example.
"""

import subprocess
import time
from ast import literal_eval
from collections.abc import Iterator

import pytest
import requests

from tests.stack.service import CHECKOUT, Program, Service, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.jupyter, pytest.mark.timeout(240)]


@pytest.fixture
def session(demo: Program) -> Iterator[str]:
    session = demo.start(name="inside")
    yield session
    demo.delete(session)


WRITTEN_SECONDS = 7
"""After which the gateway has written what it saw."""

SUBMARINE = str(CHECKOUT / ".venv-submarine" / "bin" / "submarine")
EXAMPLE = "lab/extensions/submarine_session/example.ipynb"

SDK = """
import submarine_client
client = submarine_client.Client()
mine = client.this_session()
refused = []
for ask in (client.me, mine.stop, lambda: client.sessions.get(OTHER)):
    try:
        ask()
    except submarine_client.SubmarineError as error:
        refused.append((type(error).__name__, error.code))
[mine.id, [each.id for each in client.sessions.list()], refused]
"""


def run_of(demo: Program, session: str, *words: str) -> tuple[int, str, str]:
    """Run a command in a kernel of the session."""
    code = (
        "import subprocess\n"
        f"done = subprocess.run({list(words)!r}, capture_output=True, text=True)\n"
        "(done.returncode, done.stdout, done.stderr)"
    )
    told = literal_eval(demo.run_cell(session, code))
    assert isinstance(told, tuple)
    return told


def test_our_client_reads_its_own_session(demo: Program, session: str) -> None:
    other = demo.start(name="other")
    told = literal_eval(demo.run_cell(session, SDK.replace("OTHER", repr(other))))
    assert told == [
        session,
        [session],
        [
            ("Forbidden", "permission_denied"),
            ("Forbidden", "permission_denied"),
            ("NotFound", "not_found"),
        ],
    ]
    code, said, _ = run_of(demo, session, "subnb", "list", "-o", "name")
    assert (code, said) == (0, f"{session}\n")
    code, said, _ = run_of(demo, session, "subnb", "show", "inside")
    assert code == 0
    assert session in said
    code, said, told = run_of(demo, session, "subnb", "stop", "inside")
    assert (code, said) == (1, "")
    assert "may read that session, and nothing else" in told
    demo.delete(other)


def test_the_credential_ends_with_the_run_and_stands_nowhere(
    service: Service, demo: Program, session: str
) -> None:
    token = demo.run_cell(session, "import os; os.environ['SUBMARINE_TOKEN']").strip("'")
    assert token.startswith("subrun_")

    def answered() -> int:
        shown = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{service.url}/api/v2/sessions", headers=shown, timeout=30).status_code

    assert answered() == 200
    told = [demo.api("GET", f"sessions/{session}/{what}").text for what in ("", "events/", "logs/")]
    demo.verb(session, "stop")
    stopped_at = time.monotonic()
    wait_until(lambda: answered() == 401, seconds=1)
    assert time.monotonic() - stopped_at < 1
    demo.wait_for(session, "stopped")
    assert answered() == 401
    files = (service.data.with_suffix(".log"), *service.data.glob("runs/*/*/*"))
    told += [file.read_text(errors="replace") for file in files if file.is_file()]
    assert not [text for text in told if "subrun_" in text]


def test_the_released_cli_of_submarine_needs_no_configuration(demo: Program, session: str) -> None:
    subprocess.run([SUBMARINE, "config", "init"], capture_output=True, check=True)
    other = demo.start(name="beside")
    # Whichever of their servers takes the connection.
    for _ in range(3):
        for each, name in ((session, "inside"), (other, "beside")):
            code, said, told = run_of(demo, each, SUBMARINE, "list", "notebook")
            assert (code, "Traceback" in told) == (0, False)
            assert "List of Notebooks" in said
            assert {"inside", "beside"} & set(said.split()) == {name}
    refused = run_of(demo, session, SUBMARINE, "delete", "notebook", "notebook_1_0001")[1]
    assert "[Api Error] What runs in a session may read that session" in " ".join(refused.split())

    # Who is in no session has no credential to be led on by.
    outside = subprocess.run([SUBMARINE, "list", "notebook"], capture_output=True, check=True)
    assert b"This is for what runs in a session" in outside.stdout
    demo.delete(other)


def test_the_example_runs_from_top_to_bottom(demo: Program, session: str) -> None:
    example = demo.jupyter(session, "GET", EXAMPLE).json()
    body = {"type": "notebook", "format": "json", "content": example}
    saved = demo.jupyter(session, "PUT", "api/contents/submarine-example.ipynb", json=body)
    assert saved.status_code == 201
    [shown, *_] = demo.run_notebook(session, "submarine-example.ipynb")
    assert shown == f"<Session 'inside' running {session}>"


def test_to_look_at_what_is_left_is_no_use(demo: Program, session: str) -> None:
    time.sleep(WRITTEN_SECONDS)  # noqa: TID251
    before = demo.read(session)["last_activity_at"]
    told = demo.jupyter(session, "GET", "_submarine/limits").json()
    assert told["page"] == f"{demo.service.url}/sessions/{session}"
    time.sleep(WRITTEN_SECONDS)  # noqa: TID251
    assert demo.read(session)["last_activity_at"] == before
