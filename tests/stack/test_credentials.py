"""No process prints a credential of its settings, at its start or while servers are away."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.stack.service import CHECKOUT, wait_until

pytestmark = pytest.mark.stack

CELERY = ("-m", "celery", "-A", "submarine_site.celery")
PROCESSES = {
    "web": ("-m", "submarine_site.web", "--port", "0"),
    "gateway": ("-m", "submarine_site.gateway", "--port", "0"),
    "worker": (*CELERY, "worker", "--pool", "solo"),
    "beat": (*CELERY, "beat", "--scheduler", "celery.beat:Scheduler"),
    "flower": (*CELERY, "flower", "--unix_socket=flower.sock"),
    "watcher": (str(CHECKOUT / "manage.py"), "watcher"),
    "report": (*CELERY, "report"),
    "inspect": (*CELERY, "inspect", "conf"),
    "check": (str(CHECKOUT / "manage.py"), "check", "--deploy"),
}
# What each says when it has come as far as it can.
SAID = {
    "web": "Uvicorn running on",
    "gateway": "port 9 failed",
    "worker": "Cannot connect to redis://***@127.0.0.1:9/0",
    "beat": "Connection error",
    "flower": "Failed to capture events",
    "watcher": "port 9 failed",
    "report": "broker_url: 'redis://planted-name:********@127.0.0.1:9/0'",
    "inspect": "Could not connect to the message broker",
    "check": "System check identified",
}
# Nobody listens on port 9.
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "submarine_site.settings.production",
    "SECRET_KEY": "planted-key" * 5,
    "DATABASE_URL": "postgres://planted-name:planted-password@127.0.0.1:9/db",
    "REDIS_URL": "redis://planted-name:planted-password@127.0.0.1:9/0",
    "SUBMARINE_PAGES_URL": "http://127.0.0.1:8000",
    "SUBMARINE_GATEWAY_URL": "http://localhost:8001",
    "SUBMARINE_BUILD_INDEXES": "https://planted-name:planted-password@pypi.invalid/simple",
    "SUBMARINE_LOCAL_BACKEND_ACCEPTED": "true",
    "PYTHONPATH": str(CHECKOUT),
    "PYTHONUNBUFFERED": "1",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("outputs")
    with ExitStack() as stack:
        for name, words in PROCESSES.items():
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **SETTINGS},
                stdout=stack.enter_context((folder / name).open("w")),
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield {name: folder / name for name in PROCESSES}


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_prints_a_credential(outputs: dict[str, Path], name: str) -> None:
    wait_until(lambda: SAID[name] in outputs[name].read_text())
    text = outputs[name].read_text()
    assert "planted-password" not in text
    assert "planted-key" not in text


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL"])
def test_a_password_that_is_not_encoded_is_not_quoted(variable: str, tmp_path: Path) -> None:
    spoiled = SETTINGS[variable].replace("planted-password", "planted/password")
    ended = subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), "check"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **SETTINGS, variable: spoiled},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert f"{variable} is not a URL of the form" in ended.stderr
    assert "planted" not in ended.stdout + ended.stderr
