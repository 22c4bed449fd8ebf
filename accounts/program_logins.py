"""How a program gets a token of its own, with its user's leave, given in their browser.

The program makes up a secret, the verifier, and sends its user to a page with the verifier's hash,
the challenge. There the user allows it, and is shown a code to paste into the program, which
changes code and verifier together for a token. To whoever sees the code, or made the user open an
address, that alone is worth nothing.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError

from accounts.models import User
from accounts.scopes import ALL_SCOPES, Scope
from accounts.services import NewToken, chosen_scopes, create_token
from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.redis import client
from submarine_site.core.signed import sign, verify
from submarine_site.core.text import clean_name

CODE_LIFE = timedelta(minutes=5)
USUAL_SCOPES = ALL_SCOPES - {Scope.ADMIN}
"""What is proposed to the user where the program does not say what it needs."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_GIVEN = 200


def checked(*, challenge: str, name: str) -> str:
    """The program's name, as its token will have it. Raises `InvalidInput`."""
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidInput.field("challenge", "This address is not one that a program made.")
    return clean_name(name)


def allow(*, user: User, challenge: str, name: str, scopes: Collection[str]) -> str:
    """Return the code that lets the program of this challenge have a token of `user`, within
    `scopes`.

    Raises what `accounts.services.chosen_scopes` does and, while Redis is away, `DomainError` with
    `login_unavailable`.
    """
    kept = {
        "user": user.pk,
        "challenge": challenge,
        "name": checked(challenge=challenge, name=name),
        "scopes": chosen_scopes(user, scopes),
    }
    code = secrets.token_urlsafe(24)
    try:
        client().set(_key(code), sign(_key(code), kept), ex=CODE_LIFE)
    except (RedisError, OSError) as error:
        raise _unavailable() from error
    return code


def redeem(*, code: str, verifier: str) -> NewToken:
    """Spend a code for a token.

    Raises `DomainError` with `bad_code`, `too_many_tokens`, `login_unavailable`, or with
    `beyond_your_scopes` where the user has ceased to be an operator since.
    """
    if max(len(code), len(verifier)) > _MAX_GIVEN:
        raise _bad_code()
    try:
        raw = client().getdel(_key(code))
    except (RedisError, OSError) as error:
        raise _unavailable() from error
    kept: dict[str, Any] | None = verify(_key(code), raw, max_age=CODE_LIFE)
    if kept is None:
        raise _bad_code()
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not secrets.compare_digest(_challenge(verifier), kept["challenge"]):
        raise _bad_code()
    return create_token(user=user, name=kept["name"], scopes=kept["scopes"])


def _challenge(verifier: str) -> str:
    hashed = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def _key(code: str) -> str:
    return f"program-login:{digest(code)}"


def _bad_code() -> DomainError:
    return DomainError(
        "The code is wrong, was used before, or is older than 5 minutes.",
        code="bad_code",
        status=400,
    )


def _unavailable() -> DomainError:
    return DomainError(
        "Programs cannot sign in right now. Try again in a moment.",
        code="login_unavailable",
        status=503,
    )
