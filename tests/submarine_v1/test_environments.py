"""Environments as Submarine's clients make, read, change and delete them."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from accounts.models import User
from environments.models import Environment
from tests.factories import EnvironmentFactory, SessionFactory
from tests.submarine_v1.conftest import ENVIRONMENT, client_of, refused, result_of

pytestmark = pytest.mark.django_db

# As the released examples send it, but for the packages.
SPEC = {
    "name": "my-submarine-env",
    "dockerImage": "example/notebook:1",
    "kernelSpec": {
        "name": "team_default_python_3.7",
        "channels": ["defaults"],
        "condaDependencies": ["alabaster=0.7.12=py37_0"],
        "pipDependencies": ["pyarrow==0.17.0"],
    },
}


@pytest.fixture(autouse=True)
def _catalogue(plain: Environment) -> None:
    pass


@pytest.fixture
def made(client: APIClient) -> Any:
    return result_of(client.post(ENVIRONMENT, SPEC, format="json"))


def test_one_is_made_with_every_key(made: dict, ada: User) -> None:
    assert re.fullmatch(r"environment_[0-9]{13}_[0-9]{4,}", made["environmentId"])
    assert made == {
        "environmentId": made["environmentId"],
        "environmentSpec": {
            "name": "my-submarine-env",
            "dockerImage": "example/notebook:1",
            "kernelSpec": {
                "name": "team_default_python_3.7",
                "channels": ["defaults"],
                "condaDependencies": ["alabaster=0.7.12=py37_0"],
                "pipDependencies": ["pyarrow==0.17.0"],
            },
            "description": None,
            "image": None,
        },
    }
    environment = Environment.objects.get(name="my-submarine-env")
    assert environment.owner == ada
    assert environment.newest is not None
    assert environment.newest.builds.count() == 1
    assert environment.newest.kernels == [
        {
            "name": "team_default_python_3.7",
            "display_name": "team_default_python_3.7",
            "channels": ["conda-forge"],
            "conda": ["alabaster ==0.7.12 py37_0"],
            "pip": ["pyarrow==0.17.0"],
        }
    ]


def test_it_is_found_by_name_and_in_the_list(client: APIClient, made: dict) -> None:
    assert result_of(client.get(f"{ENVIRONMENT}/my-submarine-env")) == made
    assert result_of(client.get(f"{ENVIRONMENT}/my-submarine-env/")) == made
    names = [
        each["environmentSpec"]["name"] for each in result_of(client.get(f"{ENVIRONMENT}?status=x"))
    ]
    assert names == ["notebook-env", "my-submarine-env"]


def test_a_site_has_those_that_clients_expect(client: APIClient, monkeypatch) -> None:
    Environment.objects.all().delete()
    monkeypatch.setattr("sys.stdin", StringIO("{}"))
    call_command("prepare")
    found = {
        each["environmentSpec"]["name"]: each["environmentSpec"]["dockerImage"]
        for each in result_of(client.get(ENVIRONMENT))
    }
    assert found == {
        "notebook-env": "submarine/notebook:1",
        "notebook-gpu-env": "submarine/notebook:1",
    }
    needs_gpu = Environment.objects.values_list("name", "newest__needs_gpu")
    assert dict(needs_gpu) == {"notebook-env": False, "notebook-gpu-env": True}


def test_a_kernel_without_packages_is_the_images_own(client: APIClient) -> None:
    kernel = {"name": "submarine_jupyter_py3", "channels": ["defaults"]}
    body = {"name": "bare", "image": "example/notebook:1", "kernelSpec": kernel}
    spec = result_of(client.post(ENVIRONMENT, body, format="json"))["environmentSpec"]
    assert spec["kernelSpec"] == {**kernel, "condaDependencies": [], "pipDependencies": []}
    assert spec["dockerImage"] == "example/notebook:1"
    environment = Environment.objects.get(name="bare")
    assert environment.newest is not None
    assert (environment.newest.kernels, environment.newest.builds.count()) == ([], 0)
    changed = {"dockerImage": "example/notebook:1", "kernelSpec": kernel, "description": "Bare."}
    spec = result_of(client.patch(f"{ENVIRONMENT}/bare", changed, format="json"))
    assert spec["environmentSpec"]["kernelSpec"]["channels"] == ["defaults"]
    assert environment.versions.count() == 1


def test_what_was_made_here_can_be_sent_to_the_other_api(
    client: APIClient, api: APIClient, made: dict
) -> None:
    path = "/api/v2/environments/my-submarine-env"
    [kernel] = api.get(path).json()["newest"]["kernels"]
    resolved = kernel.pop("resolved")
    assert (kernel["channels"], resolved["channels"]) == ([], ["conda-forge"])
    assert kernel["conda"] == ["alabaster=0.7.12=py37_0"]
    answer = api.post(f"{path}/versions", {"kernels": [kernel]})
    assert answer.status_code == 201
    assert answer.json()["kernels"] == [{**kernel, "resolved": resolved}]


def test_without_a_kernel_it_is_the_images_own(client: APIClient) -> None:
    for name, sent in (("none", {}), ("empty", {"kernelSpec": {}}), ("null", {"kernelSpec": None})):
        body: dict[str, Any] = {"name": name, **sent}
        spec = result_of(client.post(ENVIRONMENT, body, format="json"))["environmentSpec"]
        assert spec["kernelSpec"]["name"] == "python3"


def test_what_was_sent_survives_changes_elsewhere(client: APIClient, made: dict) -> None:
    path = f"{ENVIRONMENT}/my-submarine-env"
    sent = made["environmentSpec"]["kernelSpec"]
    environment = Environment.objects.get(name="my-submarine-env")
    result_of(client.patch(path, SPEC, format="json"))
    assert environment.versions.count() == 1
    EnvironmentFactory.create(newest__image="example/other:1")
    changed = client.patch(path, {"dockerImage": "example/other:1"}, format="json")
    assert result_of(changed)["environmentSpec"]["kernelSpec"] == sent
    assert environment.versions.count() == 2
    built = {tuple(version.kernels[0]["conda"]) for version in environment.versions.all()}
    assert built == {("alabaster ==0.7.12 py37_0",)}


def test_yaml_is_as_good_as_json(client: APIClient) -> None:
    made = client.post(f"{ENVIRONMENT}/", "name: from-yaml\n", content_type="application/yaml")
    assert result_of(made)["environmentSpec"]["name"] == "from-yaml"


def test_a_change_is_shown_under_the_same_id(client: APIClient, made: dict) -> None:
    kernel = {"name": "other", "pipDependencies": ["pandas"]}
    body = {**SPEC, "kernelSpec": kernel, "description": "Changed."}
    changed = result_of(client.patch(f"{ENVIRONMENT}/my-submarine-env", body, format="json"))
    assert changed["environmentId"] == made["environmentId"]
    assert changed["environmentSpec"]["kernelSpec"] == {
        "name": "other",
        "channels": [],
        "condaDependencies": [],
        "pipDependencies": ["pandas"],
    }
    assert changed["environmentSpec"]["description"] == "Changed."
    assert result_of(client.get(f"{ENVIRONMENT}/my-submarine-env")) == changed


def test_what_a_change_does_not_name_stays(client: APIClient, made: dict) -> None:
    path = f"{ENVIRONMENT}/my-submarine-env"
    environment = Environment.objects.get(name="my-submarine-env")
    environment.versions.update(smallest_memory_mib=512)
    changed = result_of(client.patch(path, {"description": "Changed."}, format="json"))
    assert changed["environmentSpec"] == {**made["environmentSpec"], "description": "Changed."}
    assert environment.versions.count() == 1
    result_of(client.patch(path, {"kernelSpec": {"pipDependencies": ["pandas"]}}, format="json"))
    assert [each.smallest_memory_mib for each in environment.versions.all()] == [512, 512]


def test_the_path_says_which_and_a_name_is_kept(client: APIClient, made: dict) -> None:
    response = client.patch(
        f"{ENVIRONMENT}/my-submarine-env", {**SPEC, "name": "another"}, format="json"
    )
    said = refused(response, 400, "BAD_REQUEST")
    assert said == "name: An environment keeps its name, which is “my-submarine-env”."
    assert refused(client.get(f"{ENVIRONMENT}/another"), 404, "NOT_FOUND")


def test_both_of_a_change_or_neither(client: APIClient, made: dict) -> None:
    body = {"description": "Changed.", "kernelSpec": {"pipDependencies": ["--index-url=x"]}}
    response = client.patch(f"{ENVIRONMENT}/my-submarine-env", body, format="json")
    said = refused(response, 400, "BAD_REQUEST")
    assert said.startswith("kernelSpec: Kernel “my-submarine-env”: ")
    assert result_of(client.get(f"{ENVIRONMENT}/my-submarine-env")) == made


def test_a_deleted_one_is_told_a_last_time(client: APIClient, made: dict) -> None:
    path = f"{ENVIRONMENT}/my-submarine-env"
    assert result_of(client.delete(path)) == made
    for method in (client.get, client.delete, client.patch):
        assert refused(method(path), 404, "NOT_FOUND") == "Environment not found."


def test_one_in_use_is_not_deleted(client: APIClient, made: dict, ada: User) -> None:
    environment = Environment.objects.get(name="my-submarine-env")
    SessionFactory.create(owner=ada, environment=environment)
    said = refused(client.delete(f"{ENVIRONMENT}/my-submarine-env"), 409, "CONFLICT")
    assert said.startswith("It is in use by 1 session")


def test_a_name_that_is_taken_is_a_conflict(client: APIClient, made: dict) -> None:
    said = refused(client.post(ENVIRONMENT, SPEC, format="json"), 409, "CONFLICT")
    assert said == "There is an environment named “my-submarine-env” already."


def test_the_sites_are_changed_by_operators(client: APIClient, operator: User) -> None:
    path = f"{ENVIRONMENT}/notebook-env"
    for response in (client.patch(path, {"description": "x"}, format="json"), client.delete(path)):
        said = refused(response, 403, "FORBIDDEN")
        assert said == "This environment is changed by an operator."
    changed = client_of(operator).patch(path, {"description": "x"}, format="json")
    assert result_of(changed)["environmentSpec"]["description"] == "x"


def test_one_of_another_is_not_there(client: APIClient, mallory: User) -> None:
    EnvironmentFactory.create(name="his", owner=mallory)
    for method in (client.get, client.delete):
        assert refused(method(f"{ENVIRONMENT}/his"), 404, "NOT_FOUND") == "Environment not found."
    body = {"description": "x"}
    assert refused(client.patch(f"{ENVIRONMENT}/his", body, format="json"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "name: "),
        ({"name": "Upper"}, "name: "),
        ({"name": "n" * 64}, "name: "),
        ({"name": "n" * 300}, "name: "),
        ({"name": "new"}, "name: “new” cannot be a name."),
        ({"dockerImage": "else/where:1"}, "dockerImage: The images that you may build on: "),
        ({"kernelSpec": "pandas"}, "kernelSpec: "),
        ({"kernelSpec": {"pipDependencies": ["a", {}]}}, "kernelSpec.pipDependencies.1: "),
        ({"kernelSpec": {"pipDependencies": ["a", None]}}, "kernelSpec.pipDependencies.1: "),
        ({"kernelSpec": {"channels": ["evil"], "condaDependencies": ["a"]}}, "kernelSpec: Kernel"),
        # What Submarine would leave out, and this service has elsewhere.
        ({"needs_gpu": True}, "needs_gpu: This is a field of `/api/v2/`"),
        ({"kernelSpec": {"name": "a\u202eb"}}, "kernelSpec: "),
        ({"kernelSpec": {"name": "a", "channels": ["\n" * 9 + "x\u202e"]}}, "kernelSpec: "),
        ({"kernels": []}, "kernels: Send this as `kernelSpec`."),
        ({"kernelSpec": {"pip": ["a"]}}, "kernelSpec.pip: Send this as `pipDependencies`."),
    ],
)
def test_what_is_wrong_is_named(client: APIClient, change: dict, said: str) -> None:
    response = client.post(ENVIRONMENT, {**SPEC, **change}, format="json")
    assert refused(response, 400, "BAD_REQUEST").startswith(said)
    assert Environment.objects.count() == 1


@pytest.mark.parametrize("name", ["n", "n" * 63])
def test_names_of_every_length(client: APIClient, name: str) -> None:
    made = result_of(client.post(ENVIRONMENT, {"name": name}, format="json"))
    assert made["environmentSpec"]["name"] == name


def test_scalars_are_taken_as_they_are_written(client: APIClient) -> None:
    body = """
        name: 123
        dockerImage: example/notebook:1
        description: 1.50
        owner: mallory
        ownerId: 7
        kernelSpec:
          name: 010
          channels:
          unknown: {a: [1]}
          condaDependencies: [python=3.10, yes]
          pipDependencies:
          - 2to3
    """
    said = result_of(client.post(ENVIRONMENT, body, content_type="application/yaml"))
    spec = said["environmentSpec"]
    assert (spec["name"], spec["description"]) == ("123", "1.50")
    assert spec["kernelSpec"]["name"] == "010"
    environment = Environment.objects.get(name="123")
    assert environment.owner is not None
    assert environment.owner.username == "ada"
    as_json = '{"name": 124, "description": 1.50, "kernelSpec": {"name": 10}, "more": true}'
    said = result_of(client.post(ENVIRONMENT, as_json, content_type="application/json"))
    assert said["environmentSpec"]["description"] == "1.50"
    assert said["environmentSpec"]["kernelSpec"]["name"] == "10"


def test_a_null_of_yaml_is_nothing(client: APIClient, made: dict) -> None:
    body = "name: ~\ndescription: null\nkernelSpec:\nneeds_gpu: null\n"
    path = f"{ENVIRONMENT}/my-submarine-env"
    assert result_of(client.patch(path, body, content_type="application/yaml")) == made
    assert Environment.objects.get(name="my-submarine-env").versions.count() == 1


def test_a_broken_character_is_refused(client: APIClient) -> None:
    body = '{"name": "broken", "kernelSpec": {"name": "\\ud800"}}'
    said = client.post(ENVIRONMENT, body, content_type="application/json")
    assert refused(said, 400, "BAD_REQUEST").startswith("kernelSpec.name: ")


def test_a_name_that_a_stranger_has_is_as_free_as_any(client: APIClient, mallory: User) -> None:
    his = EnvironmentFactory.create(name="mine", owner=mallory, description="His.")
    path = f"{ENVIRONMENT}/mine"
    assert refused(client.get(path), 404, "NOT_FOUND") == "Environment not found."
    made = result_of(client.post(ENVIRONMENT, {"name": "mine"}, format="json"))
    assert made["environmentSpec"]["description"] is None
    changed = client.patch(path, {"description": "Mine."}, format="json")
    assert result_of(changed)["environmentId"] == made["environmentId"]
    assert result_of(client_of(mallory).get(path))["environmentSpec"]["description"] == "His."
    result_of(client.delete(path))
    his.refresh_from_db()
    assert his.deleted_at is None
    assert refused(client.get(path), 404, "NOT_FOUND") == "Environment not found."


@pytest.mark.parametrize(
    "image", ["docker://x", "a:1:2", "https://registry.example.com/a", "Team/a"]
)
def test_an_image_is_given_by_its_reference(operator: User, image: str) -> None:
    body = {"name": "a", "dockerImage": image}
    said = refused(client_of(operator).post(ENVIRONMENT, body, format="json"), 400, "BAD_REQUEST")
    assert said.startswith("dockerImage: This is not the reference of an image")
