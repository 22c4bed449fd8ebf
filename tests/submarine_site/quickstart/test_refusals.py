"""Where `make run` cannot run it says so in one line, and what to do."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from submarine_site.quickstart.folders import locked

CHECKOUT = Path(__file__).parents[3]


def refusal(*options: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_URL")}
    done = subprocess.run(
        (sys.executable, "-m", "submarine_site.quickstart", *options),
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_data_folder_in_use(tmp_path: Path) -> None:
    with locked(tmp_path) as tell:
        tell("http://127.0.0.1:8000")
        assert refusal("--data", str(tmp_path)) == (
            f"make run: It is already running at http://127.0.0.1:8000, pid {os.getpid()}: "
            "use that, stop it, or choose another data folder with `make run DATA=…`.\n"
        )


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("option", "other", "purpose", "variable"),
    [
        ("--port", "--gateway-port", "the pages", "PORT"),
        ("--gateway-port", "--port", "sessions", "GATEWAY_PORT"),
    ],
)
def test_a_port_that_is_taken(
    *, tmp_path: Path, option: str, other: str, purpose: str, variable: str, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as taken:
        port = str(taken.getsockname()[1])
        assert refusal("--data", str(tmp_path), option, port, other, "0") == (
            f"make run: Port {port}, for {purpose}, cannot be used (Address already in use): "
            f"choose another with `make run {variable}=…`.\n"
        )


def test_one_port_for_both(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    options = ("--port", port, "--gateway-port", port)
    assert f"Port {port}, for sessions, cannot be used" in refusal(
        "--data", str(tmp_path), *options
    )


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_number_that_no_port_has(tmp_path: Path, port: str) -> None:
    assert refusal("--data", str(tmp_path), f"--port={port}") == (
        f"make run: Port {port}, for the pages, cannot be used (no such port): "
        "choose another with `make run PORT=…`.\n"
    )


def test_a_file_in_place_of_the_data_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert refusal("--data", str(file)) == (
        f"make run: {file} is not a folder: choose another with `make run DATA=…`.\n"
    )


def test_data_of_another_postgresql(tmp_path: Path) -> None:
    data = tmp_path / "postgresql" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    ports = ("--port", "0", "--gateway-port", "0")
    message = refusal("--data", str(tmp_path), *ports)
    assert message.startswith(f"make run: The data in {data} are of PostgreSQL 16, this is 18: ")
    assert message.count("\n") == 1
