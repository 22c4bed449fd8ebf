"""A git server, and the program that fetches code, run as a backend runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from notebooks.backends import fetcher
from notebooks.backends.fetcher.outcome import Outcome
from notebooks.backends.fetcher.request import Access, Request, Rules, Source
from tests.git_server import TOKEN, USERNAME, GitServer, git_server

PROGRAM = Path(fetcher.__file__).parent

Fetch: TypeAlias = Callable[..., list[Outcome]]


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as serving:
        yield serving


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def rules(server: GitServer) -> Rules:
    return Rules(seconds=60, allowed_networks=("127.0.0.0/8",), ca_certificates=server.certificates)


@pytest.fixture
def token(server: GitServer) -> Access:
    return Access(hosts=(f"127.0.0.1:{server.port}",), username=USERNAME, token=TOKEN)


@pytest.fixture
def fetch(tmp_path: Path, home: Path, rules: Rules) -> Fetch:
    """Fetch these sources, under the rules with what is changed of them."""

    def run(*sources: Source, **changes: Any) -> list[Outcome]:
        asked, told = tmp_path / "request.json", tmp_path / "outcome.json"
        changed = replace(rules, **changes)
        asked.write_text(Request(str(home), sources, changed).dump())
        subprocess.run(
            [sys.executable, "-I", "-S", str(PROGRAM), "fetch", str(asked), str(told)],
            env={"PATH": os.environ["PATH"]},
            check=True,
            timeout=60,
        )
        return [Outcome(**each) for each in json.loads(told.read_text())]

    return run
