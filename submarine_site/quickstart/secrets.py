"""What is made up once for a data folder and kept there: the secret key and the first users."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.folders import write_private

ROLES = {"admin": "admin", "demo": "user"}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Someone who can sign in from the first start on."""

    name: str
    password: str = field(repr=False)
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The contents of the file."""

    secret_key: str = field(repr=False)
    users: tuple[User, ...]

    def users_json(self) -> list[dict[str, str]]:
        """The users as `quickstart.json` and `manage.py prepare` have them."""
        return [asdict(user) for user in self.users]


def kept_in(data: Path) -> Secrets:
    """Read them, or make them up. They are stored before they are used anywhere."""
    path = data / "secrets.json"
    try:
        stored = json.loads(path.read_text())
        return Secrets(
            secret_key=stored["secret_key"],
            users=tuple(User(**user) for user in stored["users"]),
        )
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError):
        raise QuickstartError(
            f"{path} is damaged: restore it, or remove it and get new passwords."
        ) from None
    made = Secrets(
        secret_key=secrets.token_urlsafe(50),
        users=tuple(
            User(name=name, password=secrets.token_urlsafe(12), role=role)
            for name, role in ROLES.items()
        ),
    )
    write_private(path, json.dumps(asdict(made), indent=2))
    return made
