"""The API takes so many requests a minute of one user, and of nobody else less for it."""

import socket

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import create_token
from tests.conftest import api_of, browser_of
from tests.submarine_v1.conftest import client_of, refused
from tests.threads import at_once

pytestmark = pytest.mark.django_db

PROFILES = "/api/v2/profiles"
ALLOWED = 3


@pytest.fixture(autouse=True)
def few(settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = ALLOWED


def statuses(client: APIClient, count: int) -> list[int]:
    return [client.get(PROFILES).status_code for _ in range(count)]


def test_more_than_is_allowed_is_refused_and_told_when_to_come_again(api: APIClient) -> None:
    assert statuses(api, ALLOWED) == [200] * ALLOWED
    response = api.get(PROFILES)
    seconds = int(response["Retry-After"])
    assert 1 <= seconds <= 60
    assert response.status_code == 429
    assert response.json() == {
        "code": "throttled",
        "message": "Request was throttled. Expected available in "
        f"{seconds} second{'s' if seconds > 1 else ''}.",
    }


def test_what_is_refused_does_nothing(api: APIClient) -> None:
    statuses(api, ALLOWED)
    made = api.post("/api/v2/secrets", {"name": "KEY", "kind": "variable", "value": "v"})
    assert made.status_code == 429
    assert not User.objects.get(username="ada").secrets.exists()


def test_all_credentials_of_a_user_count_together(ada: User) -> None:
    tokens = [create_token(user=ada, name=name).secret for name in ("one", "two", "three")]
    programs = [APIClient(headers={"Authorization": f"Bearer {token}"}) for token in tokens]
    assert [each.get(PROFILES).status_code for each in programs] == [200] * ALLOWED
    assert browser_of(ada).get(PROFILES).status_code == 429


def test_submarines_wire_counts_too_and_answers_in_its_envelope(ada: User) -> None:
    client = client_of(ada)
    for _ in range(ALLOWED):
        assert client.get("/api/v1/notebook").status_code == 200
    response = client.get("/api/v1/notebook")
    assert "available in" in refused(response, 429, "TOO_MANY_REQUESTS")
    # Its clients would sleep that long instead of telling it.
    assert "Retry-After" not in response


def test_another_user_and_the_pages_are_not_held_up(api: APIClient, mallory: User) -> None:
    statuses(api, ALLOWED + 1)
    assert statuses(api_of(mallory), 1) == [200]
    assert browser_of(User.objects.get(username="ada")).get("/").status_code == 200


def test_nobody_signed_in_is_counted_by_address() -> None:
    body = {"code": "x", "verifier": "y"}
    login = "/api/v2/login"
    here, there = APIClient(REMOTE_ADDR="192.0.2.1"), APIClient(REMOTE_ADDR="192.0.2.2")
    told = [here.post(login, body).status_code for _ in range(ALLOWED + 1)]
    assert 429 not in told[:ALLOWED]
    assert told[ALLOWED] == 429
    assert there.post(login, body).status_code != 429


def test_addresses_that_one_machine_has_to_itself_count_together() -> None:
    body = {"code": "x", "verifier": "y"}
    told = [
        APIClient(REMOTE_ADDR=f"2001:db8::{number}").post("/api/v2/login", body).json()["code"]
        for number in range(1, ALLOWED + 2)
    ]
    assert told == ["bad_code"] * ALLOWED + ["throttled"]


def test_none_is_as_many_as_come(api: APIClient, settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 0
    assert statuses(api, ALLOWED + 1) == [200] * (ALLOWED + 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_than_allowed_are_taken(ada: User) -> None:
    told = at_once(12, lambda _: api_of(ada).get(PROFILES).status_code)
    assert sorted(told) == [200] * ALLOWED + [429] * (12 - ALLOWED)


def test_while_redis_is_away_nobody_is_refused(api: APIClient, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert statuses(api, ALLOWED + 1) == [200] * (ALLOWED + 1)


def test_a_redis_that_does_not_answer_is_asked_once_and_then_left_alone(
    api: APIClient, settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        assert statuses(api, ALLOWED + 1) == [200] * (ALLOWED + 1)
        silent.settimeout(0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
