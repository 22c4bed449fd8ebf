"""What a session finds in its environment, and that nobody else finds it anywhere."""

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from notebooks.backends.contract import SessionSpec
from tests.contracts.backend_suite import a_spec, home_of
from tests.notebooks.backends.local.conftest import LocalSite

MakeSite = Callable[[str], LocalSite]

HUNTER = "hunter2-hunter2"


def environment_of(site: LocalSite, spec: SessionSpec) -> dict[str, str]:
    """What the stand-in wrote down of its own."""
    site.await_ready(spec.key)
    lines = (site.home(home_of(spec)) / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_variables_and_secrets_are_in_the_environment(local_site: MakeSite) -> None:
    site = local_site("shows what it has")
    spec = replace(
        a_spec(),
        variables={"MODE": "fast", "EMPTY": "", "HTTPS_PROXY": "http://mine", "X": "$HOME $(id)"},
        secrets={"API_KEY": HUNTER},
    )
    environment = environment_of(site, site.start(spec))
    assert spec.variables.items() | spec.secrets.items() <= environment.items()
    assert "SUBMARINE_SECRETS" not in environment


def test_the_backends_own_variables_stay(local_site: MakeSite) -> None:
    site = local_site("shows what it has")
    spec = replace(
        a_spec(), variables={"PATH": "/evil", "JUPYTER_TOKEN": "x"}, secrets={"HOME": "/evil"}
    )
    environment = environment_of(site, site.start(spec))
    assert environment["PATH"].startswith(str(site.jupyter.parent))
    assert environment["JUPYTER_TOKEN"] == spec.token
    assert environment["HOME"] == str(site.home(home_of(spec)))


def test_secret_files_are_for_the_session_alone_until_it_ends(local_site: MakeSite) -> None:
    site = local_site("shows what it has")
    spec = site.start(replace(a_spec(), secret_files={"key.json": f"{HUNTER}\r\n", "b": "ü"}))
    folder = Path(environment_of(site, spec)["SUBMARINE_SECRETS"])
    assert {file.name: file.read_bytes().decode() for file in folder.iterdir()} == spec.secret_files
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    assert not folder.exists()


def test_secret_files_go_with_a_server_that_crashed(site: LocalSite) -> None:
    spec = site.start(replace(a_spec(), secret_files={"key.json": HUNTER}))
    site.await_ready(spec.key)
    site.crash(spec.key)
    site.backend.stop(spec.key)
    site.await_gone(spec.key)
    assert holders(site, HUNTER) == []


def holders(site: LocalSite, text: str) -> list[Path]:
    """Files below the backend's folders with this text in them."""
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    assert len(files) > 2
    return [path for path in files if text.encode() in path.read_bytes()]


def test_no_command_line_and_no_other_file_holds_a_secret(site: LocalSite) -> None:
    file_text = "the text of a file"
    spec = replace(a_spec(), secrets={"API_KEY": HUNTER}, secret_files={"key.json": file_text})
    site.start(spec)
    site.await_ready(spec.key)
    assert holders(site, HUNTER) == []
    assert holders(site, file_text) == [site.run(spec.key).secrets / "key.json"]
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        assert not any(HUNTER in word or file_text in word for word in words)


def test_large_values_reach_the_server(local_site: MakeSite) -> None:
    site = local_site("shows what it has")
    spec = replace(a_spec(), secrets={f"A{number}": "x" * 64 * 1024 for number in range(8)})
    environment = environment_of(site, site.start(spec))
    assert spec.secrets.items() <= environment.items()


def test_a_spec_does_not_say_its_secrets() -> None:
    spec = replace(a_spec(), secrets={"A": HUNTER}, secret_files={"a": HUNTER})
    assert HUNTER not in repr(spec)
