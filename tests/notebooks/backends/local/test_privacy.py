"""What a session is given of the service, and who can see the session's token: nothing, nobody."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from notebooks.backends.contract import SessionSpec
from tests.contracts.backend_suite import home_of
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import LocalSite

MakeSite = Callable[[str], LocalSite]


def written(site: LocalSite, spec: SessionSpec, name: str) -> list[str]:
    """The lines of a file that the stand-in wrote into its home."""
    site.await_ready(spec.key)
    return (site.home(home_of(spec)) / name).read_text().splitlines()


def test_no_command_line_shows_the_token(site: LocalSite) -> None:
    spec = site.start_ready()
    processes = site.processes(spec.key)
    assert len(processes) == 2
    assert not any(spec.token in word for process in processes for word in process.cmdline())


def test_no_file_of_the_service_holds_the_token(site: LocalSite) -> None:
    spec = site.start_ready()
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not any(spec.token.encode() in path.read_bytes() for path in files)


def test_the_log_hides_the_token_also_when_it_comes_in_parts(local_site: MakeSite) -> None:
    site = local_site("tells its token")
    spec = site.start_ready()
    eventually(lambda: "half" in site.backend.logs(spec.key, lines=5))
    assert site.backend.logs(spec.key, lines=5) == "whole [token]\nhalf [token]\n"


def test_a_session_gets_an_allow_list_of_the_environment(
    local_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "of the service")
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    site = local_site("shows what it has")
    spec = site.start()
    environment = dict(line.split("=", 1) for line in written(site, spec, "environment"))
    assert environment["LC_TIME"] == "C.UTF-8"
    assert environment["https_proxy"] == "http://proxy:3128"
    assert environment["HOME"] == str(site.home(home_of(spec)))
    assert "of the service" not in environment.values()


def test_the_notebooks_own_tools_come_first_and_the_services_not_at_all(
    local_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = str(Path(sys.prefix, "bin"))
    monkeypatch.setenv("PATH", f"{service}:/usr/bin:/bin")
    site = local_site("shows what it has")
    spec = site.start()
    environment = dict(line.split("=", 1) for line in written(site, spec, "environment"))
    assert environment["PATH"] == f"{site.jupyter.parent}:/usr/bin:/bin"


def test_a_server_inherits_no_file_but_its_output(local_site: MakeSite) -> None:
    site = local_site("shows what it has")
    spec = site.start()
    files = {line for line in written(site, spec, "descriptors") if not line.startswith("pipe:")}
    assert files == {"/dev/null"}


def test_a_server_starts_with_no_signal_ignored_or_blocked(local_site: MakeSite) -> None:
    site = local_site("shows what it has")
    spec = site.start()
    masks = dict(line.split(":\t", 1) for line in written(site, spec, "signals"))
    # The stand-in is itself a Python, which ignores SIGPIPE and SIGXFSZ; those from 32 on are the
    # C library's own, and come from whatever started the tests.
    assert int(masks["SigIgn"], 16) & 0x7FFF_FFFF & ~(1 << 12 | 1 << 24) == 0
    assert int(masks["SigBlk"], 16) == 0


def test_folders_are_for_the_services_user_alone(site: LocalSite) -> None:
    spec = site.start_ready()
    folders = [path for path in (site.folder).rglob("*") if path.is_dir()]
    assert site.home(home_of(spec)) in folders
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
