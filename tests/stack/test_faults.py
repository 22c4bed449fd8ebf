"""kill -9 of each process in each state: the session ends where it should, once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.service import Program, Service, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.jupyter, pytest.mark.timeout(240)]

SLEEP = "import time; print('asleep', flush=True); time.sleep(999)"
PROCESSES = ["worker", "web", "gateway", "watcher", "beat", "redis", "postgresql"]


@pytest.fixture
def session(demo: Program) -> Iterator[str]:
    """A session just asked for."""
    session_id = str(demo.create()["id"])
    yield session_id
    wait_until(lambda: demo.read(session_id)["status"] not in {"unknown", "HTTP 500", "HTTP 503"})
    demo.delete(session_id)


@pytest.mark.parametrize("victim", PROCESSES)
def test_a_start_survives(service: Service, demo: Program, session: str, victim: str) -> None:
    service.kill(victim)

    demo.wait_for(session, "running")
    wait_until(lambda: demo.jupyter_answers(session))
    assert len(service.jupyters(session)) == 1


@pytest.mark.parametrize("victim", PROCESSES)
def test_a_running_session_survives(
    service: Service, demo: Program, session: str, victim: str
) -> None:
    before = demo.wait_for(session, "running")
    server = service.jupyters(session)

    service.kill(victim)
    service.pid(victim)

    wait_until(lambda: demo.jupyter_answers(session))
    after = demo.wait_for(session, "running")
    assert (after["status"], after["run"]["id"]) == ("running", before["run"]["id"])
    assert service.jupyters(session) == server


@pytest.mark.parametrize("victim", PROCESSES)
def test_a_stop_survives(service: Service, demo: Program, session: str, victim: str) -> None:
    demo.wait_for(session, "running")
    demo.verb(session, "stop")

    service.kill(victim)

    demo.wait_for(session, "stopped")
    assert service.servers(session) == []


def test_what_has_ended_stays_ended(service: Service, demo: Program, session: str) -> None:
    demo.wait_for(session, "running")
    crashed = demo.start()
    demo.verb(session, "stop")
    demo.wait_for(session, "stopped")
    service.jupyters(crashed)[0].kill()
    before = demo.wait_for(crashed, "failed")

    for victim in PROCESSES:
        service.kill(victim)
    for victim in PROCESSES:
        service.pid(victim)

    wait_until(lambda: demo.read(crashed) == before)
    assert demo.wait_for(session, "stopped")["run"]["number"] == 1
    assert service.servers(session) == service.servers(crashed) == []
    demo.verb(crashed, "start")
    demo.wait_for(crashed, "running")
    demo.delete(crashed)


def test_a_server_killed_while_it_runs_has_failed_and_says_why(
    service: Service, demo: Program, session: str
) -> None:
    demo.wait_for(session, "running")

    service.jupyters(session)[0].kill()

    failed = demo.wait_for(session, "failed", seconds=10)
    assert failed["reason"]["code"] == "server_crashed"
    assert failed["reason"]["message"] == "Jupyter ended by itself: signal 9."
    assert failed["run"]["exit_code"] == -9
    wait_until(lambda: not service.servers(session))
    demo.verb(session, "start")
    demo.wait_for(session, "running")


def test_a_server_killed_while_it_starts_has_failed_and_says_why(
    service: Service, demo: Program, session: str
) -> None:
    wait_until(lambda: service.jupyters(session))[0].kill()

    failed = demo.wait_for(session, "failed", seconds=10)
    assert failed["reason"]["code"] == "server_exited"
    wait_until(lambda: not service.servers(session))


def test_a_server_killed_while_it_stops_has_stopped(
    service: Service, demo: Program, session: str
) -> None:
    demo.wait_for(session, "running")
    demo.verb(session, "stop")

    for process in service.jupyters(session):
        process.kill()

    demo.wait_for(session, "stopped")
    assert service.servers(session) == []


Configure = Callable[[str], None]


@pytest.fixture
def configure(demo: Program) -> Iterator[Configure]:
    """Put a line into the user's own settings of Jupyter, as a user could."""
    written: list[Path] = []

    def put(code: str) -> None:
        settings = demo.home() / ".jupyter" / "jupyter_server_config.py"
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(code)
        written.append(settings)

    yield put
    # All of the user's sessions have them.
    for settings in written:
        settings.unlink()


def test_a_server_that_ends_at_start_shows_its_last_lines_and_starts_in_rescue(
    demo: Program, session: str, configure: Configure
) -> None:
    demo.wait_for(session, "running")
    demo.verb(session, "stop")
    demo.wait_for(session, "stopped")
    configure("raise SystemExit('the settings are broken')")

    demo.verb(session, "start")

    failed = demo.wait_for(session, "failed")
    assert failed["reason"]["code"] == "server_exited"
    assert failed["run"]["exit_code"] == 1
    log = demo.api("GET", f"sessions/{session}/logs/").json()["text"]
    assert "the settings are broken" in log

    asked = demo.api("POST", f"sessions/{session}/start/", json={"rescue": True})
    assert asked.status_code == 202
    assert demo.wait_for(session, "running")["run"]["is_rescue"] is True
    assert demo.jupyter(session, "GET", "api/contents").status_code == 200


def test_a_server_that_never_answers_is_given_up(
    service: Service, demo: Program, session: str, configure: Configure
) -> None:
    demo.wait_for(session, "running")
    demo.verb(session, "stop")
    demo.wait_for(session, "stopped")
    configure(SLEEP)

    demo.verb(session, "start")

    failed = demo.wait_for(session, "failed", seconds=40)
    assert failed["reason"]["code"] == "server_never_answered"
    assert failed["reason"]["message"] == "Jupyter did not answer within 15 s."
    assert "asleep" in demo.api("GET", f"sessions/{session}/logs/").json()["text"]
    wait_until(lambda: not service.servers(session))
