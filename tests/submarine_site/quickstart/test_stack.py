"""The whole service, as `make run` starts it."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest

from submarine_site.quickstart.folders import runtime_folder

CHECKOUT = Path(__file__).parents[3]
STOP_SECONDS = 60
RESTART_SECONDS = 30
MARKS = {
    "web": "submarine_site.web",
    "gateway": "gateway",
    "worker": "worker",
    "beat": "beat",
    "watcher": "watcher",
    "monitor": "flower",
    "postgresql": "pginstall",
    "redis": "redis-server",
}

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


class Quickstart:
    """One run of it on a data folder, with ports that are free."""

    def __init__(self, data: Path) -> None:
        unset = ("DATABASE_URL", "REDIS_URL")
        self.data = data
        self.process = subprocess.Popen(
            self.command,
            cwd=CHECKOUT,
            env={key: value for key, value in os.environ.items() if key not in unset},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._running = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._running.wait(90) or self.process.poll() is not None:
            self.process.kill()
            pytest.fail("".join(self.said))

    @property
    def command(self) -> tuple[str, ...]:
        module = ("-m", "submarine_site.quickstart")
        return (
            *(sys.executable, *module),
            *("--port", "0", "--gateway-port", "0", "--data", str(self.data)),
        )

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("  Stop"):
                self._running.set()
        self._running.set()

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.data / "quickstart.json").read_text()))

    def child(self, name: str) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if MARKS[name] in " ".join(child.cmdline()))

    def stop(self, number: signal.Signals) -> list[psutil.Process]:
        """End it, and return which of its processes are still there."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return psutil.wait_procs(started, timeout=STOP_SECONDS)[1]


Start = Callable[[], Quickstart]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    runs = []

    def make() -> Quickstart:
        runs.append(Quickstart(tmp_path / "data"))
        return runs[-1]

    yield make
    for run in runs:
        with run.process:  # closes its pipe
            if run.process.poll() is None:
                run.stop(signal.SIGTERM)
            run._reader.join(STOP_SECONDS)
    with runtime_folder(tmp_path / "data") as sockets:
        for path in sockets.iterdir():
            path.unlink()


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
        return int(answer.status)


def test_what_is_announced_is_true_and_for_its_owner_only(start: Start) -> None:
    run = start()
    summary = run.summary
    assert (run.data / "quickstart.json").stat().st_mode & 0o777 == 0o600
    assert [(user["name"], user["role"]) for user in summary["users"]] == [
        ("admin", "admin"),
        ("demo", "user"),
    ]
    assert summary["data"] == str(run.data)
    assert f"  Open      {summary['url']}\n" in run.said
    assert status(f"{summary['url']}/sign-in") == HTTPStatus.OK
    assert status(f"{summary['gateway_url']}/_submarine/health") == HTTPStatus.OK


def test_a_second_start_on_the_same_data_is_refused(start: Start) -> None:
    run = start()
    second = subprocess.run(run.command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"already running at {run.summary['url']}, pid {run.process.pid}: " in second.stderr


def test_every_killed_process_is_started_again(start: Start) -> None:
    run = start()
    killed = {name: run.child(name) for name in MARKS}
    for process in killed.values():
        process.kill()
    psutil.wait_procs(killed.values(), timeout=10)
    changed = threading.Event()
    for _ in range(RESTART_SECONDS * 10):
        try:
            again = {name: run.child(name).pid for name in MARKS}
            break
        except (StopIteration, psutil.NoSuchProcess):
            changed.wait(0.1)
    else:
        pytest.fail("".join(run.said))
    assert set(again.values()).isdisjoint(process.pid for process in killed.values())
    assert status(f"{run.summary['url']}/sign-in") == HTTPStatus.OK
    assert status(f"{run.summary['gateway_url']}/_submarine/health") == HTTPStatus.OK


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_without_a_process_left(start: Start, number: signal.Signals) -> None:
    run = start()
    assert run.stop(number) == []
    assert run.process.returncode == 0
    assert "Traceback" not in "".join(run.said)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it only on Linux")
def test_no_process_outlives_a_killed_supervisor(start: Start) -> None:
    assert start().stop(signal.SIGKILL) == []


def test_the_passwords_of_the_first_run_are_those_of_the_next(start: Start) -> None:
    first = start()
    users = first.summary["users"]
    first.stop(signal.SIGKILL)
    assert start().summary["users"] == users
