"""The API does what its schema says, tried by requests that are made from the schema, good and bad,
of a user and of an operator.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stack.service import Program, Service

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

CONFIG = Path(__file__).with_name("schemathesis.toml")
PASSWORD = "password"
EXAMPLES = 15
"""Made of each operation at random, beside those that cover each of its parameters."""


def without_passwords(service: Service) -> Any:
    """The schema that the service gives, without one way to sign in: wrong passwords are counted,
    and after the tenth they are answered otherwise than what else lets nobody in.
    """
    schema = requests.get(f"{service.url}/api/v2/schema/?format=json", timeout=30).json()
    del schema["components"]["securitySchemes"][PASSWORD]
    for operations in schema["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                operation["security"] = [
                    scheme for scheme in operation["security"] if PASSWORD not in scheme
                ]
    return schema


@pytest.mark.parametrize("role", ["user", "admin"])
def test_it_answers_as_documented(service: Service, role: str, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(without_passwords(service)))
    tried = subprocess.run(
        (
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG),
            *("run", schema, "--url", service.url, "--checks", "all"),
            *("--header", f"Authorization: Bearer {Program(service, role=role).token}"),
            # The same in each run: what fails once is found again.
            *("--max-examples", str(EXAMPLES), "--seed", "1", "--no-shrink"),
            *("--continue-on-failure", "--warnings", "off", "--no-color"),
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout[-20_000:] + tried.stderr
    assert "No issues found" in tried.stdout
