"""Repositories fetched by ssh."""

from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from notebooks.backends.fetcher.outcome import Outcome
from notebooks.backends.fetcher.request import Access, Source
from tests.git_server import GitServer
from tests.notebooks.backends.fetcher.conftest import Fetch
from tests.ssh_server import SshServer, ssh_server


@pytest.fixture(scope="module")
def ssh(server: GitServer) -> Iterator[SshServer]:
    with ssh_server(server.folder) as serving:
        yield serving


@pytest.fixture
def key(ssh: SshServer) -> Access:
    return Access(hosts=(f"127.0.0.1:{ssh.port}",), ssh_key=ssh.private_key)


def test_it_comes_with_a_key(
    server: GitServer, ssh: SshServer, key: Access, home: Path, fetch: Fetch
) -> None:
    server.repository("by-ssh.git", {"notes.txt": "one\n"})
    source = Source(ssh.url("by-ssh.git"), "code", access=key)
    assert fetch(source, known_hosts=ssh.known_hosts) == [Outcome("fetched")]
    assert (home / "code/notes.txt").read_text() == "one\n"


def test_a_host_that_the_site_does_not_know_is_refused(
    ssh: SshServer, key: Access, fetch: Fetch
) -> None:
    ssh.asked.clear()
    [outcome] = fetch(Source(ssh.url("by-ssh.git"), "code", access=key))
    assert outcome.code == "code_host_unknown"
    assert ssh.asked == []


def test_a_host_with_another_key_than_the_site_knows_is_refused(
    ssh: SshServer, key: Access, fetch: Fetch
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known = f"[127.0.0.1]:{ssh.port} {other}"
    [outcome] = fetch(Source(ssh.url("by-ssh.git"), "code", access=key), known_hosts=known)
    assert outcome.code == "code_host_unknown"


def test_a_key_is_for_its_own_hosts_alone(ssh: SshServer, fetch: Fetch) -> None:
    elsewhere = Access(hosts=("git.example.com:22",), ssh_key=ssh.private_key)
    source = Source(ssh.url("by-ssh.git"), "code", access=elsewhere)
    [outcome] = fetch(source, known_hosts=ssh.known_hosts)
    assert outcome.code == "code_no_access"


def test_addresses_of_this_machine_are_refused(ssh: SshServer, key: Access, fetch: Fetch) -> None:
    ssh.asked.clear()
    [outcome] = fetch(Source(ssh.url("a.git"), "code", access=key), allowed_networks=())
    assert outcome.code == "code_refused"
    assert ssh.asked == []


def test_one_that_is_not_there_is_told(ssh: SshServer, key: Access, fetch: Fetch) -> None:
    source = Source(ssh.url("none.git"), "code", access=key)
    [outcome] = fetch(source, known_hosts=ssh.known_hosts)
    assert outcome.code == "code_not_found"


def test_a_name_that_nobody_knows_is_told(fetch: Fetch) -> None:
    [outcome] = fetch(Source("git@git.invalid:a/b.git", "code"))
    assert outcome == Outcome(
        "failed",
        "code_host_unknown",
        "The host git.invalid could not be found (DNS lookup failed: no such name). Check the URL "
        "of the repository.",
    )
