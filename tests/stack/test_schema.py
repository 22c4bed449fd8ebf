"""The API does what its schema says, tried by requests that are made from the schema, good and bad,
of a user and of an operator.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack.service import Program, Service

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 15
"""Made of each operation at random, beside those that cover each of its parameters."""


@pytest.mark.parametrize("role", ["user", "admin"])
def test_it_answers_as_documented(service: Service, role: str, tmp_path: Path) -> None:
    tried = subprocess.run(
        (
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG),
            *("run", f"{service.url}/api/v2/schema/", "--checks", "all"),
            # Wrong passwords are counted, and answered with 429 after the tenth. That nobody is let
            # in without credentials is tried of each operation by the permission table.
            *("--exclude-checks", "ignored_auth"),
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
