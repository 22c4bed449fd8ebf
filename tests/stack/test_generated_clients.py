"""Clients that well-known tools generate from the schema that a service gives use it as it is."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stack.service import CHECKOUT, Program, Service

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

BIN = CHECKOUT / ".venv-openapi" / "bin"
DRIVERS = CHECKOUT / "tests" / "openapi"


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def by_openapi_python_client(folder: Path) -> None:
    warnings = run(
        folder,
        *(BIN / "openapi-python-client", "generate", "--path", "schema.yaml"),
        *("--meta", "none", "--output-path", folder / "generated", "--fail-on-warning"),
    )
    assert "Warning" not in warnings


def by_openapi_generator(folder: Path) -> None:
    run(
        folder,
        *(BIN / "openapi-generator-cli", "generate", "-i", "schema.yaml", "-g", "python"),
        *("-o", folder, "--package-name", "generated"),
        *("--global-property", "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"),
    )


@pytest.mark.parametrize(
    ("generate", "driver"),
    [
        (by_openapi_python_client, "drive_openapi_python_client.py"),
        (by_openapi_generator, "drive_openapi_generator.py"),
    ],
)
def test_a_generated_client_creates_reads_lists_changes_and_deletes(
    generate: Any, driver: str, service: Service, tmp_path: Path
) -> None:
    schema = requests.get(f"{service.url}/api/v2/schema/", timeout=30)
    (tmp_path / "schema.yaml").write_bytes(schema.content)
    generate(tmp_path)

    told = json.loads(
        run(tmp_path, BIN / "python", DRIVERS / driver, service.url, Program(service).token)
    )

    assert told == {
        "me": "demo",
        "email": "",
        "created": [201, "generated", True],
        "read": [200, "generated"],
        "changed": [200, "renamed"],
        "stale": [412, "changed_meanwhile"],
        "listed": ["renamed"],
        "deleted": 204,
        "gone": [404, "not_found"],
    }
