"""Rules that hold for the whole code: imports, tasks, migrations, codes, documented settings."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from notebooks import tasks
from notebooks.failures import REASONS
from submarine_site.celery import app

ROOT = settings.BASE_DIR
SETTINGS = sorted((ROOT / "submarine_site" / "settings").glob("*.py"))


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_imports_point_one_way() -> None:
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert done.returncode == 0, done.stdout


def test_every_periodic_task_is_there() -> None:
    app.loader.import_default_modules()
    asked = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert asked
    assert asked <= set(app.tasks)


def test_what_is_enqueued_goes_to_our_own_queue() -> None:
    assert tasks.launch.app is app


@pytest.mark.django_db
def test_migrations_are_in_step_with_the_models() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


# What names the reason of a failure or a stop: the call, and which argument of it.
_REASON_OF: dict[str, str | int] = {
    "Fail": 1,
    "BackendRefused": "code",
    "__init__": "code",
    "stop_session": "code",
    "_stop": "code",
    "stop_exited": "code",
    "StopDue": 1,
    "stop_due": "code",
    "fail": "code",
    "note": "code",
    "Observed": "failure_code",
    "Hindrance": "code",
    "_Verdict": "code",
    "Ending": "code",
    "Refusal": "code",
    "replace": "failure_code",
    "_errors": "refusing",
    "Failure": 0,
    "_Meaning": 0,
    "Outcome": 1,
    "CodeOutcome": "code",
    "Withheld": "code",
    "_end": "code",
}


def reasons_in(source: str) -> Iterator[str]:
    """The codes that stand in the code as the reason of something."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        which = _REASON_OF.get(name)
        given: list[ast.expr] = []
        if isinstance(which, int):
            given = call.args[which : which + 1]
        elif which:
            given = [keyword.value for keyword in call.keywords if keyword.arg == which]
        for argument in given:
            for part in ast.walk(argument):
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
                    yield part.value


def test_every_reason_is_in_the_catalogue_and_none_is_left_over() -> None:
    sources = [*(ROOT / "notebooks").rglob("*.py"), ROOT / "submarine_site/core/outside.py"]
    used = {
        code
        for path in sources
        if "migrations" not in path.parts and "gateway" not in path.parts
        for code in reasons_in(path.read_text())
    }
    assert used == REASONS.keys()


def test_every_reason_is_described_for_users_and_operators() -> None:
    table = (ROOT / "docs" / "failures.md").read_text()
    described = re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)
    assert sorted(described) == sorted(REASONS)


def variables() -> set[str]:
    """The environment variables that the settings read."""
    read = re.compile(r'env\.[a-z_]+\(\s*"([A-Z_]+)"')
    return {name for path in SETTINGS for name in read.findall(path.read_text())}


def test_every_variable_is_described_for_operators() -> None:
    described = (ROOT / "docs" / "operators.md").read_text()
    assert len(variables()) > 10
    assert {name for name in variables() if f"`{name}`" not in described} == set()


PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "submarine_site.settings.production",
    "SECRET_KEY": "".join(map(chr, range(35, 120))),
    "SUBMARINE_VAULT_KEYS": "0123456789abcdef0123456789abcdef",
    "SUBMARINE_PAGES_URL": "https://submarine.example",
    "SUBMARINE_GATEWAY_URL": "https://nb.example.net",
    "SUBMARINE_LOCAL_BACKEND_ACCEPTED": "true",
    "DATABASE_URL": "postgres:///none",
    "REDIS_URL": "redis://127.0.0.1:1",
}


def check(**env: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    return run(*command, **{**PRODUCTION, **env})


def test_production_has_nothing_to_be_warned_of() -> None:
    done = check()
    assert "System check identified no issues" in done.stdout, done.stderr
    assert done.returncode == 0


def test_over_https_no_neighbouring_name_can_set_the_pages_cookies() -> None:
    names = "print(settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)"
    program = f"from django.conf import settings; {names}"
    assert run(sys.executable, "-c", program, **PRODUCTION).stdout.split() == [
        "__Host-sessionid",
        "__Host-csrftoken",
    ]


def test_production_is_warned_where_secrets_depend_on_the_secret_key() -> None:
    done = check(SUBMARINE_VAULT_KEYS="")
    assert done.returncode == 1
    assert "accounts.W001" in done.stderr


def test_a_key_of_the_vault_that_could_be_guessed_is_refused() -> None:
    done = check(SUBMARINE_VAULT_KEYS="0123456789abcdef0123456789abcdef hunter2")
    assert done.returncode == 1
    assert "accounts.E001" in done.stderr
    assert "hunter2" not in done.stderr


def test_production_refuses_the_local_backend_until_it_is_accepted() -> None:
    done = check(SUBMARINE_LOCAL_BACKEND_ACCEPTED="false")
    assert done.returncode == 1
    assert "notebooks.E001" in done.stderr
