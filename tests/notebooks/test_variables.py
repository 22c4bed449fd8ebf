"""A session's variables and the secrets that it picks: what is taken, and what a start gets."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import vault
from accounts.models import User, UserSecret
from environments.models import Environment
from notebooks import inside, lifecycle, services
from notebooks.backends.contract import KernelMount, SessionSpec, VolumeMount
from notebooks.backends.fake import FakeBackend
from notebooks.backends.kubernetes.config import read_site
from notebooks.backends.kubernetes.manifests import pod
from notebooks.backends.local.jupyter import INHERITED
from notebooks.backends.local.jupyter import environment as local_environment
from notebooks.models import NotebookSession
from notebooks.picked_secrets import MAX_PICKED_BYTES, give
from notebooks.setup import Setup
from notebooks.variables import MAX_PICKED, MAX_VARIABLES, MAX_VARIABLES_BYTES
from quotas.models import ResourceProfile
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.resources import Resources
from submarine_site.core.variables import MAX_VALUE
from tests.contracts.backend_suite import a_spec
from tests.sessions import key_of, run_of, state_of, tick
from volumes.contract import VolumeSpec

pytestmark = pytest.mark.usefixtures("small", "plain")

HUNTER = "hunter2-hunter2"


def create(owner: User, *secrets: str, name: str = "", **variables: str) -> NotebookSession:
    return services.create_session(
        owner=owner,
        profile="small",
        environment="notebook-env",
        name=name,
        setup=Setup(variables=variables, secrets=secrets),
    ).session


def keep(owner: User, name: str, kind: str = "variable", value: str = HUNTER) -> UserSecret:
    return vault.keep_secret(owner=owner, name=name, kind=kind, value=value)


def launched(session: NotebookSession, backend: FakeBackend) -> SessionSpec:
    lifecycle.launch(key_of(session))
    return backend.started[-1]


def refused(field: str):
    """It is refused, and this field is said to be at fault."""
    return pytest.raises(InvalidInput, check=lambda error: list(error.fields) == [field])


def notes(session: NotebookSession) -> list[str]:
    return list(session.events.filter(to_status="").values_list("message", flat=True))


def test_a_run_gets_what_was_chosen(ada: User, backend: FakeBackend) -> None:
    keep(ada, "API_KEY")
    keep(ada, "key.json", "file", "{}\n")
    session = create(ada, "key.json", "API_KEY", MODE="fast", EMPTY="", LINES="a\nb $HOME $(id)")
    spec = launched(session, backend)
    assert spec.variables == {"MODE": "fast", "EMPTY": "", "LINES": "a\nb $HOME $(id)"}
    assert spec.secrets == {"API_KEY": HUNTER}
    assert spec.secret_files == {"key.json": "{}\n"}


def test_a_run_of_a_session_without_any_gets_none(ada: User, backend: FakeBackend) -> None:
    keep(ada, "API_KEY")
    spec = launched(create(ada), backend)
    assert (spec.variables, spec.secrets, spec.secret_files) == ({}, {}, {})


def test_each_owner_has_their_own_under_the_same_name(
    ada: User, mallory: User, backend: FakeBackend
) -> None:
    keep(ada, "API_KEY", value="ada's")
    keep(mallory, "API_KEY", value="mallory's")
    sessions = [create(ada, "API_KEY"), create(mallory, "API_KEY")]
    lifecycle.launch(*map(key_of, sessions))
    given = {spec.owner: dict(spec.secrets) for spec in backend.started}
    assert given == {"ada": {"API_KEY": "ada's"}, "mallory": {"API_KEY": "mallory's"}}


def test_the_next_start_gets_the_value_as_it_is_then(ada: User, backend: FakeBackend) -> None:
    secret = keep(ada, "API_KEY")
    session = create(ada, "API_KEY")
    launched(session, backend)
    vault.keep_new_value(secret=secret, value="new")
    services.stop_session(session=session, actor=ada)
    lifecycle.halt(key_of(session))
    backend.settle()
    tick()
    services.start_session(session=session, actor=ada)
    assert launched(session, backend).secrets == {"API_KEY": "new"}


def test_a_deleted_secret_is_left_out_and_the_session_says_so(
    ada: User, backend: FakeBackend
) -> None:
    keep(ada, "KEPT")
    lost = keep(ada, "LOST")
    session = create(ada, "KEPT", "LOST")
    lost.delete()
    assert launched(session, backend).secrets == {"KEPT": HUNTER}
    event = session.events.get(code="secret_missing")
    assert event.message == "Started without secrets that are no longer stored: LOST."
    assert event.run == run_of(session)
    assert state_of(session) == "starting"


def test_a_start_says_which_secrets_it_was_given(ada: User, backend: FakeBackend) -> None:
    keep(ada, "API_KEY")
    keep(ada, "key.json", "file")
    session = create(ada, "API_KEY", "key.json")
    before = timezone.now()
    launched(session, backend)
    lifecycle.launch(key_of(session))
    assert notes(session) == ["Given the secrets: API_KEY, key.json."]
    assert UserSecret.objects.filter(last_used_at__gt=before).count() == 2


def test_a_secret_that_cannot_be_decrypted_fails_its_own_start_alone(
    ada: User, mallory: User, backend: FakeBackend, settings
) -> None:
    keep(ada, "API_KEY")
    session, other = create(ada, "API_KEY"), create(mallory)
    settings.VAULT_KEYS = ["another key, and a long one at that"]
    lifecycle.launch(key_of(session), key_of(other))
    session.refresh_from_db()
    assert (session.status, session.reason_code) == ("failed", "secret_unreadable")
    assert session.reason == "“API_KEY” cannot be decrypted: the key for it is not there any more."
    assert session.explanation is not None
    assert session.explanation.title == "A secret could not be decrypted"
    assert state_of(other) == "starting"
    assert [spec.key for spec in backend.started] == [key_of(other)]


def test_secrets_that_grew_too_large_fail_the_start(ada: User, backend: FakeBackend) -> None:
    secrets = [keep(ada, f"A{number}") for number in range(9)]
    session = create(ada, *(secret.name for secret in secrets))
    for secret in secrets:
        vault.keep_new_value(secret=secret, value="x" * MAX_VALUE)
    lifecycle.launch(key_of(session))
    session.refresh_from_db()
    assert (session.status, session.reason_code) == ("failed", "secrets_too_large")
    assert backend.started == []


def test_what_became_a_secret_is_no_longer_plain(ada: User, backend: FakeBackend) -> None:
    was_file = keep(ada, "TOKEN", "file")
    session = create(ada, "TOKEN", TOKEN="plain")
    was_file.delete()
    keep(ada, "TOKEN")
    spec = launched(session, backend)
    assert (spec.variables, spec.secrets) == ({}, {"TOKEN": HUNTER})


def test_nothing_says_the_value_of_a_secret(
    ada: User, backend: FakeBackend, browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    keep(ada, "API_KEY")
    keep(ada, "key.json", "file")
    session = create(ada, "API_KEY", "key.json", name="analysis")
    with caplog.at_level(0):
        spec = launched(session, backend)
    assert spec.secrets["API_KEY"] == HUNTER
    address = f"/api/v2/sessions/{session.pk}/"
    said = [
        repr(spec),
        caplog.text,
        repr(list(NotebookSession.objects.values())),
        repr(list(session.runs.values())),
        repr(list(session.events.values())),
        *(browser.get(path).text for path in ("/", f"/sessions/{session.pk}", "/sessions/new")),
        *(browser.get(path).text for path in (address, f"{address}events/", "/account")),
    ]
    assert not any(HUNTER in each for each in said)


def test_a_session_without_secrets_asks_the_vault_nothing(
    ada: User, django_assert_num_queries
) -> None:
    sessions = [create(ada, MODE="fast"), create(ada)]
    with django_assert_num_queries(0):
        assert give(sessions) == {}


@pytest.mark.parametrize(
    "variables",
    [
        {"PATH": "/evil"},
        {"LD_PRELOAD": "/evil.so"},
        {"JUPYTER_TOKEN": "known"},
        {"NVIDIA_VISIBLE_DEVICES": "all"},
        {"A B": "x"},
        {"": "x"},
        {"A": "x\0"},
        {"A": "\ud800"},
        {"A": "x" * (MAX_VALUE + 1)},
        {f"A{number}": "" for number in range(MAX_VARIABLES + 1)},
        {f"A{number}": "x" * 1000 for number in range(MAX_VARIABLES_BYTES // 1000 + 1)},
    ],
    ids=[
        "path",
        "loader",
        "token",
        "devices",
        "blank",
        "empty",
        "nul",
        "half a character",
        "large",
        "many",
        "much",
    ],
)
def test_variables_that_will_not_do_are_refused(ada: User, variables: dict[str, str]) -> None:
    with refused("variables"):
        create(ada, **variables)
    assert not NotebookSession.objects.exists()


@pytest.mark.parametrize("name", ["NONE", "", "A\0", "../x", "x" * 1000])
def test_a_secret_that_is_not_there_cannot_be_picked(ada: User, name: str) -> None:
    with refused("secrets"):
        create(ada, name)


def test_another_persons_secret_cannot_be_picked(ada: User, mallory: User) -> None:
    keep(ada, "API_KEY")
    with refused("secrets"):
        create(mallory, "API_KEY")


def test_a_name_is_not_both_a_variable_and_a_secret(ada: User) -> None:
    keep(ada, "API_KEY")
    with refused("variables"):
        create(ada, "API_KEY", API_KEY="plain")


def test_a_file_may_have_the_name_of_a_variable(ada: User, backend: FakeBackend) -> None:
    keep(ada, "TOKEN", "file")
    spec = launched(create(ada, "TOKEN", TOKEN="plain"), backend)
    assert (spec.variables, spec.secret_files) == ({"TOKEN": "plain"}, {"TOKEN": HUNTER})


def test_the_number_and_size_of_picked_secrets_are_bounded(ada: User) -> None:
    with refused("secrets"):
        create(ada, *(f"A{number}" for number in range(MAX_PICKED + 1)))
    names = [f"A{number}" for number in range(MAX_PICKED_BYTES // MAX_VALUE + 1)]
    for name in names:
        keep(ada, name, value="x" * MAX_VALUE)
    with refused("secrets"):
        create(ada, *names)
    create(ada, *names[:-2])


def test_a_secret_picked_twice_is_picked_once(ada: User) -> None:
    keep(ada, "API_KEY")
    assert create(ada, "API_KEY", "API_KEY").setup == {"secrets": ["API_KEY"]}


def test_another_choice_with_the_same_key_is_another_request(
    ada: User, small: ResourceProfile, plain: Environment
) -> None:
    def ask(**variables: str) -> services.Created:
        return services.create_session(
            owner=ada,
            profile=small.name,
            environment=plain.name,
            setup=Setup(variables=variables),
            idempotency_key="k",
        )

    first = ask(MODE="fast")
    assert ask(MODE="fast").session == first.session
    with pytest.raises(DomainError) as reused:
        ask(MODE="slow")
    assert reused.value.code == "idempotency_key_reused"


def set_by_the_service(ada: User) -> Iterator[str]:
    """The names of all variables that sessions get without being asked for."""
    spec = replace(
        a_spec(),
        kernels=(KernelMount(name="a", digest="0" * 64),),
        mounts=(VolumeMount(volume=VolumeSpec(id=uuid4()), path="data"),),
        secret_files={"a": "b"},
        resources=Resources(cpu_milli=50, memory_mib=128, gpus=1),
    )
    [container, *_] = pod(spec, read_site({"store_size": "1Gi"}))["spec"]["containers"]
    yield from (each["name"] for each in container["env"])
    paths = {
        name: Path("/x") for name in ("jupyter", "home", "runtime", "secrets", "rescued", "store")
    }
    of_local = local_environment(spec=spec, **paths)
    yield from (
        name for name in of_local if name.upper() not in INHERITED and not name.startswith("LC_")
    )
    session = create(ada)
    session.refresh_from_db()
    yield from inside.variables_of(session)
    yield from inside.secrets_of(run_of(session))


def test_nobody_sets_what_the_service_sets(ada: User, settings) -> None:
    settings.SESSIONS_API_URL = "http://web.cluster:8000"
    names = set(set_by_the_service(ada))
    assert {"HOME", "JOB_ID", "JUPYTER_PATH", "MEM_LIMIT", "SUBMARINE_SECRETS"} <= names
    for name in sorted(names):
        with refused("variables"):
            create(ada, **{name: "mine"})
        with refused("name"):
            keep(ada, name)


def test_it_is_refused_by_the_api_as_well(api: APIClient) -> None:
    body = {"profile": "small", "environment": "notebook-env", "variables": {"JOB_ID": "x"}}
    answer = api.post("/api/v2/sessions/", body, format="json")
    said = "JOB_ID is set by the service in every session. Use another name."
    assert answer.status_code == 400
    assert answer.json() == {"code": "invalid", "message": said, "fields": {"variables": said}}
    assert not NotebookSession.objects.exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000"])
def test_a_pod_is_told_nothing_of_a_service_on_loopback(settings, starting, url: str) -> None:
    settings.SESSIONS_API_URL, settings.BACKEND = url, "local"
    assert inside.variables_of(starting)["SUBMARINE_URL"] == url
    assert "SUBMARINE_TOKEN" in inside.secrets_of(starting.current_run)
    settings.BACKEND = "kubernetes"
    assert inside.variables_of(starting) == {}
    assert inside.secrets_of(starting.current_run) == {}
