"""Values that no column holds and no text can be made of, in the bodies and queries of the API."""

import json
from collections.abc import Iterator

import pytest

from accounts.models import User
from environments.models import Environment
from quotas.models import ResourceProfile
from tests.conftest import api_of

# As JSON: Python's own writer cannot write all of them.
VALUES = (
    "9" * 4300,
    "9" * 4301,
    "99999999999999999999",
    "1e999",
    "1." + "0" * 5000,
    json.dumps("9" * 5000),
    '"\\ud800"',
    '"\\u0000"',
    json.dumps("a" * 100_000),
    "[" * 500 + "]" * 500,
    "{}",
)
BODIES: dict[str, str] = {
    "POST /api/v2/sessions": (
        '{"profile": V, "environment": V, "name": V, "variables": {"A": V}, "secrets": [V], '
        '"code": [{"url": V, "depth": V, "ref": V}], "volumes": [{"volume": V, "path": V}], '
        '"lifetime_minutes": V}'
    ),
    "POST /api/v2/volumes": '{"name": V, "volume_class": V, "size_mib": V}',
    "POST /api/v2/environments": (
        '{"name": V, "image": V, "smallest_cpu_milli": V, "smallest_memory_mib": V, '
        '"kernels": [{"name": V, "conda": [V], "pip": [V], "channels": [V]}]}'
    ),
    "POST /api/v2/tokens": '{"name": V, "scopes": [V], "expires_in_days": V}',
    "POST /api/v2/quota/requests": '{"resource": V, "amount": V, "why": V, "until": V}',
    "POST /api/v2/quota/check": '{"profile": V}',
    "POST /api/v2/secrets": '{"name": V, "kind": V, "value": V}',
    "POST /api/v2/git-credentials": '{"name": V, "kind": V, "hosts": [V], "secret": V}',
    "POST /api/v2/bookmarks": '{"name": V, "profile": V, "environment": V}',
    "POST /api/v2/login": '{"code": V, "verifier": V}',
    "POST /api/auth/token": '{"username": V, "password": V}',
    "POST /api/v1/notebook": (
        '{"meta": {"name": V}, "environment": {"name": V}, "spec": {"envVars": {"A": V}, '
        '"resources": V, "cpu": V, "memory": V, "gpu": V}}'
    ),
    "POST /api/v1/environment": (
        '{"name": V, "dockerImage": V, "kernelSpec": {"name": V, "condaDependencies": [V]}}'
    ),
}
QUERIES = (
    "/api/v2/sessions?page_size=V&cursor=V&status=V&ordering=V",
    "/api/v2/audit?since=V&until=V&actor=V&object=V&page_size=V",
    "/api/v2/environments?q=V",
    "/api/v2/environments/x/versions/V",
    "/api/v1/notebook?id=V",
    "/api/v1/notebook/notebook_1_V",
    "/api/v1/notebook/V",
)


def one_by_one(template: str, value: str) -> Iterator[str]:
    """The body with the value in one of its places, and in all."""
    parts = template.split("V")
    for place in range(len(parts) - 1):
        values = ['"a"'] * (len(parts) - 1)
        values[place] = value
        yield "".join(f"{part}{each}" for part, each in zip(parts, [*values, ""], strict=True))


@pytest.mark.parametrize("request_", BODIES)
def test_no_value_in_a_body_is_a_fault_of_ours(
    request_: str, ada: User, small: ResourceProfile, plain: Environment
) -> None:
    method, path = request_.split()
    client = api_of(ada)
    client.raise_request_exception = False
    answers = {
        (
            client.generic(method, path, body, content_type="application/json").status_code,
            body[:200],
        )
        for value in VALUES
        for body in one_by_one(BODIES[request_], value)
    }
    assert {answer for answer in answers if answer[0] >= 500} == set()


@pytest.mark.parametrize("accepts", ["application/json", "application/json; indent=2"])
def test_half_of_a_surrogate_pair_is_quoted_as_it_came(ada: User, accepts: str) -> None:
    body = '{"name": "a", "kind": "\\ud800", "value": "a"}'
    answer = api_of(ada).generic(
        "POST", "/api/v2/secrets", body, content_type="application/json", HTTP_ACCEPT=accepts
    )
    assert answer.status_code == 400
    assert answer.json()["fields"] == {"kind": '"\ud800" is not a valid choice.'}


@pytest.mark.parametrize("query", QUERIES)
def test_no_value_in_a_query_is_a_fault_of_ours(query: str, ada: User) -> None:
    client = api_of(ada)
    client.raise_request_exception = False
    values = (
        "9" * 5000,
        "9" * 19,
        "-1",
        "1e999",
        "%00",
        "%ff",
        "%F0%9F%98%80",
        "2026-99-99",
        "a" * 9,
    )
    answers = {(client.get(query.replace("V", value)).status_code, value[:20]) for value in values}
    assert {answer for answer in answers if answer[0] >= 500} == set()
