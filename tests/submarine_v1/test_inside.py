"""What sessions are told of the service."""

import json

import pytest

from accounts import vault
from accounts.models import UserSecret
from notebooks import lifecycle, services
from notebooks.backends.contract import SessionSpec
from notebooks.backends.fake import FakeBackend
from notebooks.backends.kubernetes.config import read_site
from notebooks.backends.kubernetes.manifests import pod, secret
from notebooks.credentials import run_credential
from notebooks.models import Run
from notebooks.setup import Setup
from submarine_site.core.errors import InvalidInput
from tests.sessions import key_of

pytestmark = pytest.mark.usefixtures("small", "plain")


@pytest.fixture
def begun(ada, backend: FakeBackend):
    """What a session is begun with that sets these variables of its own."""

    def begin(**variables: str) -> SessionSpec:
        session = services.create_session(
            owner=ada,
            profile="small",
            environment="notebook-env",
            setup=Setup(variables=variables),
        ).session
        lifecycle.launch(key_of(session))
        return backend.started[-1]

    return begin


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://web.cluster:8000", "web.cluster", "8000"),
        ("http://web.cluster", "web.cluster", "80"),
        ("http://[::1]:8000", "[::1]", "8000"),
    ],
)
def test_it_is_told_where_the_service_is_and_who_it_is(
    begun, settings, url: str, host: str, port: str
) -> None:
    settings.SESSIONS_API_URL = url
    spec = begun()
    credential = run_credential(spec.key.run_id)
    assert spec.secrets == {
        "SUBMARINE_TOKEN": credential,
        "SUBMARINE_SERVER_DNS_NAME": host,
        "SUBMARINE_SERVER_PORT": f"{port}/s/{credential}",
    }
    assert spec.variables["NB_PREFIX"] == f"/session/{spec.key.session_id}"
    assert spec.variables["JOB_ID"].startswith("notebook_")
    assert spec.variables["SUBMARINE_URL"] == url
    assert spec.variables["SUBMARINE_SESSION_ID"] == str(spec.key.session_id)
    assert credential not in repr(spec)


@pytest.mark.parametrize("name", ["JOB_ID", "NB_PREFIX", "SUBMARINE_TOKEN", "SUBMARINE_URL"])
def test_its_users_cannot_set_them(begun, settings, name: str) -> None:
    settings.SESSIONS_API_URL = "http://web.cluster:8000"
    with pytest.raises(InvalidInput) as refusal:
        begun(**{name: "mine"})
    said = f"{name} is set by the service in every session. Use another name."
    assert refusal.value.fields == {"variables": said}


def test_those_that_were_set_when_it_was_allowed_are_without_effect(
    begun, settings, ada, backend: FakeBackend
) -> None:
    settings.SESSIONS_API_URL = "http://web.cluster:8000"
    secret = vault.keep_secret(owner=ada, name="MINE", kind="variable", value="mine")
    UserSecret.objects.filter(pk=secret.pk).update(name="JOB_ID")
    session = services.create_session(
        owner=ada, profile="small", environment="notebook-env", name="older"
    ).session
    Run.objects.update(
        setup=Setup(variables={"NB_PREFIX": "x", "A": "1"}, secrets=("JOB_ID",)).as_json()
    )
    lifecycle.launch(key_of(session))
    spec = backend.started[-1]
    assert spec.variables["NB_PREFIX"] == f"/session/{session.pk}"
    assert spec.variables["JOB_ID"].startswith("notebook_")
    assert spec.variables["A"] == "1"
    assert "JOB_ID" not in spec.secrets


def test_where_it_cannot_reach_the_service_it_is_told_nothing(begun) -> None:
    spec = begun()
    assert (spec.variables, spec.secrets) == ({}, {})


def test_in_a_cluster_the_credential_is_in_the_runs_secret_alone(begun, settings) -> None:
    settings.SESSIONS_API_URL = "http://web.cluster:8000"
    spec, site = begun(), read_site({})
    credential = run_credential(spec.key.run_id)
    assert credential in json.dumps(secret(spec, site))
    assert credential not in json.dumps(pod(spec, site))
    variables = pod(spec, site)["spec"]["containers"][0]["env"]
    for name in ("SUBMARINE_SERVER_PORT", "SUBMARINE_TOKEN"):
        [found] = [each for each in variables if each["name"] == name]
        assert list(found["valueFrom"]) == ["secretKeyRef"]
