"""Where the client finds the service's address and a token when it is not told.

In this order: arguments, the variables SUBMARINE_URL and SUBMARINE_TOKEN, and what `subnb login`
has kept. A session has the variables of itself, with a token that reads that session alone: who has
signed in there wants more than that, so that what is kept comes first.
"""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from submarine_client.errors import ConfigurationError

TIMEOUT = 30.0
KEYRING = "submarine-notebooks"
OF_A_RUN = "subrun_"
"""How the tokens begin that sessions have of themselves."""


@dataclass(frozen=True)
class Settings:
    """What a client starts with. `source` says where the token is from."""

    url: str
    token: str = field(repr=False)
    source: str = ""


def settings(url: str | None = None, token: str | None = None) -> Settings:
    """What is given, completed by what is around. Raises `ConfigurationError` without an address.

    A kept token is used for the address alone that it was kept for.
    """
    kept = Kept.load()
    variable = os.environ.get("SUBMARINE_TOKEN", "")
    home = os.environ.get("SUBMARINE_URL", "")
    of_a_run = variable.startswith(OF_A_RUN)
    first, second = (kept.current, home) if of_a_run else (home, kept.current)
    address = url or first or second
    if not address:
        raise ConfigurationError(
            "The service's address is not known.",
            advice="Sign in with `subnb login ADDRESS`, or set SUBMARINE_URL.",
        )
    address = clean_url(address)
    if token:
        return Settings(address, token, "argument")
    # That of the environment belongs to the environment's address, if there is one.
    at_home = not home or clean_url(home) == address
    if variable and at_home and not (of_a_run and address in kept.tokens):
        return Settings(address, variable, "SUBMARINE_TOKEN")
    return Settings(address, kept.token(address), "login")


def clean_url(url: str) -> str:
    """The address without what browsers add. Raises `ConfigurationError` if it is none."""
    given = url if "://" in url else f"https://{url}"
    parts = urlsplit(given.strip())
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ConfigurationError(
            f"This is no address of a service: {url}",
            code="bad_address",
            advice="It looks like https://notebooks.example.com.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def timeout() -> float:
    """For how many seconds an answer is waited for, if nothing else is said."""
    said = os.environ.get("SUBMARINE_TIMEOUT", "")
    try:
        seconds = float(said or TIMEOUT)
    except ValueError:
        seconds = 0.0
    if 0 < seconds < math.inf:
        return seconds
    raise ConfigurationError(
        f"SUBMARINE_TIMEOUT is no number of seconds: {said}", code="bad_timeout"
    )


def file() -> Path:
    """Where logins are kept."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", "~"))
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
    return base.expanduser() / "submarine" / "logins.json"


@dataclass
class Kept:
    """What `subnb login` keeps: the present address, and a token for each address.

    Tokens are in the system's keyring where the package `keyring` is there and works, else in the
    file, which its owner alone can read.
    """

    current: str = ""
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls) -> Kept:
        path = file()
        try:
            if sys.platform != "win32" and path.stat().st_mode & 0o077:
                raise ConfigurationError(
                    f"Others can read {path}.",
                    code="readable_by_others",
                    advice=f"Run `chmod 600 {path}`; if they may have read it, revoke the token.",
                )
            said: Any = json.loads(path.read_text())
            return cls(current=str(said["current"]), tokens=dict(said["tokens"]))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} cannot be read: {error}",
                advice="Remove the file and sign in with `subnb login`.",
            ) from error

    def token(self, url: str) -> str:
        """The token for an address; empty if there is none."""
        if url not in self.tokens:
            return ""
        return self.tokens[url] or _from_keyring(url)

    def keep(self, url: str, token: str) -> str:
        """Keep a token; where: `keyring` or the file's path."""
        self.current = url
        in_keyring = _to_keyring(url, token)
        self.tokens[url] = "" if in_keyring else token
        self._save()
        return "the system's keyring" if in_keyring else str(file())

    def forget(self, url: str) -> None:
        if self.tokens.pop(url, None) == "":
            keyring = _keyring()
            with suppress(Exception):
                keyring.delete_password(KEYRING, url)
        if self.current == url:
            self.current = next(iter(self.tokens), "")
        self._save()

    def _save(self) -> None:
        path = file()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as out:
            json.dump({"current": self.current, "tokens": self.tokens}, out, indent=2)
        new.replace(path)


def _keyring() -> Any:
    try:
        import keyring  # type: ignore[import-not-found]
    except ImportError:
        return None
    return keyring


def _to_keyring(url: str, token: str) -> bool:
    keyring = _keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(KEYRING, url, token)
        return bool(keyring.get_password(KEYRING, url) == token)
    except Exception:  # noqa: BLE001 - a keyring that does not work, in whatever way
        return False


def _from_keyring(url: str) -> str:
    keyring = _keyring()
    token = None
    with suppress(Exception):
        token = keyring.get_password(KEYRING, url)
    if not token:
        raise ConfigurationError(
            "The system's keyring does not give the token.",
            advice="Unlock it, or sign in again with `subnb login`.",
        )
    return str(token)
