"""Code that is in the home before the server starts; what became of it is seen with the server."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notebooks.backends.contract import (
    CodeOutcome,
    CodeSource,
    CodeStatus,
    GitAccess,
    Phase,
    RunState,
    SessionSpec,
)
from notebooks.backends.fetcher.request import Rules
from notebooks.backends.local.backend import LocalBackend
from notebooks.backends.local.processes import leftovers
from tests.contracts.backend_suite import a_spec, home_of
from tests.contracts.eventually import eventually
from tests.git_server import TOKEN, USERNAME, GitServer, git_server
from tests.notebooks.backends.local.conftest import LocalSite

FETCHED = CodeOutcome(status=CodeStatus.FETCHED)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server(tmp_path_factory.mktemp("git")) as serving:
        yield serving


@pytest.fixture
def site(site: LocalSite, server: GitServer) -> LocalSite:
    """One that code may come to from this machine."""
    site.backend = LocalBackend(
        data=site.folder / "data",
        runtime=site.folder / "run",
        jupyter=site.jupyter,
        code_rules=Rules(
            seconds=30, allowed_networks=("127.0.0.0/8",), ca_certificates=server.certificates
        ),
    )
    return site


def a_spec_with(*sources: CodeSource, **access: GitAccess) -> SessionSpec:
    return replace(
        a_spec(), code=sources, git_access={UUID(key): one for key, one in access.items()}
    )


def folder_of_home(site: LocalSite, spec: SessionSpec) -> Path:
    return site.home(home_of(spec))


def test_code_is_there_when_the_server_is(site: LocalSite, server: GitServer) -> None:
    server.repository("plain.git", {"notes.txt": "one\n"})
    spec = site.start(a_spec_with(CodeSource(url=server.url("plain.git"), folder="work/plain")))
    seen = site.await_ready(spec.key)
    assert seen.code == (FETCHED,)
    assert (folder_of_home(site, spec) / "work/plain/notes.txt").read_text() == "one\n"
    assert [phase.phase for phase in seen.phases] == [
        Phase.PREPARING,
        Phase.STARTING_SERVER,
        Phase.READY,
    ]
    assert "plain.git: fetched" in site.backend.logs(spec.key, lines=50)


def test_a_session_without_code_says_nothing_of_it(site: LocalSite) -> None:
    assert site.await_ready(site.start().key).code is None


def test_a_failure_over_code_is_none_of_the_session(site: LocalSite, server: GitServer) -> None:
    spec = site.start(a_spec_with(CodeSource(url=server.url("none.git"), folder="none")))
    assert site.await_ready(spec.key).code == (
        CodeOutcome(
            status=CodeStatus.FAILED,
            code="code_not_found",
            message="127.0.0.1 has no such repository.",
        ),
    )


def test_a_launch_waits_for_its_code_and_says_so(site: LocalSite, server: GitServer) -> None:
    spec = site.start(a_spec_with(CodeSource(url=server.url("slow/a.git"), folder="slow")))
    seen = site.await_state(spec.key, RunState.STARTING)
    assert seen.waits
    assert [(phase.phase, phase.detail) for phase in seen.phases] == [
        (Phase.PREPARING, "Fetching code.")
    ]


def test_a_stop_ends_what_fetches_code(site: LocalSite, server: GitServer) -> None:
    server.asked.clear()
    spec = site.start(a_spec_with(CodeSource(url=server.url("slow/b.git"), folder="slow")))
    eventually(lambda: server.asked)
    assert "git" in {process.name() for process in leftovers(spec.key.run_id)}
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    assert leftovers(spec.key.run_id) == []


def test_the_next_run_leaves_what_the_user_changed(site: LocalSite, server: GitServer) -> None:
    server.repository("changed.git", {"notes.txt": "one\n"})
    spec = site.start(a_spec_with(CodeSource(url=server.url("changed.git"), folder="code")))
    site.await_ready(spec.key)
    notes = folder_of_home(site, spec) / "code/notes.txt"
    notes.write_text("changed\n")
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    again = replace(spec, key=replace(spec.key, run_id=uuid4()))
    site.start(again)
    assert site.await_ready(again.key).code == (CodeOutcome(status=CodeStatus.KEPT),)
    assert notes.read_text() == "changed\n"


def test_a_credential_is_nowhere_to_be_read_once_it_was_used(
    site: LocalSite, server: GitServer
) -> None:
    server.repository("private/a.git")
    credential = uuid4()
    source = CodeSource(url=server.url("private/a.git"), folder="code", credential=credential)
    access = GitAccess(hosts=(f"127.0.0.1:{server.port}",), username=USERNAME, token=TOKEN)
    spec = replace(a_spec(), code=(source,), git_access={credential: access})
    site.start(spec)
    assert site.await_ready(spec.key).code == (FETCHED,)
    written = [
        path
        for top in (site.folder / "data", site.folder / "run")
        for folder, _, names in os.walk(top)
        for path in (Path(folder, name) for name in names)
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert written == []
    for process in site.processes(spec.key):
        assert TOKEN not in " ".join([*process.cmdline(), *process.environ().values()])
