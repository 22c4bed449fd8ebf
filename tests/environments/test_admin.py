"""Environments and builds in the admin."""

import html

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User
from environments.kernels import Kernel
from environments.models import Build, Environment
from tests.broker import Broker
from tests.conftest import api_of, browser_of
from tests.factories import BuildFactory, EnvironmentFactory, SessionFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/environments/environment/"
BUILDS = "/admin/environments/build/"
INLINE = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}


@pytest.fixture(autouse=True)
def broker() -> Broker:
    return Broker()


@pytest.fixture
def admin(operator: User) -> Client:
    return browser_of(operator)


def form(**change: str) -> dict[str, str]:
    said = {"name": "site", "display_name": "Site", "image": "example/site:1", "position": "0"}
    return {**said, "enabled": "on", **INLINE, **change}


def test_an_environment_is_made_with_its_image(admin: Client, operator: User) -> None:
    assert admin.post(f"{LIST}add/", form()).status_code == 302
    made = Environment.objects.select_related("newest").get()
    assert made.newest is not None
    assert (made.owner, made.newest.image, made.newest.created_by) == (
        None,
        "example/site:1",
        operator,
    )


@pytest.fixture
def editor(db: None) -> User:
    """Who may make and change environments, and not what they run."""
    user = UserFactory.create(username="eddi", is_staff=True)
    rights = ("add_environment", "change_environment", "view_environment")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def test_what_everybodys_sessions_run_takes_a_right_of_its_own(
    editor: User, plain: Environment, ada: User
) -> None:
    browser = browser_of(editor)
    hers = EnvironmentFactory.create(name="hers", owner=ada)
    for environment in (plain, hers):
        page = f"{LIST}{environment.pk}/change/"
        shown = browser.get(page).text
        assert "Can configure what everybody's sessions run" in html.unescape(shown)
        assert "example/notebook:1" in shown
        assert 'name="image"' not in shown
        assert 'name="owner"' not in shown
        said = form(name=environment.name, image="evil:1", owner="", description="Changed.")
        assert browser.post(page, said).status_code == 302
        environment.refresh_from_db()
        assert environment.description == "Changed."
        assert [version.image for version in environment.versions.all()] == ["example/notebook:1"]
    assert (plain.owner, hers.owner) == (None, ada)
    assert browser.get(f"{LIST}add/").status_code == 403
    assert browser.post(f"{LIST}add/", form()).status_code == 403


def test_who_has_the_right_changes_it(editor: User, plain: Environment) -> None:
    editor.user_permissions.add(Permission.objects.get(codename="configure_workloads"))
    browser = browser_of(editor)
    said = form(name=plain.name, image="example/notebook:2")
    assert browser.post(f"{LIST}{plain.pk}/change/", said).status_code == 302
    assert next(version.image for version in plain.versions.all()) == "example/notebook:2"
    assert browser.post(f"{LIST}add/", form()).status_code == 302


def test_a_name_that_a_group_has_is_not_shared_with_it(
    admin: Client, ada: User, mallory: User
) -> None:
    lab = Group.objects.create(name="lab")
    EnvironmentFactory.create(name="pytorch", owner=ada).groups.add(lab)
    his = EnvironmentFactory.create(name="pytorch", owner=mallory)
    other = EnvironmentFactory.create(name="other", owner=mallory)
    other.groups.add(lab)
    of_the_site = EnvironmentFactory.create(name="pytorch")
    Environment.objects.filter(pk=of_the_site.pk).update(enabled=False)
    of_the_site.groups.add(lab)
    said = "The group “lab” has an environment named “pytorch” already."

    def posted(environment: Environment, name: str, owner: str, *groups: Group) -> bool:
        """Whether it was taken, or else refused for that reason."""
        answer = admin.post(
            f"{LIST}{environment.pk}/change/",
            {
                **form(name=name, owner=owner, image="example/notebook:1"),
                "groups": [str(group.pk) for group in groups],
            },
        )
        if answer.status_code == 302:
            return True
        assert said in answer.text
        return False

    whose = str(mallory.pk)
    assert not posted(his, "pytorch", whose, lab)
    assert not his.groups.exists()
    # Renamed to it, or given away with it.
    assert not posted(other, "pytorch", str(UserFactory.create().pk), lab)
    assert not posted(of_the_site, "pytorch", str(UserFactory.create().pk), lab)
    other.refresh_from_db()
    assert (other.name, other.owner) == ("other", mallory)
    assert posted(other, "other", whose, lab)
    # One of the site comes before those of users.
    assert posted(of_the_site, "pytorch", "", lab)


def test_the_api_and_the_pages_ask_for_the_right_as_well(editor: User, plain: Environment) -> None:
    needed = "Can configure what everybody's sessions run"
    api, browser = api_of(editor), browser_of(editor)
    kernels = [{"name": "science", "pip": ["pandas"]}]
    made = api.post("/api/v2/environments/", {"name": "new-env", "for_site": True})
    versions = f"/api/v2/environments/{plain.name}/versions/"
    changed = api.post(versions, {"image": "evil:1"})
    with_packages = api.post(versions, {"kernels": kernels})
    for answer in (made, changed, with_packages):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
        assert needed in answer.json()["message"]
    page = browser.get(f"/environments/{plain.name}").text
    assert html.escape(needed) in page
    assert f"/environments/{plain.name}/versions/new" not in page
    posted = browser.post(f"/environments/{plain.name}/versions/new", {"image": "evil:1"})
    assert posted.status_code == 403
    v1 = api.patch(
        f"/api/v1/environment/{plain.name}", {"name": plain.name, "dockerImage": "evil:1"}
    )
    assert v1.status_code == 403
    assert plain.versions.count() == 1
    # What does not end as code stays theirs to change.
    hidden = api.patch(f"/api/v2/environments/{plain.name}/", {"hidden": True})
    assert (hidden.status_code, hidden.json()["hidden"]) == (200, True)
    # Their own, on an image that the site offers.
    own = api.post("/api/v2/environments/", {"name": "own-env", "image": "example/notebook:1"})
    assert own.status_code == 201
    other = api.post("/api/v2/environments/", {"name": "own-env-2", "image": "evil:1"})
    assert other.status_code == 400


def test_another_image_is_another_version_and_else_there_is_none(
    admin: Client, plain: Environment
) -> None:
    page = f"{LIST}{plain.pk}/change/"
    seen = plain.etag
    same = form(name=plain.name, image="example/notebook:1", description="Changed.")
    assert admin.post(page, same).status_code == 302
    assert plain.versions.count() == 1
    assert admin.post(page, {**same, "image": "example/notebook:2"}).status_code == 302
    plain.refresh_from_db()
    assert [version.image for version in plain.versions.all()] == [
        "example/notebook:2",
        "example/notebook:1",
    ]
    assert (plain.description, plain.etag == seen) == ("Changed.", False)


def test_a_change_in_the_list_makes_no_version(admin: Client, plain: Environment) -> None:
    row = {"form-0-id": str(plain.pk), "form-0-position": "7"}
    forms = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "_save": "Save"}
    assert admin.post(LIST, {**forms, **row}).status_code == 302
    plain.refresh_from_db()
    assert (plain.position, plain.enabled, plain.versions.count()) == (7, False, 1)


@pytest.mark.parametrize("image", ["", "a b", "$(id)", "-x"])
def test_what_is_no_image_is_refused(admin: Client, image: str) -> None:
    assert admin.post(f"{LIST}add/", form(image=image)).status_code == 200
    assert not Environment.objects.exists()


def test_what_no_session_has_is_deleted(admin: Client, plain: Environment) -> None:
    used = SessionFactory.create().environment
    chosen = {"action": "delete_unused", "_selected_action": [plain.pk, used.pk]}
    page = admin.post(LIST, chosen, follow=True).text
    assert "Deleted “Notebook-Env”." in page
    assert "It is in use by 1 session" in page
    assert list(Environment.objects.filter(deleted_at=None)) == [used]
    assert "Notebook-Env" not in admin.get(LIST).text


def test_builds_are_tried_again_and_discarded(admin: Client) -> None:
    failed = BuildFactory.create(state="failed", image="example/a:1")
    built = BuildFactory.create(state="built", image="example/b:1", size_bytes=5_000_000)
    used = BuildFactory.create(state="built", image="example/c:1")
    session = SessionFactory.create()
    session.environment_version.builds.add(used)
    assert "5 MiB" in admin.get(BUILDS).text
    chosen = {"_selected_action": [failed.pk, built.pk, used.pk]}
    admin.post(BUILDS, {"action": "retry", **chosen})
    admin.post(BUILDS, {"action": "discard", **chosen})
    states = dict(Build.objects.values_list("pk", "state"))
    assert states == {failed.pk: "queued", built.pk: "discarded", used.pk: "built"}


def test_what_the_store_may_have_lost_is_looked_for(admin: Client) -> None:
    built = BuildFactory.create(state="built", lock={"conda": [], "pip": []})
    discarded = BuildFactory.create(state="discarded", image="example/b:1")
    chosen = {"_selected_action": [built.pk, discarded.pk]}
    answer = admin.post(BUILDS, {"action": "rebuild", **chosen}, follow=True)
    assert "Looked for: 1 build." in answer.text
    states = dict(Build.objects.values_list("pk", "state"))
    assert states == {built.pk: "queued", discarded.pk: "discarded"}
    built.refresh_from_db()
    assert built.lock == {"conda": [], "pip": []}


@pytest.mark.parametrize(
    ("query", "found"), [("science", 1), ("example/notebook", 1), ("polars", 0)]
)
def test_builds_are_found(admin: Client, query: str, found: int) -> None:
    BuildFactory.create()
    page = admin.get(BUILDS, {"q": query})
    assert len(page.context["cl"].result_list) == found


@pytest.mark.parametrize("model", ["environment", "build"])
def test_the_cost_of_the_lists_does_not_grow(
    admin: Client, model: str, django_assert_num_queries
) -> None:
    def add(*numbers: int) -> None:
        for number in numbers:
            EnvironmentFactory.create(owner=UserFactory.create())
            # Of one image, for the filter offers each.
            kernel = Kernel(name=f"k{number}", display_name="K", pip=("a",))
            BuildFactory.create(of=kernel)

    address = f"/admin/environments/{model}/"
    add(0, 1, 2)
    admin.get(address)
    with django_assert_num_queries(QUERIES[model]):
        admin.get(address)
    add(3, 4, 5)
    with django_assert_num_queries(QUERIES[model]):
        admin.get(address)


QUERIES = {"environment": 8, "build": 11}
