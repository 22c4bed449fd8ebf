"""Creates that are sent again by their `Idempotency-Key`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tasks
from accounts.idempotency import KEPT
from accounts.models import ApiToken, GitCredential, KeptAnswer, User, UserSecret
from accounts.scopes import Scope
from accounts.services import create_token
from audit.models import AuditEntry
from environments.models import Environment, EnvironmentVersion
from notebooks.models import Bookmark, NotebookSession
from quotas.models import QuotaRequest
from tests.broker import Broker
from tests.conftest import api_of
from tests.factories import (
    EnvironmentFactory,
    LimitFactory,
    ProfileFactory,
    UserFactory,
    VolumeClassFactory,
)
from tests.schema import OPERATIONS
from tests.threads import at_once
from volumes.models import Volume

V2 = "/api/v2"
KEY = "2f1c7c52-5f8e-4b0c-9d1f-0a4a4f0e8f6b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    path: str
    model: type[models.Model]
    body: Mapping[str, Any]
    other: Mapping[str, Any]
    """What makes the body that of another request."""
    bad: Mapping[str, Any]
    """What makes it one that is refused."""


CREATES = {
    "bookmarks_create": Create(
        path="/bookmarks/",
        model=Bookmark,
        body={"name": "mine", "profile": "small", "environment": "notebook-env"},
        other={"name": "other"},
        bad={"profile": "No Such"},
    ),
    "environments_create": Create(
        path="/environments/",
        model=Environment,
        body={"name": "mine", "kernels": [{"name": "science", "pip": ["pandas"]}]},
        other={"description": "Other."},
        bad={"name": "Not A Name"},
    ),
    "environments_versions_create": Create(
        path="/environments/hers/versions/",
        model=EnvironmentVersion,
        body={"note": "Next.", "kernels": [{"name": "science", "pip": ["pandas"]}]},
        other={"note": "Other."},
        bad={"smallest_cpu_milli": -1},
    ),
    "git_credentials_create": Create(
        path="/git-credentials/",
        model=GitCredential,
        body={"name": "mine", "kind": "ssh_key", "hosts": ["git.example.com"]},
        other={"hosts": ["git.example.org"]},
        bad={"hosts": []},
    ),
    "quota_requests_create": Create(
        path="/quota/requests/",
        model=QuotaRequest,
        body={"resource": "cpu_milli", "amount": "8", "why": "A paper."},
        other={"amount": "9"},
        bad={"amount": "1"},
    ),
    "secrets_create": Create(
        path="/secrets/",
        model=UserSecret,
        body={"name": "API_KEY", "kind": "variable", "value": "hunter2-hunter2"},
        other={"value": "other"},
        bad={"name": "PATH"},
    ),
    "sessions_create": Create(
        path="/sessions/",
        model=NotebookSession,
        body={"name": "mine", "profile": "small", "environment": "notebook-env"},
        other={"name": "other"},
        bad={"profile": "none"},
    ),
    "tokens_create": Create(
        path="/tokens/",
        model=ApiToken,
        body={"name": "mine", "scopes": ["read"]},
        other={"scopes": ["launch"]},
        bad={"scopes": []},
    ),
    "volumes_adopt_create": Create(
        path="/volumes/adopt/",
        model=Volume,
        body={"name": "mine", "owner": "olga", "claim": "data-of-olga"},
        other={"claim": "other"},
        bad={"owner": "nobody"},
    ),
    "volumes_create": Create(
        path="/volumes/",
        model=Volume,
        body={"name": "mine", "volume_class": "standard", "size_mib": 1024},
        other={"size_mib": 2048},
        bad={"size_mib": 0},
    ),
}
# They are kept with the session itself.
KEPT_ELSEWHERE = "sessions_create"
KEPT_HERE = [name for name in CREATES if name != KEPT_ELSEWHERE]

every = pytest.mark.parametrize("create", CREATES.values(), ids=list(CREATES))
each_kept = pytest.mark.parametrize("create", [CREATES[name] for name in KEPT_HERE], ids=KEPT_HERE)


@pytest.fixture
def olga(db: None) -> User:
    """An operator, who may make all of them, and can use what they are made of."""
    olga = UserFactory.create(username="olga", is_staff=True, is_superuser=True)
    ProfileFactory.create(name="small")
    EnvironmentFactory.create(name="notebook-env")
    EnvironmentFactory.create(name="hers", owner=olga)
    VolumeClassFactory.create(name="standard")
    LimitFactory.create(resource="cpu_milli", amount=4000)
    return olga


@pytest.fixture
def api(olga: User) -> APIClient:
    return api_of(olga)


def send(api: APIClient, create: Create, key: str = KEY, **change: Any) -> Any:
    return api.post(
        f"{V2}{create.path}", {**create.body, **change}, headers={"Idempotency-Key": key}
    )


def told(response: Any) -> tuple[int, bytes, str | None, str | None]:
    headers = response.headers
    return response.status_code, response.content, headers.get("ETag"), headers.get("Location")


def replayed(response: Any) -> bool:
    return bool(response.headers.get("Idempotency-Replayed") == "true")


def test_every_create_takes_a_key_and_is_in_the_table() -> None:
    creates = {
        name
        for name, each in OPERATIONS.items()
        # Who is nobody yet has no keys: there a code is redeemed, once.
        if "201" in each.said["responses"] and "security" in each.said
    }
    assert creates == CREATES.keys(), "put it into the table"
    assert {name for name, each in OPERATIONS.items() if each.takes("Idempotency-Key")} == creates


@every
def test_the_same_key_makes_one_and_gives_the_same_answer(create: Create, api: APIClient) -> None:
    there = create.model._default_manager.count()
    first = send(api, create)
    done = AuditEntry.objects.count()
    again, once_more = send(api, create), send(api, create)
    assert first.status_code == 201
    assert told(first) == told(again) == told(once_more)
    assert [replayed(each) for each in (first, again, once_more)] == [False, True, True]
    assert create.model._default_manager.count() == there + 1
    assert AuditEntry.objects.count() == done


@every
def test_a_key_with_another_body_is_refused(create: Create, api: APIClient) -> None:
    send(api, create)
    there = create.model._default_manager.count()
    refused = send(api, create, **create.other)
    assert (refused.status_code, refused.json()) == (
        422,
        {
            "code": "idempotency_key_reused",
            "message": "This idempotency key was used for another request.",
        },
    )
    assert create.model._default_manager.count() == there


@every
def test_a_key_that_cannot_be_one_is_refused(create: Create, api: APIClient) -> None:
    there = create.model._default_manager.count()
    for key in ("k" * 201, "k\xe9"):
        refused = send(api, create, key)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
        assert list(refused.json()["fields"]) == ["Idempotency-Key"]
    assert create.model._default_manager.count() == there


@every
def test_what_is_refused_may_be_sent_again_with_its_key(create: Create, api: APIClient) -> None:
    assert send(api, create, **create.bad).status_code == 400
    assert not KeptAnswer.objects.exists()
    made = send(api, create)
    assert (made.status_code, replayed(made)) == (201, False)


@each_kept
def test_without_a_key_nothing_is_kept_or_asked(create: Create, api: APIClient) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert api.post(f"{V2}{create.path}", create.body).status_code == 201
    assert not [each for each in queries if KeptAnswer._meta.db_table in each["sql"]]


@every
def test_the_key_of_another_user_is_another_key(create: Create, api: APIClient) -> None:
    other = UserFactory.create(is_staff=True, is_superuser=True)
    EnvironmentFactory.create(name="his", owner=other)
    path = create.path.replace("hers", "his")
    mine = send(api, create)
    response = api_of(other).post(f"{V2}{path}", create.body, headers={"Idempotency-Key": KEY})
    # Names of environments and of claims are the site's, not of each.
    assert response.status_code in {201, 409}
    assert not replayed(response)
    assert response.content != mine.content


@pytest.mark.django_db(transaction=True)
@every
def test_of_many_at_once_one_makes_it_and_all_are_told(create: Create, olga: User) -> None:
    there = create.model._default_manager.count()
    answers = at_once(8, lambda _: send(api_of(olga), create))
    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert sum(not replayed(each) for each in answers) == 1
    assert create.model._default_manager.count() == there + 1


@pytest.mark.django_db(transaction=True)
def test_whoever_waited_for_one_that_was_refused_does_the_work(
    olga: User,
) -> None:
    """Half of them ask for what cannot be, by the same key."""
    create = CREATES["volumes_create"]

    def ask(number: int) -> Any:
        return send(api_of(olga), create, **(create.bad if number % 2 else {}))

    answers = at_once(8, ask)
    good, bad = answers[::2], answers[1::2]
    assert {each.status_code for each in good} == {201}
    assert {each.status_code for each in bad} <= {400, 422}
    assert sum(not replayed(each) for each in good) == 1
    assert Volume.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_work_is_asked_for_once_it_is_there(olga: User) -> None:
    broker = Broker()
    broker.take()
    create = CREATES["volumes_create"]
    assert send(api_of(olga), create, **create.bad).status_code == 400
    assert broker.take() == []
    send(api_of(olga), create)
    assert len(broker.take()) == 1
    send(api_of(olga), create)
    assert broker.take() == []


def test_a_key_is_of_one_operation(api: APIClient) -> None:
    for name in ("tokens_create", "secrets_create", "volumes_create"):
        made = send(api, CREATES[name])
        assert (made.status_code, replayed(made)) == (201, False)


def test_a_version_of_another_environment_is_another_request(api: APIClient, olga: User) -> None:
    EnvironmentFactory.create(name="another", owner=olga)
    create = CREATES["environments_versions_create"]
    send(api, create)
    refused = api.post(
        f"{V2}/environments/another/versions/", create.body, headers={"Idempotency-Key": KEY}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


def test_a_version_sent_again_is_not_refused_for_what_it_changed_itself(api: APIClient) -> None:
    seen = api.get(f"{V2}/environments/hers/")["ETag"]
    headers = {"Idempotency-Key": KEY, "If-Match": seen}
    first, again = (
        api.post(f"{V2}/environments/hers/versions/", {"note": "Next."}, headers=headers)
        for _ in range(2)
    )
    assert (told(first), replayed(again)) == (told(again), True)


@each_kept
def test_what_is_kept_cannot_be_read_without_the_key(
    create: Create, api: APIClient, settings
) -> None:
    answer = send(api, create)
    kept = KeptAnswer.objects.get()
    stored = repr(list(KeptAnswer.objects.values())).encode() + bytes(kept.sealed)
    assert KEY.encode() not in stored
    for value in answer.json().values():
        if isinstance(value, str) and len(value) > 6:
            assert value.encode() not in stored


def test_the_answer_of_another_row_does_not_open(api: APIClient) -> None:
    for name in ("tokens_create", "secrets_create"):
        send(api, CREATES[name])
    secret, token = KeptAnswer.objects.order_by("operation")
    KeptAnswer.objects.filter(pk=secret.pk).update(sealed=token.sealed)
    answer = send(api, CREATES["secrets_create"])
    assert (answer.status_code, answer.json()["code"]) == (409, "answer_unreadable")


def test_what_opens_no_more_is_said_to_be_there(api: APIClient, settings) -> None:
    create = CREATES["tokens_create"]
    send(api, create)
    there = ApiToken.objects.count()
    settings.SECRET_KEY = "another"
    for change in ({}, create.other):
        answer = send(api, create, **change)
        assert (answer.status_code, answer.json()["code"]) == (409, "answer_unreadable")
    assert ApiToken.objects.count() == there
    assert send(api, create, "another-key").status_code == 201


def test_keys_are_shared_by_tokens_that_may_do_the_same(olga: User) -> None:
    create = CREATES["tokens_create"]

    def by_token(*scopes: Scope) -> Any:
        client = APIClient()
        made = create_token(user=olga, name="program", scopes=scopes)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.secret}")
        return send(client, create)

    first = by_token(Scope.READ, Scope.MANAGE)
    again = by_token(Scope.READ, Scope.MANAGE)
    assert (told(first), replayed(again)) == (told(again), True)
    # It would get a token that it could not make.
    refused = by_token(Scope.MANAGE)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert "token" not in refused.json()


def test_answers_are_kept_for_a_day(api: APIClient) -> None:
    create = CREATES["git_credentials_create"]
    first = send(api, create)
    KeptAnswer.objects.update(created_at=timezone.now() - KEPT + timedelta(minutes=1))
    tasks.clean_up()
    assert replayed(send(api, create))

    KeptAnswer.objects.update(created_at=timezone.now() - KEPT)
    # Until it is cleaned up, it is given still.
    assert told(send(api, create)) == told(first)
    tasks.clean_up()
    assert not KeptAnswer.objects.exists()
    again = send(api, create)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
