"""A person's way through the service by its API: start, work, stop, come back."""

import json
import threading
from ast import literal_eval
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
import requests

from tests.stack.service import Program, Service, signed_in, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.jupyter, pytest.mark.timeout(120)]


def test_files_are_there_after_a_stop_and_a_start(service: Service, demo: Program) -> None:
    session = demo.start(name="thesis")
    assert demo.run_cell(session, "6 * 7") == "42"
    note = {"type": "file", "format": "text", "content": "still here"}
    assert demo.jupyter(session, "PUT", "api/contents/note.txt", json=note).status_code == 201

    demo.verb(session, "stop")
    demo.wait_for(session, "stopped")
    assert service.servers(session) == []
    assert demo.jupyter(session, "GET", "api/status").status_code == 503
    demo.verb(session, "start")
    demo.wait_for(session, "running")

    found = demo.jupyter(session, "GET", "api/contents/note.txt").json()
    assert found["content"] == "still here"
    states = [
        event["to_status"]
        for event in reversed(demo.api("GET", f"sessions/{session}/events/").json()["results"])
    ]
    assert states == [
        *("requested", "starting", "running", "stopping", "stopped"),
        *("requested", "starting", "running"),
    ]
    demo.delete(session)
    wait_until(lambda: not (service.data / "runs" / session).exists())
    assert (demo.home() / "note.txt").read_text() == "still here"
    assert demo.api("GET", f"sessions/{session}/").status_code == 404
    wait_until(lambda: demo.jupyter(session, "GET", "api/status").status_code == 401, seconds=5)


def test_a_volume_is_had_by_several_sessions_and_outlives_them(
    service: Service, demo: Program
) -> None:
    made = demo.api(
        "POST", "volumes/", json={"name": "sets", "volume_class": "standard", "size_mib": 64}
    )
    assert made.status_code == 201, made.text
    volume = made.json()["id"]
    writer = demo.start(mounts=[{"volume": volume, "path": "data/raw"}])
    reader = demo.start(name="reader", mounts=[{"volume": volume, "path": "sets"}])
    note = {"type": "file", "format": "text", "content": "kept"}
    assert demo.jupyter(writer, "PUT", "api/contents/data/raw/a.txt", json=note).status_code == 201
    assert demo.jupyter(reader, "GET", "api/contents/sets/a.txt").json()["content"] == "kept"

    refused = demo.api("DELETE", f"volumes/{volume}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "volume_in_use")
    demo.verb(reader, "stop")
    demo.delete(writer)
    demo.wait_for(reader, "stopped")
    # Until nothing is left of its run a session has it.
    wait_until(lambda: demo.api("DELETE", f"volumes/{volume}/").status_code == 204)
    gone = demo.api("POST", f"sessions/{reader}/start/")
    assert (gone.status_code, list(gone.json()["fields"])) == (400, ["mounts.0.volume"])
    assert demo.api("POST", f"volumes/{volume}/restore/").status_code == 200
    demo.verb(reader, "start")
    demo.wait_for(reader, "running")
    assert demo.jupyter(reader, "GET", "api/contents/sets/a.txt").json()["content"] == "kept"
    demo.delete(reader)

    wait_until(lambda: demo.api("DELETE", f"volumes/{volume}/").status_code == 204)
    assert demo.api("POST", f"volumes/{volume}/remove/").status_code == 202
    wait_until(lambda: demo.api("GET", f"volumes/{volume}/").status_code == 404)
    wait_until(lambda: not (service.data / "homes" / volume).exists())


def test_twenty_clicks_at_once_start_one_server(service: Service, demo: Program) -> None:
    session = demo.start()
    demo.verb(session, "stop")
    demo.wait_for(session, "stopped")
    answers: list[int] = []

    def click() -> None:
        answers.append(demo.api("POST", f"sessions/{session}/start/").status_code)

    clicks = [threading.Thread(target=click) for _ in range(20)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()

    assert answers == [202] * 20
    assert demo.wait_for(session, "running")["run"]["number"] == 2
    assert len(service.jupyters(session)) == 1
    demo.delete(session)


def test_what_is_revoked_is_refused_and_cut(demo: Program) -> None:
    session = demo.start()
    kernel = demo.jupyter(session, "POST", "api/kernels", json={}).json()["id"]
    other = Program(demo.service)
    [token] = [
        row["id"]
        for row in demo.api("GET", "tokens/").json()["results"]
        if other.token.startswith(row["hint"])
    ]
    with other.websocket(session, f"api/kernels/{kernel}/channels") as channel:
        assert other.jupyter_answers(session)

        assert demo.api("DELETE", f"tokens/{token}/").status_code == 204

        wait_until(lambda: other.jupyter(session, "GET", "api/me").status_code == 401, seconds=5)
        wait_until(lambda: channel.close_code is not None or _drained(channel), seconds=5)
    assert demo.jupyter_answers(session)
    demo.delete(session)


def _drained(channel: object) -> bool:
    try:
        channel.recv(timeout=0.05)  # type: ignore[attr-defined]
    except TimeoutError:
        return False
    except Exception:  # noqa: BLE001 - closed, in whatever way
        return True
    return False


def test_a_stranger_sees_nothing(demo: Program) -> None:
    session = demo.start()
    stranger = Program(demo.service, role="admin")

    assert stranger.api("GET", f"sessions/{session}/").status_code == 404
    assert stranger.api("POST", f"sessions/{session}/open/", json={}).status_code == 404
    assert stranger.jupyter(session, "GET", "api/contents").status_code == 401
    listed = json.dumps(stranger.api("GET", "sessions/").json())
    assert session not in listed
    demo.delete(session)


def test_the_task_monitor_is_for_staff(service: Service) -> None:
    pages = {role: signed_in(service, role) for role in ("admin", "user")}
    anonymous = requests.get(f"{service.url}/admin/monitor/", timeout=30, allow_redirects=False)

    def shows_workers() -> bool:
        seen = pages["admin"].get(f"{service.url}/admin/monitor/workers", timeout=30)
        return seen.status_code == 200 and "<title>Workers · Flower</title>" in seen.text

    wait_until(shows_workers)
    assert pages["user"].get(f"{service.url}/admin/monitor/", timeout=30).status_code == 403
    assert (anonymous.status_code, anonymous.headers["Location"]) == (
        302,
        "/sign-in?next=/admin/monitor/",
    )
    # To look at only: its controls are not passed on, nor what shows the configuration.
    shut_down = pages["admin"].post(
        f"{service.url}/admin/monitor/api/worker/shutdown/celery@any", timeout=30
    )
    assert shut_down.status_code == 403
    known = f"{service.url}/admin/monitor/workers?json=1"
    workers = wait_until(lambda: pages["admin"].get(known, timeout=30).json()["data"])
    for path in (f"worker/{workers[0]['hostname']}", "broker"):
        shown = pages["admin"].get(f"{service.url}/admin/monitor/{path}", timeout=30)
        assert shown.status_code == 403
        assert "broker_url" not in shown.text
    for path in ("", "tasks", "static/js/flower.js"):
        shown = pages["admin"].get(f"{service.url}/admin/monitor/{path}", timeout=30)
        assert shown.status_code == 200
        assert "redis.sock" not in shown.text


def test_a_browser_is_let_in_by_a_code_that_works_once(service: Service, demo: Program) -> None:
    session = demo.start()
    browser = signed_in(service, "user")
    at_gateway = f"{service.gateway_url}/session/{session}/"

    opened = browser.get(
        f"{service.url}/sessions/{session}/open", timeout=30, allow_redirects=False
    )
    code = opened.headers["Location"]
    assert (opened.status_code, code.partition("?")[0]) == (302, f"{at_gateway}_submarine/enter")
    inside = browser.get(code, timeout=30, allow_redirects=False)

    assert (inside.status_code, inside.headers["Location"]) == (303, f"{at_gateway}lab")
    [cookie] = [each for each in browser.cookies if each.domain == "localhost.local"]
    assert cookie.path == f"/session/{session}/"
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert browser.get(f"{at_gateway}api/status", timeout=30).status_code == 200
    assert requests.get(code, timeout=30, allow_redirects=False).status_code == 403
    browser.post(
        f"{service.url}/sign-out",
        data={"csrfmiddlewaretoken": browser.cookies.get("csrftoken", domain="127.0.0.1")},
        timeout=30,
    )
    wait_until(
        lambda: browser.get(f"{at_gateway}api/status", timeout=30).status_code == 401, seconds=5
    )
    demo.delete(session)


def test_a_notebook_finds_variables_and_secrets_and_nobody_else_does(
    service: Service, demo: Program
) -> None:
    demo.keep_secret("STACK_KEY", "variable", "hunter2-variable")
    demo.keep_secret("stack.json", "file", "hunter2-file")
    session = demo.start(variables={"MODE": "fast"}, secrets=["STACK_KEY", "stack.json"])
    code = (
        "import os, pathlib\n"
        "folder = pathlib.Path(os.environ['SUBMARINE_SECRETS'])\n"
        "[os.environ['MODE'], os.environ['STACK_KEY'], (folder / 'stack.json').read_text()]"
    )
    found = literal_eval(demo.run_cell(session, code))
    assert found == ["fast", "hunter2-variable", "hunter2-file"]
    folder = service.data / "runs" / session
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"hunter2" in path.read_bytes() for path in kept)
    assert not any("hunter2" in word for word in words_of_all_processes())
    log = demo.api("GET", f"sessions/{session}/logs/").text
    assert "hunter2" not in log + demo.api("GET", f"sessions/{session}/events/").text
    demo.verb(session, "stop")
    demo.wait_for(session, "stopped")
    left = [path for path in service.data.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not any(path.name == "stack.json" for path in left)


def words_of_all_processes() -> Iterator[str]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield from process.cmdline()
