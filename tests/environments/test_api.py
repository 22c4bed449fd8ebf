"""The API of environments, their versions and builds."""

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from accounts.models import User
from environments import services
from environments.kernels import Kernel
from environments.models import Build, Environment
from environments.services import Draft, Metadata
from submarine_site.core.etags import version_of
from tests.broker import Broker
from tests.conftest import api_of, browser_of
from tests.factories import BuildFactory, EnvironmentFactory, UserFactory

pytestmark = pytest.mark.django_db

ALL = "/api/v2/environments"
HERS = f"{ALL}/hers"
IMAGE = "example/notebook:1"
SCIENCE = Kernel(name="science", display_name="Science", pip=("pandas>=2",))
DIGEST = SCIENCE.digest(IMAGE)


@pytest.fixture(autouse=True)
def broker() -> Broker:
    return Broker()


@pytest.fixture
def hers(ada: User, plain: Environment) -> Environment:
    return services.create_environment(
        actor=ada,
        name="hers",
        metadata=Metadata(display_name="Hers"),
        draft=Draft(image=IMAGE, kernels=(SCIENCE,)),
    )


def time(value: object) -> str:
    return str(value).replace(" ", "T").replace("+00:00", "Z")


def test_an_environment_is_spelled_out(api: APIClient, hers: Environment) -> None:
    assert hers.newest is not None
    build = Build.objects.get()
    answer = api.get(HERS)
    assert version_of(answer["ETag"]) == version_of(hers.etag)
    assert answer.json() == {
        "name": "hers",
        "display_name": "Hers",
        "description": "",
        "image": IMAGE,
        "owner": "ada",
        "groups": [],
        "enabled": True,
        "hidden": False,
        "deprecated": False,
        "deprecation": "",
        "successor": None,
        "created_at": time(hers.created_at),
        "updated_at": time(hers.updated_at),
        "newest": {
            "number": 1,
            "image": IMAGE,
            "kernels": [
                {
                    "name": "science",
                    "display_name": "Science",
                    "channels": [],
                    "conda": [],
                    "pip": ["pandas>=2"],
                    "resolved": {"channels": [], "conda": [], "pip": ["pandas>=2"]},
                }
            ],
            "builds": [
                {
                    "digest": DIGEST,
                    "kernel": "science",
                    "state": "queued",
                    "attempt": 1,
                    "created_at": time(build.created_at),
                    "started_at": None,
                    "finished_at": None,
                    "size_bytes": None,
                    "error_code": "",
                    "error": "",
                }
            ],
            "needs_gpu": False,
            "smallest_cpu_milli": 0,
            "smallest_memory_mib": 0,
            "note": "",
            "created_by": "ada",
            "created_at": time(hers.newest.created_at),
        },
    }


@pytest.mark.usefixtures("hers")
@pytest.mark.parametrize(
    ("query", "found"), [("", ["hers", "notebook-env"]), ("?q=panda", ["hers"]), ("?q=no", [])]
)
def test_they_are_listed_and_searched(api: APIClient, query: str, found: list[str]) -> None:
    listed = [each["name"] for each in api.get(f"{ALL}{query}").json()]
    # “notebook-env” has “no” in it.
    assert sorted(listed) == (["notebook-env"] if query == "?q=no" else found)


@pytest.mark.usefixtures("hers")
def test_the_cost_of_the_list_does_not_grow(
    api: APIClient, ada: User, django_assert_num_queries
) -> None:
    with django_assert_num_queries(LIST_QUERIES):
        api.get(ALL)
    for each in EnvironmentFactory.create_batch(5, owner=ada):
        assert each.newest is not None
        each.newest.builds.set(Build.objects.all())
    with django_assert_num_queries(LIST_QUERIES):
        api.get(ALL)


LIST_QUERIES = 3


@pytest.mark.usefixtures("plain")
def test_one_is_created_of_kernels(api: APIClient) -> None:
    kernels = [{"name": "science", "pip": ["pandas >= 2"]}]
    answer = api.post(ALL, {"name": "mine", "kernels": kernels})
    assert answer.status_code == 201
    assert answer.json()["newest"]["kernels"][0] == {
        "name": "science",
        "display_name": "science",
        "channels": [],
        "conda": [],
        "pip": ["pandas >= 2"],
        "resolved": {"channels": [], "conda": [], "pip": ["pandas>=2"]},
    }
    assert answer["ETag"] == Environment.objects.get(name="mine").etag


@pytest.mark.usefixtures("plain")
def test_one_is_created_of_a_file(api: APIClient) -> None:
    content = "channels: [conda-forge]\ndependencies:\n - python=3.12\n - pip:\n   - rich\n"
    file = {"name": "environment.yml", "content": content}
    answer = api.post(ALL, {"name": "mine", "file": file})
    assert answer.status_code == 201
    assert answer.json()["newest"]["kernels"] == [
        {
            "name": "mine",
            "display_name": "mine",
            "channels": ["conda-forge"],
            "conda": ["python=3.12"],
            "pip": ["rich"],
            "resolved": {
                "channels": ["conda-forge"],
                "conda": ["python 3.12.*"],
                "pip": ["rich"],
            },
        }
    ]


@pytest.mark.usefixtures("plain")
def test_what_was_sent_is_read_back(api: APIClient) -> None:
    kernel = {
        "name": "science",
        "display_name": "Science",
        "channels": [],
        "conda": ["python=3.12", "numpy=1.26.4=py312_0", "numpy=1.26.4=py312_0"],
        "pip": [" Flask[async] >= 2 ", "rich  # tables\tand more"],
    }
    answer = api.post(ALL, {"name": "mine", "kernels": [kernel]})
    assert answer.status_code == 201, answer.json()
    sent = {**kernel, "pip": ["Flask[async] >= 2", "rich"]}
    resolved = {
        "channels": ["conda-forge"],
        "conda": ["python 3.12.*", "numpy ==1.26.4 py312_0"],
        "pip": ["Flask[async]>=2", "rich"],
    }
    shown = [{**sent, "resolved": resolved}]
    assert api.get(f"{ALL}/mine").json()["newest"]["kernels"] == shown
    assert api.get(f"{ALL}/mine/versions/1").json()["kernels"] == shown
    # What is built is named by what it resolves to.
    [build] = Build.objects.all()
    assert build.kernel == {"name": "science", "display_name": "Science", **resolved}
    # A version that was made before this was kept.
    Environment.objects.get(name="mine").versions.update(requested_kernels=[])
    shown = [{**sent, **resolved, "resolved": resolved}]
    assert api.get(f"{ALL}/mine").json()["newest"]["kernels"] == shown


@pytest.mark.usefixtures("plain")
def test_what_is_read_back_can_be_sent(api: APIClient) -> None:
    written = {"name": "science", "conda": ["python=3.12"], "pip": ["Flask[async] >= 2"]}
    assert api.post(ALL, {"name": "rt", "kernels": [written]}).status_code == 201
    kernels = api.get(f"{ALL}/rt").json()["newest"]["kernels"]
    assert kernels[0]["resolved"]["conda"] == ["python 3.12.*"]
    added = api.post(f"{ALL}/rt/versions", {"kernels": kernels})
    assert (added.status_code, added.json()["kernels"]) == (201, kernels)
    made = api.post(ALL, {"name": "rt-2", "kernels": kernels})
    assert (made.status_code, made.json()["newest"]["kernels"]) == (201, kernels)
    assert Build.objects.count() == 1
    # Whatever it says, what is built is what the author wrote.
    for said in ({"channels": [], "conda": ["evil"], "pip": []}, None, "x", 1):
        sent = [{**kernels[0], "resolved": said}]
        other = api.post(f"{ALL}/rt/versions", {"kernels": sent})
        assert (other.status_code, other.json()["kernels"]) == (201, kernels)
    assert Build.objects.count() == 1
    unknown = api.post(f"{ALL}/rt/versions", {"kernels": [{**written, "resolve": []}]})
    assert unknown.json()["fields"] == {"kernels.0.resolve": "There is no such field."}


@pytest.mark.usefixtures("plain")
def test_a_colleague_does_not_take_over_what_a_name_means(
    api: APIClient, ada: User, mallory: User
) -> None:
    lab = Group.objects.create(name="lab")
    bob = UserFactory.create(username="bob")
    for user in (ada, bob, mallory):
        user.groups.add(lab)
    pytorch = f"{ALL}/pytorch"
    assert api_of(mallory).post(ALL, {"name": "pytorch"}).status_code == 201
    assert api_of(bob).post(ALL, {"name": "pytorch", "groups": ["lab"]}).status_code == 201
    refused = api_of(mallory).patch(pytorch, {"groups": ["lab"]})
    said = "The group “lab” has an environment named “pytorch” already. Share one of another name."
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert refused.json()["fields"] == {"groups": said}
    assert api_of(mallory).get(pytorch).json()["groups"] == []
    assert api.get(pytorch).json()["owner"] == "bob"
    assert [each["owner"] for each in api.get(f"{ALL}?q=pytorch").json()] == ["bob"]
    his = Environment.objects.get(owner=mallory)
    page = browser_of(mallory).post(
        "/environments/pytorch/edit", {"etag": his.etag, "groups": "lab", "enabled": "on"}
    )
    assert (page.status_code, said in page.text) == (409, True)
    assert not his.groups.exists()


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"name": "new"}, {"name": "“new” cannot be a name."}),
        (
            {"file": {"name": "e.yml", "content": "dependencies:\n - !!python/name:os.system x"}},
            {
                "file": "line 2: refused by this site: tags such as "
                "“tag:yaml.org,2002:python/name:os.system” are not taken."
            },
        ),
        ({"file": {"name": "e.yml"}}, {"file.content": "This field is required."}),
        (
            {"file": {"name": "r.txt", "content": "a"}, "kernels": [{"name": "a", "pip": ["b"]}]},
            {"file": "Send kernels or a file, not both."},
        ),
        (
            {"kernels": [{"name": "a", "pip": ["-r x"]}]},
            {
                "kernels": "Kernel “a”: “-r x”: this site follows no other file. Copy its lines in "
                "place of this one."
            },
        ),
        ({"kernels": [{"name": "a", "npm": []}]}, {"kernels.0.npm": "There is no such field."}),
        ({"kernels": "a"}, {"kernels": 'Expected a list of items but got type "str".'}),
        ({"smallest_memory_mib": "x"}, {"smallest_memory_mib": "A valid integer is required."}),
        ({"for_site": True}, None),
    ],
)
def test_what_is_wrong_is_named(
    api: APIClient, change: dict[str, object], fields: dict[str, str] | None
) -> None:
    answer = api.post(ALL, {"name": "mine", **change})
    assert answer.status_code == (400 if fields else 403)
    assert answer.json().get("fields") == fields
    assert not Environment.objects.filter(name="mine").exists()


def test_a_change_takes_what_was_read(api: APIClient, hers: Environment) -> None:
    seen = api.get(HERS)["ETag"]
    first = api.patch(HERS, {"description": "One."}, headers={"If-Match": seen})
    assert (first.status_code, first.json()["description"]) == (200, "One.")
    second = api.patch(HERS, {"description": "Two."}, headers={"If-Match": seen})
    assert (second.status_code, second.json()["code"]) == (412, "changed_meanwhile")
    again = api.patch(HERS, {"description": "Two."}, headers={"If-Match": first["ETag"]})
    assert again.json()["description"] == "Two."


def test_one_is_deprecated_with_a_successor(api: APIClient, hers: Environment) -> None:
    change = {"deprecated": True, "deprecation": "It is old.", "successor": "notebook-env"}
    answer = api.patch(HERS, change).json()
    assert {name: answer[name] for name in change} == change


@pytest.mark.parametrize("method", ["patch", "delete", "post"])
def test_what_one_sees_and_may_not_change_says_so(
    api: APIClient, plain: Environment, method: str
) -> None:
    address = f"{ALL}/notebook-env{'/versions' if method == 'post' else ''}"
    answer = getattr(api, method)(address)
    assert (answer.status_code, answer.json()) == (
        403,
        {"code": "not_allowed", "message": "This environment is changed by an operator."},
    )


def test_versions_are_listed_and_read(api: APIClient, hers: Environment) -> None:
    added = api.post(f"{HERS}/versions", {"note": "Nothing in it."})
    assert (added.status_code, added.json()["number"], added.json()["image"]) == (201, 2, IMAGE)
    listed = api.get(f"{HERS}/versions").json()["results"]
    assert [each["number"] for each in listed] == [2, 1]
    assert api.get(f"{HERS}/versions/1").json() == listed[1]
    assert api.get(f"{HERS}/versions/3").status_code == 404
    assert api.get(f"{HERS}/versions/999999999").status_code == 404


def test_a_version_is_made_of_what_was_read(api: APIClient, hers: Environment) -> None:
    seen = api.get(HERS)["ETag"]
    first = api.post(f"{HERS}/versions", {"note": "One."}, headers={"If-Match": seen})
    assert (first.status_code, first.json()["number"]) == (201, 2)
    second = api.post(f"{HERS}/versions", {"note": "Two."}, headers={"If-Match": seen})
    assert (second.status_code, second.json()["code"]) == (412, "changed_meanwhile")
    assert hers.versions.count() == 2


def test_a_build_is_followed(api: APIClient, hers: Environment) -> None:
    Build.objects.update(state="building", log_tail="Resolving.\n")
    address = f"/api/v2/builds/{DIGEST}"
    assert api.get(address).json()["state"] == "building"
    assert api.get(f"{address}/log").json() == {
        "digest": DIGEST,
        "state": "building",
        "attempt": 1,
        "text": "Resolving.\n",
    }
    early = api.get(f"{address}/lock")
    assert (early.status_code, early.json()["code"]) == (409, "not_built")
    Build.objects.update(state="built", lock={"pip": ["pandas==2.2.0"]})
    assert api.get(f"{address}/lock").json() == {"pip": ["pandas==2.2.0"]}


@pytest.mark.parametrize(("before", "after"), [("failed", "queued"), ("built", "built")])
def test_a_build_that_failed_is_tried_again(
    api: APIClient, hers: Environment, before: str, after: str
) -> None:
    Build.objects.update(state=before)
    answer = api.post(f"/api/v2/builds/{DIGEST}/retry")
    assert (answer.status_code, answer.json()["state"]) == (202, after)


def test_a_build_is_seen_by_who_sees_an_environment_of_it(
    api: APIClient, mallory: User, hers: Environment
) -> None:
    address = f"/api/v2/builds/{DIGEST}"
    assert api_of(mallory).get(address).status_code == 404
    his = EnvironmentFactory.create(owner=mallory).newest
    assert his is not None
    his.builds.set([BuildFactory.create(of=Kernel(name="a", display_name="A", pip=("a",)))])
    assert api_of(mallory).get(address).status_code == 404
    his.builds.set(Build.objects.filter(digest=DIGEST))
    assert api_of(mallory).get(address).status_code == 200


def test_of_far_too_many_kernels_none_is_looked_at(ada: User) -> None:
    answer = api_of(ada).post(ALL, {"name": "hers", "kernels": [{}] * 5000})
    assert answer.status_code == 400
    assert len(answer.content) < 500


def test_a_name_that_a_stranger_has_is_as_free_as_any(
    api: APIClient, mallory: User, plain: Environment
) -> None:
    his = EnvironmentFactory.create(name="mine", owner=mallory)
    free = api.post(ALL, {"name": "free"})
    taken = api.post(ALL, {"name": "mine"})
    assert (free.status_code, taken.status_code) == (201, 201)
    assert api.get(f"{ALL}/mine").json()["owner"] == "ada"
    assert api_of(mallory).get(f"{ALL}/mine").json()["owner"] == "mallory"
    for name in ("free", "mine"):
        assert api.delete(f"{ALL}/{name}").status_code == 204
        assert api.get(f"{ALL}/{name}").status_code == 404
    his.refresh_from_db()
    assert his.deleted_at is None


def test_the_list_has_what_the_names_lead_to(
    api: APIClient, ada: User, mallory: User, plain: Environment
) -> None:
    EnvironmentFactory.create(name="mine", display_name="Own", owner=ada)
    EnvironmentFactory.create(name="mine", display_name="Of the site")
    listed = {each["name"]: each["display_name"] for each in api.get(ALL).json()}
    assert listed["mine"] == api.get(f"{ALL}/mine").json()["display_name"] == "Own"
    names = [each["name"] for each in api_of(mallory).get(ALL).json()]
    assert sorted(names) == ["mine", "notebook-env"]


@pytest.mark.parametrize(
    "image", ["docker://x", "a:1:2", "https://registry.example.com/a", "Team/a"]
)
def test_an_image_is_given_by_its_reference(operator: User, image: str) -> None:
    answer = api_of(operator).post(ALL, {"name": "a", "image": image, "for_site": True})
    assert answer.status_code == 400
    assert answer.json()["fields"]["image"].startswith("This is not the reference of an image")
