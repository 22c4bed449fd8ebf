"""Notebooks as Submarine's clients make, read and delete them."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from environments.models import Environment
from notebooks.backends.contract import Phase, PhaseTime
from notebooks.credentials import run_credential
from notebooks.models import NotebookSession, Run
from notebooks.phases import as_json
from notebooks.setup import Setup
from quotas.models import ResourceProfile
from tests.conftest import browser_of
from tests.factories import (
    EnvironmentFactory,
    LimitFactory,
    ProfileFactory,
    SessionFactory,
    VolumeFactory,
)
from tests.submarine_v1.conftest import NOTEBOOK, client_of, refused, result_of

pytestmark = pytest.mark.django_db

CREATED = "Create a notebook instance"
FOUND = "Get the notebook instance"
LISTED = "List all notebook instances"


def spec(name: str = "test-nb", **pod: object) -> dict[str, object]:
    return {
        "meta": {
            "name": name,
            "namespace": "default",
            "ownerId": "e9ca23d68d884d4ebb19d07889727dae",
        },
        "environment": {"name": "notebook-env"},
        "spec": pod,
    }


def post(client: APIClient, body: object, **options: Any):
    return client.post(NOTEBOOK, body, format="json", **options)


@pytest.fixture(autouse=True)
def _catalogue(small: ResourceProfile, plain: Environment) -> None:
    pass


def test_one_is_made_with_every_key(client: APIClient, ada: User) -> None:
    body = spec("Test-NB", envVars={"TEST_ENV": "test"}, resources="cpu=1,memory=1.0Gi")
    made = result_of(post(client, body), CREATED)
    session = NotebookSession.objects.get()
    run = session.current_run
    assert run is not None
    assert (session.owner, session.name, session.profile.name) == (ada, "test-nb", "small")
    notebook_id = made["notebookId"]
    assert re.fullmatch(r"notebook_[0-9]{13}_[0-9]{4,}", notebook_id)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["createdTime"])
    assert made == {
        "notebookId": notebook_id,
        "name": "test-nb",
        "uid": str(run.pk),
        "url": f"/notebook/default/{notebook_id}/lab",
        "status": "creating",
        "reason": "The notebook instance is creating",
        "createdTime": made["createdTime"],
        "deletedTime": None,
        "spec": {
            "meta": {
                "name": "test-nb",
                "namespace": "default",
                "ownerId": str(ada.pk),
                "labels": None,
            },
            "environment": {
                "name": "notebook-env",
                "dockerImage": "example/notebook:1",
                "kernelSpec": {
                    "name": "python3",
                    "channels": [],
                    "condaDependencies": [],
                    "pipDependencies": [],
                },
                "description": None,
                "image": None,
            },
            "spec": {
                "envVars": {"TEST_ENV": "test"},
                "resources": "cpu=1,memory=2Gi",
                "profile": "small",
                "code": None,
                "volumes": [],
            },
        },
    }


def test_it_is_found_again_under_its_id(client: APIClient) -> None:
    made = result_of(post(client, spec()), CREATED)
    assert result_of(client.get(f"{NOTEBOOK}/{made['notebookId']}"), FOUND) == made
    assert result_of(client.get(f"{NOTEBOOK}/{made['notebookId']}/"), FOUND) == made
    assert result_of(client.get(NOTEBOOK), LISTED) == [made]


def test_yaml_is_as_good_as_json(client: APIClient) -> None:
    body = "meta:\n  name: test-nb\nenvironment: {name: notebook-env}\nspec:\n  resources: cpu=1\n"
    made = client.post(f"{NOTEBOOK}/", body, content_type="application/yaml")
    assert result_of(made, CREATED)["name"] == "test-nb"


AS_WRITTEN = {
    "A": "1",
    "B": "yes",
    "C": "1.0",
    "D": "1.50",
    "E": "2024-01-01",
    "F": "0x10",
    "G": "010",
    "H": "True",
    "I": "1_000",
    "J": "190:20:30",
    "K": "1e3",
    "L": ".inf",
    "M": "null",
    "N": "~",
    "O": "",
    "P": "=",
}


def test_scalars_of_yaml_are_taken_as_they_are_written(client: APIClient) -> None:
    variables = "".join(f"    {name}: {value}\n" for name, value in AS_WRITTEN.items())
    body = (
        "meta: {name: 123, ownerId: 7, labels: {a: 1}}\n"
        "environment: {name: notebook-env, kernelSpec: {a: 1}}\n"
        f"spec:\n  cpu: 1\n  memory: 1073741824\n  gpu: 0\n  envVars:\n{variables}"
    )
    made = result_of(client.post(NOTEBOOK, body, content_type="application/yaml"), CREATED)
    assert made["name"] == "123"
    assert made["spec"]["spec"]["envVars"] == AS_WRITTEN
    assert made["spec"]["spec"]["profile"] == "small"


def test_scalars_of_json_are_taken_as_they_are_written(client: APIClient) -> None:
    body = """{
        "meta": {"name": 1.0},
        "environment": {"name": "notebook-env"},
        "spec": {"cpu": 0.50, "gpu": 0, "memory": 1073741824, "envVars":
            {"A": 1, "B": 1.50, "C": true, "D": false, "E": null, "F": -0, "G": 1e3, "H": " x "}}
    }"""
    made = result_of(client.post(NOTEBOOK, body, content_type="application/json"), CREATED)
    assert made["name"] == "1.0"
    assert made["spec"]["spec"]["envVars"] == {
        "A": "1",
        "B": "1.50",
        "C": "true",
        "D": "false",
        "E": "",
        "F": "-0",
        "G": "1e3",
        "H": " x ",
    }


def test_numbers_without_end_are_texts_as_well(client: APIClient) -> None:
    digits = "1" * 50_000
    for kind in ("application/json", "application/yaml"):
        body = f'{{"meta": {{"name": {digits}}}, "environment": {{"name": "notebook-env"}}}}'
        said = refused(client.post(NOTEBOOK, body, content_type=kind), 400, "BAD_REQUEST")
        assert said == "meta.name: The name has 50000 characters; 80 is the most."


@pytest.mark.parametrize("flag", ["true", "yes", "True", "on", '"true"'])
def test_flags_are_read_as_yaml_has_them(client: APIClient, ada: User, flag: str) -> None:
    volume = VolumeFactory.create(owner=ada)
    body = (
        "meta: {name: a}\nenvironment: {name: notebook-env}\nspec:\n  volumes:\n"
        f"  - {{volume: {volume.pk}, path: 1, readOnly: {flag}}}\n"
    )
    made = result_of(client.post(NOTEBOOK, body, content_type="application/yaml"), CREATED)
    expected = [{"volume": str(volume.pk), "path": "1", "readOnly": True}]
    assert made["spec"]["spec"]["volumes"] == expected


@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
def test_unknown_keys_and_resources_are_left_out(client: APIClient, kind: str) -> None:
    body = json.dumps(
        {
            "meta": {"name": "a", "annotations": {"a": 1}},
            "environment": {"name": "notebook-env", "environmentId": "x"},
            "spec": {"resources": "cpu=1,disk=1Gi,amd.com/gpu=1,a", "more": [1]},
            "more": None,
            "status": "running",
        }
    )
    made = result_of(client.post(NOTEBOOK, body, content_type=kind), CREATED)
    assert made["spec"]["spec"]["resources"] == "cpu=1,memory=2Gi"
    assert "more" not in made["spec"]["spec"]


def test_a_key_of_yaml_that_is_there_twice_is_refused(client: APIClient) -> None:
    body = "meta: {name: a, name: b}\nenvironment: {name: notebook-env}\n"
    said = refused(client.post(NOTEBOOK, body, content_type="text/yaml"), 400, "BAD_REQUEST")
    assert said == "YAML parse error - “name” is there twice"


def test_a_size_with_gpus_of_another_kind_is_asked_for_by_it(client: APIClient) -> None:
    ProfileFactory.create(name="amd", cpu_milli=1000, memory_mib=2048, gpus=1)
    ResourceProfile.objects.filter(name="amd").update(gpu_resource="amd.com/gpu")
    ProfileFactory.create(name="nvidia", cpu_milli=2000, memory_mib=4096, gpus=1)
    for n, (resources, size, shown) in enumerate(
        [
            ("amd.com/gpu=1", "amd", "amd.com/gpu=1"),
            ("nvidia.com/gpu=1", "amd", "amd.com/gpu=1"),
            ("gpu=1,cpu=2", "nvidia", "nvidia.com/gpu=1"),
        ]
    ):
        made = result_of(post(client, spec(f"n{n}", resources=resources)), CREATED)
        assert made["spec"]["spec"]["profile"] == size
        assert made["spec"]["spec"]["resources"].endswith(shown)
    body = spec("d", resources="amd.com/gpu=1,cpu=2")
    said = refused(post(client, body), 400, "BAD_REQUEST")
    assert said.startswith(
        "spec.resources: No size that you may use has 2 CPU · 1 GPU (amd.com/gpu)."
    )


def test_a_body_of_the_released_client_with_nothing_in_it_is_no_fault(client: APIClient) -> None:
    response = client.generic("GET", NOTEBOOK, content_type="application/json")
    assert result_of(response, LISTED) == []


def test_what_clients_do_not_send_can_be_asked_for(client: APIClient, ada: User) -> None:
    ProfileFactory.create(name="large", cpu_milli=4000, memory_mib=8192)
    volume = VolumeFactory.create(owner=ada)
    git = {"url": "https://git.example.com/a/b.git", "branch": "main"}
    body = spec(
        profile="large",
        code={"syncMode": "git", "git": git},
        volumes=[{"volume": str(volume.pk), "path": "data", "readOnly": True}],
    )
    shown = result_of(post(client, body), CREATED)["spec"]["spec"]
    assert shown["profile"] == "large"
    assert shown["resources"] == "cpu=4,memory=8Gi"
    assert shown["code"]["git"]["url"] == git["url"]
    assert shown["code"]["git"]["branch"] == "main"
    assert shown["volumes"] == [{"volume": str(volume.pk), "path": "data", "readOnly": True}]
    setup = Setup.from_json(NotebookSession.objects.get().setup)
    assert (setup.code[0].ref, setup.code[0].folder) == ("main", "b")
    assert setup.mounts[0].read_only


def test_a_hidden_size_is_not_chosen(client: APIClient) -> None:
    ProfileFactory.create(name="tiny", cpu_milli=100, memory_mib=128, hidden=True)
    made = result_of(post(client, spec()), CREATED)
    assert made["spec"]["spec"]["profile"] == "small"
    said = refused(post(client, spec("b", profile="tiny")), 400, "BAD_REQUEST")
    assert said == "spec.profile: There is no such size that you may use."


def test_nulls_are_as_good_as_nothing(client: APIClient) -> None:
    body = {
        "meta": {"name": "a", "labels": None, "namespace": None},
        "environment": {"name": "notebook-env", "kernelSpec": None},
        "spec": {"envVars": None, "resources": None, "cpu": None, "code": None},
    }
    assert result_of(post(client, body), CREATED)["name"] == "a"
    body = {"meta": {"name": "b"}, "environment": {"name": "notebook-env"}, "spec": None}
    assert result_of(post(client, body), CREATED)["name"] == "b"


def test_a_key_makes_sending_again_harmless(client: APIClient) -> None:
    one = post(client, spec(), headers={"Idempotency-Key": "k"})
    other = post(client, spec(), headers={"Idempotency-Key": "k"})
    assert result_of(one, CREATED) == result_of(other, CREATED)
    assert NotebookSession.objects.count() == 1


def test_a_name_that_is_taken_is_a_conflict_in_any_case(client: APIClient) -> None:
    result_of(post(client, spec("test")), CREATED)
    said = refused(post(client, spec("Test")), 409, "CONFLICT")
    assert said == "You have a session named “test” already."
    assert NotebookSession.objects.count() == 1


def test_what_goes_beyond_a_quota_is_refused_with_the_reason(client: APIClient) -> None:
    LimitFactory.create(resource="sessions", amount=1)
    result_of(post(client, spec("first")), CREATED)
    said = refused(post(client, spec("second")), 409, "CONFLICT")
    assert "session" in said
    assert [each.name for each in NotebookSession.objects.all()] == ["first"]


def test_another_may_use_the_same_name(client: APIClient, mallory: User) -> None:
    result_of(post(client, spec("test")), CREATED)
    result_of(post(client_of(mallory), spec("test")), CREATED)


@pytest.mark.parametrize(("length", "taken"), [(1, True), (63, True), (64, True), (300, False)])
def test_names_of_every_length(client: APIClient, length: int, *, taken: bool) -> None:
    response = post(client, spec("n" * length))
    if taken:
        assert result_of(response, CREATED)["name"] == "n" * length
    else:
        said = refused(response, 400, "BAD_REQUEST")
        assert said == "meta.name: The name has 300 characters; 80 is the most."
        assert not NotebookSession.objects.exists()


@pytest.mark.parametrize("name", ["none", "", "none\0", "n" * 300])
def test_an_environment_that_is_not_there(client: APIClient, name: str) -> None:
    response = post(client, {**spec(), "environment": {"name": name}})
    if name == "none" or len(name) == 300:
        assert refused(response, 404, "NOT_FOUND") == "Environment not found."
    else:
        assert refused(response, 400, "BAD_REQUEST").startswith("environment.name: ")
    assert not NotebookSession.objects.exists()


def test_an_environment_with_gpus_gets_a_size_with_gpus(client: APIClient) -> None:
    EnvironmentFactory.create(name="gpu", display_name="GPU", newest__needs_gpu=True)
    body = {**spec(resources="cpu=1"), "environment": {"name": "gpu"}}
    said = refused(post(client, body), 400, "BAD_REQUEST")
    assert said == (
        "spec.resources: No size that you may use has a GPU, which the environment needs. “Small” "
        "has 1 CPU · 2 GiB"
    )
    body["spec"] = {"profile": "small"}
    said = refused(post(client, body), 400, "BAD_REQUEST")
    assert said == (
        "spec.profile: The environment “GPU” needs a GPU; the size “Small” has 1 CPU · 2 GiB. "
        "Choose one with a GPU."
    )
    assert not NotebookSession.objects.exists()
    ProfileFactory.create(name="gpu", cpu_milli=2000, memory_mib=4096, gpus=1)
    body["spec"] = {"resources": "cpu=1"}
    made = result_of(post(client, body), CREATED)
    assert made["spec"]["spec"]["resources"] == "cpu=2,memory=4Gi,nvidia.com/gpu=1"


def test_an_environment_of_another_is_not_there(client: APIClient, mallory: User) -> None:
    Environment.objects.update(owner=mallory)
    assert refused(post(client, spec()), 404, "NOT_FOUND") == "Environment not found."


def test_what_services_refuse_is_named_as_clients_call_it(client: APIClient) -> None:
    said = refused(post(client, spec(envVars={"PATH": "/"})), 400, "BAD_REQUEST")
    assert said.startswith("spec.envVars: PATH decides how a session starts")
    said = refused(post(client, spec(envVars={"NB_PREFIX": "/"})), 400, "BAD_REQUEST")
    assert said == (
        "spec.envVars: NB_PREFIX is set by the service in every session. Use another name."
    )


GIT = "https://git.example.com/a"


@pytest.mark.parametrize(
    ("git", "field"),
    [
        ({"url": "http://git.example.com/a"}, "spec.code.git.url: "),
        ({"url": GIT, "branch": "a b"}, "spec.code.git.branch: "),
        ({"url": GIT, "credential": str(UUID(int=1))}, "spec.code.git.credential: "),
        ({"url": GIT, "credential": "x"}, "spec.code.git.credential: "),
        ({"url": GIT, "password": "x"}, "spec.code.git.password: "),
        ({"url": GIT, "trustCerts": True}, "spec.code.git.trustCerts: "),
    ],
)
def test_what_is_wrong_with_code_is_named_as_clients_call_it(
    client: APIClient, git: dict, field: str
) -> None:
    said = refused(post(client, spec(code={"git": git})), 400, "BAD_REQUEST")
    assert said.startswith(field)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"path": "/data"}, "path"), ({"path": "a:b"}, "path"), ({"volume": str(UUID(int=1))}, "vol")],
)
def test_what_is_wrong_with_a_volume_is_named_as_clients_call_it(
    client: APIClient, ada: User, change: dict, field: str
) -> None:
    volume = {"volume": str(VolumeFactory.create(owner=ada).pk), "path": "data", **change}
    said = refused(post(client, spec(volumes=[volume])), 400, "BAD_REQUEST")
    assert said.startswith(f"spec.volumes.0.{field}")


def test_a_password_for_git_is_refused_with_what_to_do(client: APIClient) -> None:
    git = {"url": "https://git.example.com/a", "username": "ada", "password": "hunter2"}
    said = refused(post(client, spec(code={"git": git})), 400, "BAD_REQUEST")
    assert "Keep a git credential" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "path", ["notebook_1_1", "x", "notebook_1_x", "notebook__1", "environment_1_0001"]
)
@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_id_that_is_not_there(client: APIClient, path: str, method: str) -> None:
    response = getattr(client, method)(f"{NOTEBOOK}/{path}")
    assert refused(response, 404, "NOT_FOUND") == "Notebook not found."


def test_one_of_another_is_not_there(mallory: User, hers: NotebookSession) -> None:
    stranger = client_of(mallory)
    for method in (stranger.get, stranger.delete):
        response = method(f"{NOTEBOOK}/{hers.notebook_id}")
        assert refused(response, 404, "NOT_FOUND") == "Notebook not found."
    hers.refresh_from_db()
    assert (hers.status, hers.deleted_at) == ("running", None)


@pytest.mark.parametrize("query", ["?id=4291d7da9005377ec9aec4a71ea837f", "?id={hers}", "?id="])
def test_the_list_is_the_callers_own_whatever_id_is_asked_for(
    client: APIClient,
    ada: User,
    mallory: User,
    operator: User,
    hers: NotebookSession,
    *,
    query: str,
) -> None:
    query = query.format(hers=ada.pk)
    [one] = result_of(client.get(NOTEBOOK + query), LISTED)
    assert one["notebookId"] == hers.notebook_id
    for other in (mallory, operator):
        assert result_of(client_of(other).get(NOTEBOOK + query), LISTED) == []


def test_the_list_takes_the_same_queries_however_long_it_is(
    client: APIClient, ada: User, django_assert_num_queries
) -> None:
    SessionFactory.create_batch(5, owner=ada)
    client.get(NOTEBOOK)
    with django_assert_num_queries(2):
        assert len(result_of(client.get(NOTEBOOK), LISTED)) == 5


def test_a_deleted_one_is_gone_at_once_and_its_name_is_free(
    client: APIClient, hers: NotebookSession
) -> None:
    path = f"{NOTEBOOK}/{hers.notebook_id}"
    deleted = result_of(client.delete(path), "Delete the notebook instance")
    assert (deleted["status"], deleted["reason"]) == (
        "terminating",
        "The notebook instance is terminating",
    )
    assert deleted["deletedTime"].endswith("Z")
    assert refused(client.get(path), 404, "NOT_FOUND") == "Notebook not found."
    assert refused(client.delete(path), 404, "NOT_FOUND") == "Notebook not found."
    assert result_of(client.get(NOTEBOOK), LISTED) == []
    assert result_of(post(client, spec("hers")), CREATED)["name"] == "hers"


@pytest.mark.parametrize(
    ("status", "phase", "detail", "told"),
    [
        ("requested", None, "", ("creating", "The notebook instance is creating")),
        ("requested", None, "Waiting for it.", ("waiting", "Waiting for it.")),
        ("starting", Phase.SCHEDULING, "No room.", ("waiting", "No room.")),
        ("starting", Phase.PULLING_IMAGE, "", ("pulling", "The notebook instance is creating")),
        ("starting", Phase.PREPARING, "", ("waiting", "PodInitializing")),
        ("starting", Phase.STARTING_SERVER, "", ("creating", "The notebook instance is creating")),
        ("running", None, "", ("running", "The notebook instance is running")),
        ("stopping", None, "", ("terminating", "The notebook instance is terminating")),
        ("stopped", None, "", ("not_found", "The notebook instance is not found")),
        ("failed", None, "", ("failed", "The notebook instance is failed")),
    ],
)
def test_the_states_that_clients_know(
    client: APIClient, hers: NotebookSession, status, phase, *, detail, told
) -> None:
    NotebookSession.objects.update(status=status)
    if phase:
        seen = PhaseTime(phase=phase, started_at=timezone.now(), detail=detail)
        Run.objects.update(phases=as_json([seen]), ready_at=None)
    else:
        Run.objects.update(held_up=detail)
    shown = result_of(client.get(f"{NOTEBOOK}/{hers.notebook_id}"), FOUND)
    assert (shown["status"], shown["reason"]) == told


def test_why_one_failed_is_told(client: APIClient, hers: NotebookSession) -> None:
    NotebookSession.objects.update(
        status="failed", reason_code="home_full", reason="The home is full."
    )
    shown = result_of(client.get(f"{NOTEBOOK}/{hers.notebook_id}"), FOUND)
    assert shown["reason"] == "The notebook instance is failed: The home is full."


def test_its_url_leads_to_where_it_is_opened(
    ada: User, mallory: User, client: APIClient, hers: NotebookSession
) -> None:
    url = result_of(client.get(f"{NOTEBOOK}/{hers.notebook_id}"), FOUND)["url"]
    assert browser_of(ada).get(url)["Location"] == f"/sessions/{hers.pk}/open"
    assert browser_of(mallory).get(url).status_code == 404
    assert browser_of(ada).get("/notebook/default/none/lab").status_code == 404
    assert browser_of(None).get(url)["Location"].startswith("/sign-in")


def test_numbers_are_given_once(ada: User) -> None:
    first, second = SessionFactory.create_batch(2, owner=ada)
    for each in (first, second):
        each.refresh_from_db()
    assert second.number > first.number
    second.created_at += timedelta(seconds=1)
    assert second.notebook_id != first.notebook_id


def test_ping_asks_for_nothing(client: APIClient, hers: NotebookSession) -> None:
    assert hers.current_run_id is not None
    inside = APIClient(headers={"Authorization": f"Bearer {run_credential(hers.current_run_id)}"})
    for program in (APIClient(), client, inside):
        assert result_of(program.get(f"{NOTEBOOK}/ping")) == "Pong"


@pytest.mark.parametrize("header", ["Bearer none", "Bearer subrun_none", "Basic YTpi", "x"])
def test_ping_refuses_a_credential_that_is_wrong(header: str) -> None:
    program = APIClient(headers={"Authorization": header})
    refused(program.get(f"{NOTEBOOK}/ping"), 401, "UNAUTHORIZED")
