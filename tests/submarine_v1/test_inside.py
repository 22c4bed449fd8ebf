"""What sessions are told of the service."""

import json

import pytest

from notebooks import lifecycle, services
from notebooks.backends.contract import SessionSpec
from notebooks.backends.fake import FakeBackend
from notebooks.backends.kubernetes.config import read_site
from notebooks.backends.kubernetes.manifests import pod, secret
from notebooks.credentials import run_credential
from notebooks.setup import Setup
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


def test_its_users_own_variables_come_first(begun, settings) -> None:
    settings.SESSIONS_API_URL = "http://web.cluster:8000"
    assert begun(JOB_ID="mine").variables["JOB_ID"] == "mine"


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
