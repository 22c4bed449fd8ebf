"""The examples in the schema are true: every body has one, of the form that its schema says, and
the API takes and answers what they show.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db.models import Model
from jsonschema_rs import Draft202012Validator
from rest_framework.test import APIClient

from accounts import program_logins
from accounts.models import ApiToken, GitCredential, User, UserSecret
from audit.examples import EXPORT
from audit.export import COLUMNS
from environments.models import Build, Environment
from notebooks.backends.fake import FakeBackend
from notebooks.models import Bookmark, NotebookSession, Run
from quotas.models import Limit, QuotaRequest
from submarine_site.core.examples import ENVIRONMENT, PROFILE
from tests.examples.world import build_world
from tests.factories import SessionFactory
from volumes.models import Volume

SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "docs/openapi.yaml").read_text())
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method, path, operation)
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
}
JSON = "application/json"


def bodies() -> Iterator[Any]:
    """Every body that there is in the schema, with the place where it is."""
    for key, (_, _, operation) in OPERATIONS.items():
        places = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for place, body in places.items():
            for media_type, media in body.get("content", {}).items():
                yield pytest.param(media, id=f"{key}-{place}-{media_type}")


@pytest.mark.parametrize("media", [*bodies()])
def test_every_body_has_examples_that_are_as_its_schema_says(media: dict[str, Any]) -> None:
    assert media["examples"]
    check = Draft202012Validator(
        {**media["schema"], "components": SCHEMA["components"]}, validate_formats=True
    )
    for example in media["examples"].values():
        assert [error.message for error in check.iter_errors(example["value"])] == []


def test_an_example_that_is_not_is_found() -> None:
    check = Draft202012Validator(
        {"$ref": "#/components/schemas/Token", "components": SCHEMA["components"]},
        validate_formats=True,
    )
    wrong = {"id": "7", "created_at": "yesterday"}
    assert {
        error.instance_path[0] for error in check.iter_errors(wrong) if error.instance_path
    } == {"id", "created_at"}


@pytest.fixture
def ada(db: None) -> User:
    return build_world()


@pytest.fixture
def program(ada: User, operator: User) -> Callable[[str], APIClient]:
    """What asks for an operation: Ada's program, where it takes no operator."""

    def of(key: str) -> APIClient:
        client = APIClient()
        if key == "volumes_adopt_create":
            client.force_authenticate(operator)
        else:
            # The stubs know no other tokens than DRF's.
            client.force_authenticate(ada, ApiToken.objects.get())  # type: ignore[arg-type]
        return client

    return of


def sessions_are(status: str) -> Callable[[], object]:
    return lambda: NotebookSession.objects.update(status=status)


def volumes_are(**values: Any) -> Callable[[], object]:
    def prepare() -> None:
        # In the trash it cannot be attached.
        NotebookSession.objects.update(setup={})
        Volume.objects.update(**values)

    return prepare


def another_has_its_name(model: type[Model]) -> Callable[[], object]:
    return lambda: model._default_manager.update(name="other")


def the_session_has_a_log() -> None:
    Run.objects.update(log_tail="The end.")


def most_memory_is_in_use() -> None:
    Limit.objects.filter(scope="default").update(amount=3072)
    session = NotebookSession.objects.get()
    SessionFactory.create(owner=session.owner, profile=session.profile, status="running")


def environments_are_others() -> None:
    Environment.objects.filter(name=ENVIRONMENT).update(name="other")


def nothing_is_asked_for() -> None:
    QuotaRequest.objects.all().delete()


# What is otherwise than in the world before an operation can be done.
PREPARED: dict[str, Callable[[], object]] = {
    "bookmarks_create": another_has_its_name(Bookmark),
    "builds_retry_create": lambda: Build.objects.update(state="failed"),
    "environments_create": environments_are_others,
    "git_credentials_create": another_has_its_name(GitCredential),
    "quota_check_create": most_memory_is_in_use,
    "quota_requests_create": nothing_is_asked_for,
    "secrets_create": another_has_its_name(UserSecret),
    "sessions_create": another_has_its_name(NotebookSession),
    "sessions_logs_retrieve": the_session_has_a_log,
    "sessions_open_create": sessions_are("running"),
    "sessions_stop_create": sessions_are("running"),
    "volumes_create": another_has_its_name(Volume),
    "volumes_restore_create": volumes_are(state="trashed"),
    "volumes_retry_create": volumes_are(state="failed"),
}

OF_PATHS: dict[str, type[Model]] = {
    "bookmarks": Bookmark,
    "builds": Build,
    "git-credentials": GitCredential,
    "quota": QuotaRequest,
    "secrets": UserSecret,
    "sessions": NotebookSession,
    "tokens": ApiToken,
    "volumes": Volume,
}


def address(path: str) -> str:
    """An address of the schema, of what is in the world."""
    of = path.split("/")[3]
    if "{name}" in path:
        name = {"environments": ENVIRONMENT, "profiles": PROFILE, "volume-classes": "standard"}[of]
        return path.format(name=name, number=1)
    if "{" not in path:
        return path
    one: Any = OF_PATHS[of]._default_manager.get()
    return path.format(id=one.pk, digest=getattr(one, "digest", ""))


def example_of(content: dict[str, Any]) -> Any:
    (example,) = content["examples"].values()
    return example["value"]


def request_of(operation: dict[str, Any]) -> Any:
    body = operation.get("requestBody")
    return example_of(body["content"][JSON]) if body else None


TOLD = {
    key: (status, answer["content"][JSON])
    for key, (_, _, operation) in OPERATIONS.items()
    for status, answer in operation["responses"].items()
    if status.startswith("2") and JSON in answer.get("content", {})
}


def check_keys(example: Any, answer: Any, place: str) -> None:
    """One has the keys of the other, all the way down; what is empty in either says nothing."""
    assert type(example) is type(answer) or None in (example, answer), place
    if isinstance(example, dict) and example and answer:
        assert example.keys() == answer.keys(), place
        for name, value in example.items():
            check_keys(value, answer[name], f"{place}.{name}")
    if isinstance(example, list) and example and answer:
        check_keys(example[0], answer[0], f"{place}[0]")


@pytest.mark.parametrize("key", TOLD)
def test_what_an_example_asks_for_is_answered_as_its_example_says(
    key: str, ada: User, program: Callable[[str], APIClient], backend: FakeBackend
) -> None:
    method, path, operation = OPERATIONS[key]
    status, content = TOLD[key]
    sent = request_of(operation)
    if key == "volumes_adopt_create":
        backend.claims.add(sent["claim"])
        another_has_its_name(Volume)()
    if key == "login_create":
        sent = {**sent, "code": code_for(ada, sent["verifier"])}
    PREPARED.get(key, lambda: None)()

    answer = program(key).generic(method, address(path), *as_json(sent))

    assert answer.status_code == int(status), answer.content
    documented = operation["responses"][status].get("headers", {})
    assert {*documented} - {"Idempotency-Replayed"} == {"ETag", "Location"} & {*answer.headers}
    told = answer.json()
    assert told
    assert told.get("results") != [] if isinstance(told, dict) else told != []
    check_keys(example_of(content), told, key)


def as_json(sent: Any) -> tuple[Any, ...]:

    return (json.dumps(sent), JSON) if sent is not None else ()


def test_the_log_as_csv_has_the_columns_of_its_example() -> None:
    assert EXPORT.splitlines()[0] == ",".join(COLUMNS)


def code_for(user: User, verifier: str) -> str:
    """What the user of a program with this verifier is shown."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return program_logins.allow(
        user=user, challenge=challenge.decode().rstrip("="), name="subnb", scopes=["read"]
    )


@pytest.mark.parametrize("key", OPERATIONS)
def test_the_error_that_an_operation_shows_is_answered_so(
    key: str, program: Callable[[str], APIClient]
) -> None:
    method, path, operation = OPERATIONS[key]
    shown = example_of(operation["responses"]["default"]["content"][JSON])
    sent = request_of(operation)
    asker, at = program(key), address(path)
    match shown["code"]:
        case "over_quota":
            most_memory_is_in_use()
            sent = {**sent, "name": "another"} if key == "sessions_create" else sent
        case "invalid":
            sent = {**sent, **dict.fromkeys(shown["fields"], "red")}
        case _:
            asker = APIClient()

    answer = asker.generic(method, at, *as_json(sent))

    assert answer.status_code >= 400
    assert answer.json() == shown
