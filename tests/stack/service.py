"""The whole service, started as `make run` starts it, and a person's program that uses it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psutil
import requests
from websockets.sync.client import ClientConnection, connect

CHECKOUT = Path(__file__).parents[2]
T = TypeVar("T")

# How each process of the service is told from the others by its command line.
MARKS = {
    "web": "submarine_site.web",
    "gateway": "submarine_site.gateway",
    "worker": "submarine_site.celery worker",
    "beat": "submarine_site.celery beat",
    "watcher": "manage.py watcher",
    "redis": "redis-server",
    "postgresql": "bin/postgres -D",
}


def wait_until(look: Callable[[], T], *, seconds: float = 60) -> T:
    """Return the first true answer of `look`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s; last: {answer!r}"
        time.sleep(0.05)  # noqa: TID251


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running service, as its `quickstart.json` tells of it."""

    url: str
    gateway_url: str
    data: Path
    users: dict[str, dict[str, str]]
    supervisor: psutil.Process

    def pid(self, name: str) -> int:
        """The process id of one of the service's processes."""
        return wait_until(lambda: self._find(name) or 0)

    def kill(self, name: str) -> None:
        """End a process with no chance to say anything; it is started again by the service."""
        pid = self.pid(name)
        # A worker's children and a database's back ends die with it, as after an OOM kill.
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for process in family if name != "postgresql" else family[:1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until(lambda: not psutil.pid_exists(pid) or _is_zombie(pid))

    def _find(self, name: str) -> int | None:
        for child in self.supervisor.children():
            with suppress(psutil.Error):
                if MARKS[name] in " ".join(child.cmdline()):
                    return child.pid
        return None

    def servers(self, session_id: str) -> list[psutil.Process]:
        """The Jupyter servers that run for a session, with everything else of its runs."""
        runs = {folder.name for folder in (self.data / "runs" / session_id).glob("*")}
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                run = process.environ().get("SUBMARINE_RUN_ID")
                if run in runs and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def jupyters(self, session_id: str) -> list[psutil.Process]:
        return [process for process in self.servers(session_id) if _is_jupyter(process)]


def _is_jupyter(process: psutil.Process) -> bool:
    # It may end between one look and the next.
    with suppress(psutil.Error):
        return any(word.endswith("jupyter-lab") for word in process.cmdline())
    return False


def _is_zombie(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


@contextmanager
def running(data: Path, **environment: str) -> Iterator[Service]:
    """Run the service on free ports with its data in `data`; stop it with SIGTERM at the end."""
    port, gateway_port = free_ports(2)
    env = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO")}
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        env.pop(name, None)
    log = data.with_suffix(".log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "submarine_site.quickstart"),
                *("--port", str(port), "--gateway-port", str(gateway_port)),
                *("--data", str(data)),
            ],
            cwd=CHECKOUT,
            env={**env, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        described = data / "quickstart.json"
        before = described.stat().st_mtime_ns if described.exists() else 0

        def is_up() -> bool:
            assert process.poll() is None, log.read_text()[-3000:]
            return described.exists() and described.stat().st_mtime_ns != before

        wait_until(is_up, seconds=60)
        told = json.loads(described.read_text())
        yield Service(
            url=told["url"],
            gateway_url=told["gateway_url"],
            data=data,
            users={user["role"]: user for user in told["users"]},
            supervisor=psutil.Process(process.pid),
        )
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def signed_in(service: Service, role: str) -> requests.Session:
    """A browser without a screen."""
    user, browser = service.users[role], requests.Session()
    browser.get(f"{service.url}/sign-in", timeout=30)
    answer = browser.post(
        f"{service.url}/sign-in",
        data={
            "username": user["name"],
            "password": user["password"],
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        },
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return browser


class Program:
    """What a person's program does through the API, with a token of its own."""

    def __init__(self, service: Service, *, role: str = "user") -> None:
        self.service = service
        user = service.users[role]
        answer = requests.post(
            f"{service.url}/api/v2/tokens/",
            json={
                "name": f"test {uuid4()}",
                "scopes": [
                    *("read", "launch", "access", "manage"),
                    *(["admin"] if role == "admin" else []),
                ],
            },
            auth=(user["name"], user["password"]),
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["token"]
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http.request(method, f"{self.service.url}/api/v2/{path}", timeout=30, **options)

    def create(self, **chosen: object) -> dict[str, Any]:
        body = {"profile": "small", "environment": "notebook-env", **chosen}
        answer = self.api("POST", "sessions/", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def read(self, session_id: str) -> dict[str, Any]:
        """The session; None while the web process is away."""
        try:
            answer = self.api("GET", f"sessions/{session_id}/")
        except requests.RequestException:
            return {"status": "unknown"}
        return dict(answer.json()) if answer.ok else {"status": f"HTTP {answer.status_code}"}

    def verb(self, session_id: str, verb: str) -> None:
        """Press a button until it was heard: the web process may be away."""

        def heard() -> bool:
            with suppress(requests.RequestException):
                return self.api("POST", f"sessions/{session_id}/{verb}/").status_code == 202
            return False

        wait_until(heard)

    def wait_for(self, session_id: str, status: str, *, seconds: float = 60) -> dict[str, Any]:
        """The session once it has come to `status`."""

        def there() -> dict[str, Any] | None:
            session = self.read(session_id)
            assert session["status"] in {status, *_ON_THE_WAY}, session
            return session if session["status"] == status else None

        found = wait_until(there, seconds=seconds)
        assert found is not None
        return found

    def start(self, **chosen: object) -> str:
        """Create a session and wait until it runs; its id."""
        session_id = str(self.create(**chosen)["id"])
        self.wait_for(session_id, "running")
        return session_id

    def keep_secret(self, name: str, kind: str, value: str) -> None:
        answer = self.api("POST", "secrets/", json={"name": name, "kind": kind, "value": value})
        assert answer.status_code == 201, answer.text

    def home(self) -> Path:
        """The folder that is the person's home."""
        [home] = self.api("GET", "volumes/", params={"kind": "home"}).json()
        return self.service.data / "homes" / str(home["id"])

    def delete(self, session_id: str) -> None:
        assert self.api("DELETE", f"sessions/{session_id}/").status_code == 204
        wait_until(lambda: not self.service.servers(session_id))

    def jupyter(self, session_id: str, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the session's Jupyter through the gateway."""
        url = f"{self.service.gateway_url}/session/{session_id}/{path}"
        return self.http.request(method, url, timeout=60, **options)

    def jupyter_answers(self, session_id: str) -> bool:
        with suppress(requests.RequestException):
            return self.jupyter(session_id, "GET", "api/status").status_code == 200
        return False

    def websocket(self, session_id: str, path: str) -> ClientConnection:
        url = f"{self.service.gateway_url}/session/{session_id}/{path}".replace("http", "ws", 1)
        return connect(url, additional_headers={"Authorization": f"Bearer {self.token}"})

    def run_cell(self, session_id: str, code: str, *, kernel_name: str = "python3") -> str:
        """Run code in a new kernel and return the text of its result."""
        kernel = self.jupyter(session_id, "POST", "api/kernels", json={"name": kernel_name}).json()
        [result] = self._run(session_id, kernel["id"], [code])
        return result

    def run_notebook(self, session_id: str, path: str) -> list[str]:
        """Run a notebook on the kernel that it names, as JupyterLab does, and return the text of
        each cell's result.
        """
        told = self.jupyter(session_id, "GET", f"api/contents/{path}").json()["content"]
        opened = {
            "path": path,
            "name": path.rpartition("/")[2],
            "type": "notebook",
            "kernel": {"name": told["metadata"]["kernelspec"]["name"]},
        }
        kernel = self.jupyter(session_id, "POST", "api/sessions", json=opened).json()["kernel"]
        cells = [cell["source"] for cell in told["cells"] if cell["cell_type"] == "code"]
        return self._run(session_id, kernel["id"], cells)

    def _run(self, session_id: str, kernel_id: str, cells: list[str]) -> list[str]:
        with self.websocket(session_id, f"api/kernels/{kernel_id}/channels") as channel:
            return [_result(channel, code) for code in cells]


def _result(channel: ClientConnection, code: str) -> str:
    """The text of a cell's result; empty if it has none."""
    message_id, result = uuid4().hex, ""
    message = {
        "header": {
            "msg_id": message_id,
            "username": "",
            "session": uuid4().hex,
            "msg_type": "execute_request",
            "version": "5.3",
            "date": "",
        },
        "parent_header": {},
        "metadata": {},
        "channel": "shell",
        "content": {"code": code, "silent": False, "store_history": True},
    }
    channel.send(json.dumps(message))
    while True:
        answer = json.loads(channel.recv(timeout=30))
        if answer["parent_header"].get("msg_id") != message_id:
            continue
        kind, content = answer["msg_type"], answer["content"]
        assert kind != "error", content
        if kind == "execute_result":
            result = content["data"]["text/plain"]
        # Of the cell nothing follows.
        if kind == "status" and content["execution_state"] == "idle":
            return result


_ON_THE_WAY = {
    "requested",
    "starting",
    "running",
    "stopping",
    "unknown",
    "HTTP 500",
    "HTTP 502",
    "HTTP 503",
}
