"""Failed sign-ins are counted by network over every place that takes a credential."""

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.checks import people_can_sign_in
from accounts.hashers import LeanArgon2PasswordHasher
from accounts.models import User
from accounts.services import create_token
from submarine_site.core.redis import client
from tests.conftest import browser_of
from tests.factories import PASSWORD
from tests.submarine_v1.conftest import refused
from tests.threads import at_once

pytestmark = pytest.mark.django_db

ALLOWED = 4
TOLD = "Too many failed sign-ins from your network address. Try again in 5 minutes."
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def few(settings) -> None:
    settings.SIGN_IN_FAILURES_PER_NETWORK = ALLOWED


class CountingHasher(LeanArgon2PasswordHasher):
    """Counts the hashes that are computed, of which each takes a millisecond."""

    time_cost = 1
    memory_cost = 8
    computed: list[str] = []

    def encode(self, password: str, salt: str) -> str:
        self.computed.append(password)
        return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        self.computed.append(password)
        return super().verify(password, encoded)


@pytest.fixture
def hashed(settings) -> list[str]:
    """The passwords that a hash was computed of."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.computed.clear()
    return CountingHasher.computed


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def on_page(name: str, password: str, address: str):
    return Client(REMOTE_ADDR=address).post("/sign-in", {"username": name, "password": password})


def by_basic(name: str, password: str, address: str):
    headers = {"Authorization": basic(name, password)}
    return APIClient(REMOTE_ADDR=address, headers=headers).get("/api/v2/me/")


def for_a_token(name: str, password: str, address: str):
    given = {"username": name, "password": password}
    return APIClient(REMOTE_ADDR=address).post("/api/auth/token", given)


def for_the_workbench(name: str, password: str, address: str):
    given = {"username": name, "password": password}
    return APIClient(REMOTE_ADDR=address).post("/api/auth/login", given)


def by_bearer(secret: str, address: str, path: str = "/api/v2/me/"):
    headers = {"Authorization": f"Bearer {secret}"}
    return APIClient(REMOTE_ADDR=address, headers=headers).get(path)


def by_code(code: str, address: str):
    given = {"code": code, "verifier": "v" * 43}
    return APIClient(REMOTE_ADDR=address).post("/api/v2/login/", given)


def by_logout(secret: str, address: str):
    headers = {"Authorization": f"Bearer {secret}"}
    return APIClient(REMOTE_ADDR=address, headers=headers).post("/api/auth/logout")


PASSWORD_DOORS = [on_page, by_basic, for_a_token, for_the_workbench]


BEARERS = {
    "bearer": ("subnb", "/api/v2/me/"),
    "v1 bearer": ("subnb", "/api/v1/notebook"),
    "run": ("subrun", "/api/v2/me/"),
    "v1 run": ("subrun", "/api/v1/notebook"),
    "metrics": ("subnb", "/metrics"),
}
ATTEMPTS: dict[str, Callable[..., Any]] = {
    **{each.__name__: each for each in PASSWORD_DOORS},
    **dict.fromkeys(BEARERS, by_bearer),
    "logout": by_logout,
    "code": by_code,
}
DOORS = list(ATTEMPTS)


def bad_attempt(door: str, number: int, address: str):
    attempt = ATTEMPTS[door]
    if attempt is by_bearer:
        prefix, path = BEARERS[door]
        return by_bearer(f"{prefix}_{number}", address, path)
    if attempt in PASSWORD_DOORS:
        return attempt(f"name-{number}", "Winter2026", address)
    return attempt(f"subnb_{number}", address)


def assert_too_many(response, door: str) -> None:
    assert response.status_code == 429
    if door in {"for_a_token", "for_the_workbench", "v1 bearer", "v1 run", "logout"}:
        assert refused(response, 429, "TOO_MANY_REQUESTS") == TOLD
        # Submarine's clients would sleep that long and say nothing.
        assert "Retry-After" not in response
        return
    assert 1 <= int(response["Retry-After"]) <= 300
    if door == "on_page":
        assert TOLD in response.text
    else:
        assert response.json() == {"code": "too_many_attempts", "message": TOLD}


@pytest.mark.parametrize("door", DOORS)
def test_a_network_that_failed_too_often_is_refused_at_every_door(door: str, hashed) -> None:
    before = [bad_attempt(door, number, HERE).status_code for number in range(ALLOWED)]
    assert 429 not in before
    hashed.clear()
    for number, other in enumerate(DOORS):
        assert_too_many(bad_attempt(other, ALLOWED + number, HERE), other)
    assert hashed == []


@pytest.mark.parametrize("attempt", PASSWORD_DOORS)
def test_one_password_for_all_names_costs_no_more_than_the_limit(
    ada: User, hashed, attempt: Callable
) -> None:
    for number in range(3 * ALLOWED):
        attempt(f"name-{number}", "Winter2026", HERE)
    assert len(hashed) == ALLOWED
    # The right password is not judged either.
    assert attempt("ada", PASSWORD, HERE).status_code == 429
    assert PASSWORD not in hashed


def spend(address: str) -> None:
    for number in range(ALLOWED + 1):
        by_bearer(f"subnb_{number}", address)


def test_others_are_not_locked_out(ada: User, mallory: User) -> None:
    browser = browser_of(ada)
    browser.defaults["REMOTE_ADDR"] = HERE
    secret = create_token(user=ada, name="ci").secret
    spend(HERE)
    assert on_page("mallory", PASSWORD, HERE).status_code == 429
    # Elsewhere everybody signs in, and here what has been let in works on.
    assert on_page("mallory", PASSWORD, THERE).status_code == 302
    assert by_basic("ada", PASSWORD, THERE).status_code == 200
    assert browser.get("/account").status_code == 200
    assert by_bearer(secret, HERE).status_code == 200
    assert by_bearer(secret, HERE, "/api/v1/notebook").status_code == 200


def test_the_right_password_counts_for_nothing_and_forgives_nothing(ada: User) -> None:
    for _ in range(2 * ALLOWED):
        assert by_basic("ada", PASSWORD, HERE).status_code == 200
    for number in range(ALLOWED):
        assert by_basic(f"name-{number}", "x", HERE).status_code == 401
        if number < ALLOWED - 1:
            assert on_page("ada", PASSWORD, HERE).status_code == 302
    assert by_basic("ada", PASSWORD, HERE).status_code == 429


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("64:ff9b::192.0.2.1", "192.0.2.1", "64:ff9b::192.0.2.2"),
        ("::192.0.2.1", "192.0.2.1", "::192.0.2.2"),
        ("2002:c000:201:1::1", "2002:c000:201:2::1", "2002:c000:202:1::1"),
    ],
)
def test_a_network_is_what_one_client_has_to_itself(one: str, same: str, other: str) -> None:
    spend(one)
    assert by_basic("ada", "x", same).status_code == 429
    assert by_basic("ada", "x", other).status_code == 401


def test_a_user_name_is_guessed_no_more_often_from_a_whole_prefix(ada: User, settings) -> None:
    settings.SIGN_IN_FAILURES_PER_NETWORK = 100
    told = [
        on_page("ada", secrets.token_hex(), f"2001:db8::{number}").status_code
        for number in range(1, settings.AXES_FAILURE_LIMIT + 1)
    ]
    assert told == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    locked = on_page("ada", PASSWORD, "2001:db8::ffff")
    assert locked.status_code == 429
    assert locked["Retry-After"] == "300"


def test_a_program_with_an_old_credential_does_not_use_up_what_its_network_has(
    ada: User, settings
) -> None:
    settings.SIGN_IN_FAILURES_PER_NETWORK = settings.AXES_FAILURE_LIMIT + 2
    for _ in range(3 * settings.AXES_FAILURE_LIMIT):
        by_basic("robot", "old", HERE)
        by_bearer("subnb_old", HERE)
    assert by_basic("ada", PASSWORD, HERE).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_than_the_limit_are_hashed(hashed) -> None:
    told = at_once(4 * ALLOWED, lambda number: by_basic(f"n{number}", "x", HERE).status_code)
    assert len(hashed) <= ALLOWED
    assert sorted(told) == [401] * len(hashed) + [429] * (4 * ALLOWED - len(hashed))


def test_while_redis_is_away_each_process_counts_for_itself(ada: User, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/7"
    told = [by_basic(f"name-{number}", "x", HERE).status_code for number in range(ALLOWED + 3)]
    assert told == [401] * ALLOWED + [429] * 3
    assert by_basic("ada", PASSWORD, THERE).status_code == 200


def test_a_network_may_try_again_when_the_window_is_over(ada: User) -> None:
    spend(HERE)
    assert by_basic("ada", PASSWORD, HERE).status_code == 429
    [counted] = [key for key in client().keys("sign-in-failures*") if b"network" in key]
    assert 0 < client().ttl(counted) <= 300
    client().delete(counted)
    assert by_basic("ada", PASSWORD, HERE).status_code == 200


def test_no_password_or_token_is_kept_where_failures_are_counted(ada: User) -> None:
    by_basic("ada", "Winter2026", HERE)
    by_bearer("subnb_secret", HERE)
    kept = str(client().keys("*"))
    assert "network/192.0.2.1" in kept
    assert "Winter" not in kept
    assert "subnb_" not in kept


@pytest.mark.parametrize(("limit", "problems"), [(1, []), (0, ["accounts.E003"])])
def test_a_limit_that_lets_nobody_in_is_refused(settings, limit: int, problems: list[str]) -> None:
    settings.SIGN_IN_FAILURES_PER_NETWORK = limit
    assert [each.id for each in people_can_sign_in()] == problems
