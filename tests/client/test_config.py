"""Where address and token come from, and where they are kept."""

import json
import sys
from pathlib import Path

import pytest

from submarine_client.config import Kept, clean_url, file, settings
from submarine_client.errors import ConfigurationError
from tests.client.bad_server import BadServer, refused, said
from tests.client.conftest import command
from tests.client.test_faults import ME

ONE, TWO = "https://one.example.com", "https://two.example.com"


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUBMARINE_URL", "SUBMARINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_login_is_kept_in_a_file_of_ones_own() -> None:
    Kept.load().keep(ONE, "subnb_one")

    assert (settings().url, settings().token) == (ONE, "subnb_one")
    assert file().stat().st_mode & 0o777 == 0o600
    assert file().parent.stat().st_mode & 0o777 == 0o700
    assert list(file().parent.iterdir()) == [file()]
    assert "subnb_one" not in repr(settings()) + repr(Kept.load())


class Keyring:
    """A keyring of a system; locked, it fails as those do."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def set_password(self, service: str, name: str, password: str) -> None:
        self._open()[service, name] = password

    def get_password(self, service: str, name: str) -> str | None:
        return self._open().get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        del self._open()[service, name]

    def _open(self) -> dict[tuple[str, str], str]:
        if self.is_locked:
            raise RuntimeError
        return self.kept


def test_a_token_is_in_the_keyring_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert Kept.load().keep(ONE, "subnb_one") == "the system's keyring"

    assert "subnb_one" not in file().read_text()
    assert settings().token == "subnb_one"
    keyring.is_locked = True
    with pytest.raises(ConfigurationError, match="keyring does not give the token"):
        settings()
    assert settings(token="subnb_two").token == "subnb_two"

    keyring.is_locked = False
    Kept.load().forget(ONE)
    assert (keyring.kept, Kept.load().tokens) == ({}, {})


def test_a_keyring_that_does_not_work_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring()
    keyring.is_locked = True
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert Kept.load().keep(ONE, "subnb_one") == str(file())
    assert settings().token == "subnb_one"


def test_a_file_that_others_can_read_is_refused() -> None:
    Kept.load().keep(ONE, "subnb_one")
    file().chmod(0o644)

    with pytest.raises(ConfigurationError) as raised:
        settings()

    assert raised.value.code == "readable_by_others"
    assert "chmod 600" in raised.value.advice


@pytest.mark.parametrize("text", ["", "{", "[]", '{"current": 1}', '{"tokens": []}'])
def test_a_broken_file_is_said_to_be_broken(text: str) -> None:
    Kept.load().keep(ONE, "subnb_one")
    file().write_text(text)

    with pytest.raises(ConfigurationError, match="cannot be read"):
        settings()


def test_arguments_come_first_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Kept.load().keep(ONE, "subnb_one")
    monkeypatch.setenv("SUBMARINE_URL", TWO)
    monkeypatch.setenv("SUBMARINE_TOKEN", "subnb_two")

    assert (settings().url, settings().token) == (TWO, "subnb_two")
    assert (settings(ONE).url, settings(ONE).token) == (ONE, "subnb_one")
    assert (settings(token="subnb_three").url, settings(token="subnb_three").token) == (
        TWO,
        "subnb_three",
    )


def test_a_token_is_for_its_own_address_alone() -> None:
    Kept.load().keep(ONE, "subnb_one")
    assert settings(TWO).token == ""

    kept = Kept.load()
    kept.keep(TWO, "subnb_two")
    assert (settings().url, settings(ONE).token) == (TWO, "subnb_one")
    kept.forget(TWO)
    assert (settings().url, settings(TWO).token) == (ONE, "")


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("notebooks.example.com", "https://notebooks.example.com"),
        ("HTTPS://Notebooks.example.com:8443/sessions/?a#b", "https://notebooks.example.com:8443"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ],
)
def test_an_address_may_be_given_as_a_browser_has_it(given: str, clean: str) -> None:
    assert clean_url(given) == clean


@pytest.mark.parametrize("given", ["", "ftp://a", "https://", "https://me:secret@a"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        clean_url(given)
    assert raised.value.code == "bad_address"


def test_login_keeps_a_token_that_works_alone(server: BadServer, tmp_path: Path) -> None:
    subnb = command(tmp_path)
    server.plays(refused(401, "bad_token", "The API token is unknown."))

    done = subnb("login", server.url, typed="subnb_wrong\n")
    assert (done.returncode, file().exists()) == (3, False)

    server.plays(said(ME))
    done = subnb("login", f"{server.url}/account", typed="subnb_right\n")
    assert done.returncode == 0
    assert f"Signed in to {server.url} as demo." in done.stderr
    assert "subnb_right" not in done.stderr + done.stdout
    assert json.loads(file().read_text()) == {
        "current": server.url,
        "tokens": {server.url: "subnb_right"},
    }
    assert subnb("whoami").stdout == f"demo at {server.url}\n"
    assert server.asked[-1].headers["Authorization"] == "Bearer subnb_right"

    assert subnb("logout").returncode == 0
    assert subnb("whoami").returncode == 3


def test_in_a_session_its_own_token_serves_until_somebody_signs_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUBMARINE_URL", TWO)
    monkeypatch.setenv("SUBMARINE_TOKEN", "subrun_two")
    assert (settings().url, settings().token) == (TWO, "subrun_two")
    assert settings(url=ONE).token == ""

    Kept.load().keep(ONE, "subnb_one")
    assert (settings().url, settings().token) == (ONE, "subnb_one")
    assert settings(url=TWO).token == "subrun_two"
    Kept.load().keep(TWO, "subnb_two")
    assert settings(url=TWO).token == "subnb_two"
    monkeypatch.setenv("SUBMARINE_TOKEN", "subnb_three")
    assert (settings().url, settings().token) == (TWO, "subnb_three")
