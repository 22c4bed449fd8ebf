"""Secrets and git credentials by the API: values go in, and never come out."""

import pytest
from rest_framework.test import APIClient

from accounts import vault
from accounts.models import GitCredential, User, UserSecret
from accounts.ssh_keys import generate
from environments.models import Environment
from notebooks import services
from notebooks.setup import Setup
from quotas.models import ResourceProfile
from submarine_site.core.etags import version_of
from tests.conftest import api_of
from tests.threads import at_once

SECRETS = "/api/v2/secrets/"
CREDENTIALS = "/api/v2/git-credentials/"
HUNTER = "hunter2-hunter2"


def keep(owner: User, name: str = "API_KEY") -> UserSecret:
    return vault.keep_secret(owner=owner, name=name, kind="variable", value=HUNTER)


def test_a_secret_is_stored_and_its_value_not_answered(api: APIClient, ada: User) -> None:
    response = api.post(SECRETS, {"name": "API_KEY", "kind": "variable", "value": f" {HUNTER}\n"})
    assert response.status_code == 201
    secret = UserSecret.objects.get(owner=ada)
    answer = response.json()
    assert (answer.pop("created_at"), answer.pop("updated_at")) != (None, None)
    assert answer == {
        "id": str(secret.pk),
        "name": "API_KEY",
        "kind": "variable",
        "last_used_at": None,
    }
    assert vault.open_secret(secret) == f" {HUNTER}\n"


def test_the_list_shows_ones_own_without_values(
    api: APIClient, ada: User, mallory: User, django_assert_num_queries
) -> None:
    for name in ("A", "B", "C"):
        keep(ada, name)
    keep(mallory)
    with django_assert_num_queries(2):
        response = api.get(SECRETS)
    results = response.json()["results"]
    assert sorted(each["name"] for each in results) == ["A", "B", "C"]
    assert {*results[0]} == {
        *("id", "name", "kind", "created_at", "updated_at", "last_used_at", "sessions")
    }
    assert HUNTER not in response.text


def test_a_list_says_where_each_is_used(
    api: APIClient, ada: User, small: ResourceProfile, plain: Environment
) -> None:
    keep(ada)
    services.create_session(
        owner=ada,
        profile=small.name,
        environment=plain.name,
        name="analysis",
        setup=Setup(secrets=("API_KEY",)),
    )
    assert api.get(SECRETS).json()["results"][0]["sessions"] == ["analysis"]


def test_a_value_is_replaced(api: APIClient, ada: User) -> None:
    secret = keep(ada)
    response = api.put(f"{SECRETS}{secret.pk}/", {"value": "new"})
    assert response.status_code == 200
    assert "new" not in response.text
    secret.refresh_from_db()
    assert vault.open_secret(secret) == "new"


def test_one_is_read_without_its_value(
    api: APIClient, ada: User, django_assert_num_queries
) -> None:
    secret = keep(ada)
    with django_assert_num_queries(2):
        response = api.get(f"{SECRETS}{secret.pk}/")
    assert response.status_code == 200
    assert response.json() == api.get(SECRETS).json()["results"][0]
    assert version_of(response["ETag"]) == version_of(secret.etag)
    assert HUNTER not in response.text


def test_a_value_that_was_replaced_meanwhile_is_not_overwritten(api: APIClient, ada: User) -> None:
    made = api.post(SECRETS, {"name": "API_KEY", "kind": "variable", "value": HUNTER})
    url, seen = f"{SECRETS}{made.json()['id']}/", made["ETag"]
    first = api.put(url, {"value": "one"}, headers={"If-Match": seen})
    assert first.status_code == 200
    assert version_of(first["ETag"]) == version_of(api.get(url)["ETag"])
    assert first["ETag"] != seen
    second = api.put(url, {"value": "two"}, headers={"If-Match": seen})
    assert (second.status_code, second.json()["code"]) == (412, "changed_meanwhile")
    assert vault.open_secret(UserSecret.objects.get()) == "one"
    assert api.put(url, {"value": "three"}, headers={"If-Match": first["ETag"]}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_who_replace_what_they_saw_one_does(ada: User) -> None:
    secret = keep(ada)
    url, seen = f"{SECRETS}{secret.pk}/", {"If-Match": secret.etag}
    answers = at_once(8, lambda n: api_of(ada).put(url, {"value": f"{n}"}, headers=seen))
    assert sorted(each.status_code for each in answers) == [200, *[412] * 7]
    winner = next(n for n, each in enumerate(answers) if each.status_code == 200)
    secret.refresh_from_db()
    assert vault.open_secret(secret) == f"{winner}"


def test_a_deleted_secret_is_gone(api: APIClient, ada: User) -> None:
    secret = keep(ada)
    assert api.delete(f"{SECRETS}{secret.pk}/").status_code == 204
    assert api.delete(f"{SECRETS}{secret.pk}/").status_code == 404
    assert not UserSecret.objects.exists()


def test_nobody_else_can_do_anything_with_it(ada: User, mallory: User) -> None:
    secret = keep(ada)
    stranger = api_of(mallory)
    assert stranger.get(f"{SECRETS}{secret.pk}/").status_code == 404
    assert stranger.put(f"{SECRETS}{secret.pk}/", {"value": "x"}).status_code == 404
    assert stranger.delete(f"{SECRETS}{secret.pk}/").status_code == 404
    secret.refresh_from_db()
    assert vault.open_secret(secret) == HUNTER


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "PATH", "kind": "variable", "value": "x"}, "name"),
        ({"name": "../x", "kind": "file", "value": "x"}, "name"),
        ({"name": "A", "kind": "socket", "value": "x"}, "kind"),
        ({"name": "A", "kind": "variable", "value": ""}, "value"),
        ({"name": "A", "kind": "variable", "value": "a\0"}, "value"),
        ({"name": "A", "kind": "variable", "value": {"a": 1}}, "value"),
        ({"name": "A", "kind": "variable"}, "value"),
        ({"name": "A", "kind": "variable", "value": "x", "owner": "mallory"}, "owner"),
    ],
)
def test_a_bad_secret_is_refused_at_its_field(
    api: APIClient, body: dict[str, object], field: str
) -> None:
    response = api.post(SECRETS, body)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    assert list(response.json()["fields"]) == [field]
    assert not UserSecret.objects.exists()


def test_a_name_that_is_taken_is_refused(api: APIClient, ada: User) -> None:
    keep(ada)
    response = api.post(SECRETS, {"name": "API_KEY", "kind": "file", "value": "x"})
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")


def test_a_token_is_stored_for_its_hosts(api: APIClient, ada: User) -> None:
    body = {"name": "forge", "kind": "token", "hosts": ["Git.Example.com"], "secret": HUNTER}
    response = api.post(CREDENTIALS, body)
    assert response.status_code == 201
    answer = response.json()
    assert answer.pop("id") == str(GitCredential.objects.get().pk)
    assert answer.pop("created_at")
    assert answer == {
        "name": "forge",
        "kind": "token",
        "hosts": ["git.example.com"],
        "username": "git",
        "public_key": "",
        "fingerprint": "",
        "last_used_at": None,
    }
    credential = GitCredential.objects.get()
    given = vault.git_credential_for(user=ada, credential_id=credential.pk, host="git.example.com")
    assert given is not None
    assert given.secret == HUNTER


def test_a_key_that_is_made_shows_its_public_half_alone(api: APIClient) -> None:
    body = {"name": "key", "kind": "ssh_key", "hosts": ["git.example.com"]}
    response = api.post(CREDENTIALS, body)
    assert response.json()["public_key"].startswith("ssh-ed25519 ")
    assert response.json()["fingerprint"].startswith("SHA256:")
    assert "PRIVATE" not in response.text
    assert "PRIVATE" not in api.get(CREDENTIALS).text


def test_a_key_that_is_given_is_known_by_its_fingerprint(api: APIClient) -> None:
    pair = generate()
    body = {"name": "key", "kind": "ssh_key", "hosts": ["a.example"], "secret": pair.private}
    assert api.post(CREDENTIALS, body).json()["fingerprint"] == pair.fingerprint


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hosts": []}, "hosts"),
        ({"hosts": ["https://git.example.com"]}, "hosts"),
        ({"hosts": "git.example.com"}, "hosts"),
        ({"kind": "password"}, "kind"),
        ({"secret": "two\nlines"}, "secret"),
        ({"secret": ""}, "secret"),
        ({"kind": "ssh_key", "secret": "no key"}, "secret"),
        ({"username": "-oProxyCommand=id"}, "username"),
        ({"name": ""}, "name"),
    ],
)
def test_a_bad_credential_is_refused_at_its_field(
    api: APIClient, change: dict[str, object], field: str
) -> None:
    body = {"name": "forge", "kind": "token", "hosts": ["a.example"], "secret": HUNTER}
    response = api.post(CREDENTIALS, body | change)
    assert response.status_code == 400
    assert list(response.json()["fields"]) == [field]
    assert HUNTER not in response.text


def test_the_list_of_credentials_is_ones_own(
    api: APIClient, ada: User, mallory: User, django_assert_num_queries
) -> None:
    for owner, name in ((ada, "a"), (ada, "b"), (mallory, "c")):
        vault.keep_git_credential(
            owner=owner, name=name, kind="token", hosts=["a.example"], secret=HUNTER
        )
    with django_assert_num_queries(2):
        response = api.get(CREDENTIALS)
    assert sorted(each["name"] for each in response.json()["results"]) == ["a", "b"]
    assert HUNTER not in response.text


def test_a_session_is_created_with_variables_and_secrets(
    api: APIClient, ada: User, small: ResourceProfile, plain: Environment
) -> None:
    keep(ada)
    response = api.post(
        "/api/v2/sessions/",
        {
            "profile": small.name,
            "environment": plain.name,
            "variables": {"MODE": " fast "},
            "secrets": ["API_KEY"],
        },
    )
    assert response.status_code == 201
    assert response.json()["variables"] == {"MODE": " fast "}
    assert response.json()["secrets"] == ["API_KEY"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"variables": {"PATH": "/evil"}}, "variables"),
        ({"variables": ["A"]}, "variables"),
        ({"variables": {"A": {"b": "c"}}}, "variables.A"),
        ({"variables": {"A": None}}, "variables.A"),
        ({"secrets": ["NONE"]}, "secrets"),
        ({"secrets": "NONE"}, "secrets"),
        ({"secrets": [{}]}, "secrets.0"),
    ],
)
def test_what_no_session_can_have_is_refused_at_its_field(
    api: APIClient,
    small: ResourceProfile,
    plain: Environment,
    asked: dict[str, object],
    field: str,
) -> None:
    body = {"profile": small.name, "environment": plain.name, **asked}
    response = api.post("/api/v2/sessions/", body)
    assert response.status_code == 400
    assert list(response.json()["fields"]) == [field]
