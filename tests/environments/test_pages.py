"""The pages of environments."""

import json

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape

from accounts.models import User
from environments.files import MAX_BYTES
from environments.kernels import Kernel
from environments.models import Build, Environment, EnvironmentVersion
from tests.broker import Broker
from tests.conftest import browser_of
from tests.factories import BuildFactory, EnvironmentFactory, ProfileFactory, SessionFactory

pytestmark = pytest.mark.django_db

IMAGE = "example/notebook:1"
SCIENCE = Kernel(name="science", display_name="Science", pip=("pandas>=2",))


@pytest.fixture(autouse=True)
def broker() -> Broker:
    return Broker()


@pytest.fixture
def hers(ada: User, plain: Environment) -> Environment:
    """Ada's, of which the one kernel is being built."""
    environment = EnvironmentFactory.create(
        name="hers", owner=ada, newest__kernels=[SCIENCE.as_json()]
    )
    assert environment.newest is not None
    environment.newest.builds.add(BuildFactory.create(of=SCIENCE, state="building"))
    return environment


def upload(text: str, name: str = "environment.yml") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


def test_the_catalogue_says_what_is_in_them_and_whether_it_is_built(
    browser: Client, hers: Environment
) -> None:
    page = browser.get("/environments").text
    assert "pandas&gt;=2" in page
    assert "is being built" in page
    assert 'href="/sessions/new?environment=hers"' in page
    assert "Notebook-Env" not in browser.get("/environments?q=pandas").text
    assert "Nothing has “&lt;b&gt;”" in browser.get("/environments?q=<b>").text


def test_the_cost_of_the_catalogue_does_not_grow(
    browser: Client, ada: User, hers: Environment, django_assert_num_queries
) -> None:
    # The first look of a sign-in is noted.
    browser.get("/environments")
    with django_assert_num_queries(CATALOGUE_QUERIES):
        browser.get("/environments")
    for each in EnvironmentFactory.create_batch(5, owner=ada):
        assert each.newest is not None
        each.newest.builds.set(Build.objects.all())
    with django_assert_num_queries(CATALOGUE_QUERIES):
        browser.get("/environments")


CATALOGUE_QUERIES = 7


def test_the_cost_of_an_environments_page_does_not_grow(
    browser: Client, hers: Environment, django_assert_num_queries
) -> None:
    browser.get("/environments/hers")
    with django_assert_num_queries(PAGE_QUERIES):
        browser.get("/environments/hers")
    SessionFactory.create_batch(5, environment=hers)
    for number in range(2, 7):
        EnvironmentVersion.objects.create(environment=hers, number=number, image=IMAGE)
    with django_assert_num_queries(PAGE_QUERIES):
        browser.get("/environments/hers")


PAGE_QUERIES = 13


def test_the_page_says_who_uses_it(
    browser: Client, hers: Environment, operator: User, plain: Environment
) -> None:
    assert "no session" in browser.get("/environments/hers").text
    of_another = SessionFactory.create(environment=plain)
    page = "/environments/notebook-env"
    assert "1 session of 1 person" in browser.get(page).text
    assert of_another.owner.username not in browser.get(page).text
    assert of_another.owner.username in browser_of(operator).get(page).text


def test_a_build_is_followed_until_it_has_ended(browser: Client, hers: Environment) -> None:
    page = browser.get("/environments/hers")
    seen = page.context["seen"]
    part = "/environments/hers/versions/1/builds"
    assert f'hx-get="{part}?seen={seen}"' in page.text
    assert browser.get(part, {"seen": seen}).status_code == 204
    Build.objects.update(log_tail="Resolving <packages>.")
    assert "Resolving &lt;packages&gt;." in browser.get(part, {"seen": seen}).text
    Build.objects.update(state="built", size_bytes=2_000_000, lock={"pip": []})
    ended = browser.get(part, {"seen": seen}).text
    assert "hx-trigger" not in ended
    assert "2 MiB" in ended


def test_a_build_that_failed_says_why_and_can_be_tried_again(
    browser: Client, hers: Environment
) -> None:
    Build.objects.update(state="failed", error="There is no package “<pandas>”.")
    page = browser.get("/environments/hers").text
    assert "There is no package “&lt;pandas&gt;”." in page
    digest = Build.objects.get().digest
    form = {"environment": "hers", "version": "1"}
    answer = browser.post(f"/builds/{digest}/retry", form)
    assert answer["Location"] == "/environments/hers?version=1"
    assert Build.objects.get().state == "queued"


@pytest.mark.parametrize("version", ["x", "-1", "²", "9" * 30, "2"])
def test_a_version_that_is_not_there_is_not_found(
    browser: Client, hers: Environment, version: str
) -> None:
    assert browser.get("/environments/hers", {"version": version}).status_code == 404
    form = {"environment": "hers", "version": version}
    digest = Build.objects.get().digest
    assert browser.post(f"/builds/{digest}/retry", form).status_code == 302


def test_what_was_installed_is_a_file(browser: Client, hers: Environment) -> None:
    address = f"/builds/{Build.objects.get().digest}/lock"
    assert browser.get(address).status_code == 302
    Build.objects.update(state="built", lock={"pip": ["pandas==2.2.0"]})
    answer = browser.get(address)
    assert json.loads(answer.content) == {"pip": ["pandas==2.2.0"]}
    assert answer["Content-Disposition"] == 'attachment; filename="science.lock.json"'


@pytest.mark.usefixtures("plain")
def test_one_is_made_of_what_is_typed(browser: Client) -> None:
    form = {
        "name": "mine",
        "display_name": "Mine",
        "image": IMAGE,
        "kernel-0-name": "science",
        "kernel-0-display_name": "Science",
        "kernel-0-pip": "pandas >= 2\r\n\r\n",
        "kernel-1-name": "art",
        "kernel-1-pip": "pillow",
        "needs_gpu": "on",
        "smallest_cpu": "1.5",
        "note": "The first.",
    }
    assert browser.post("/environments/new", form)["Location"] == "/environments/mine"
    version = Environment.objects.get(name="mine").newest
    assert version is not None
    assert version.declared == (
        SCIENCE,
        Kernel(name="art", display_name="art", pip=("pillow",)),
    )
    assert (version.needs_gpu, version.smallest_cpu_milli, version.note) == (
        True,
        1500,
        "The first.",
    )


@pytest.mark.usefixtures("plain")
def test_one_is_made_of_a_file(browser: Client) -> None:
    form = {"name": "mine", "kernel-0-file": upload("dependencies:\n - python=3.12\n")}
    assert browser.post("/environments/new", form).status_code == 302
    version = Environment.objects.get(name="mine").newest
    assert version is not None
    assert version.declared == (
        Kernel(
            name="mine",
            display_name="mine",
            channels=("conda-forge",),
            conda=("python 3.12.*",),
        ),
    )
    # What was written is shown, and stands in the form of the next version.
    assert version.requested[0].conda == ("python=3.12",)
    assert "<code>python=3.12</code>" in browser.get("/environments/mine").text
    page = browser.get("/environments/mine/versions/new").text
    assert "python=3.12" in page
    assert "python 3.12.*" not in page
    assert "conda-forge" in page


@pytest.mark.usefixtures("plain")
def test_faults_stand_at_their_fields_by_line_and_what_was_typed_stays(browser: Client) -> None:
    form = {
        "name": "mine",
        "description": "For <us>.",
        "kernel-0-pip": "pandas\n-r x.txt",
        "kernel-0-conda": "*",
        "kernel-1-file": upload("a: &x 1", "e.yml"),
        "smallest_memory_mib": "much",
    }
    answer = browser.post("/environments/new", form)
    assert answer.status_code == 400
    for said in (
        "line 2: “-r x.txt”: this site follows no other file. Copy its lines in place of this one.",
        "line 1: “*” is not a conda package",
        "line 1: refused by this site: anchors and aliases are not taken.",
        "A number from 0 to 100000000 is needed.",
        "pandas\n-r x.txt</textarea>",
        'value="For &lt;us&gt;."',
    ):
        assert said in answer.text
    assert not Environment.objects.filter(name="mine").exists()


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("number", ["nan", "inf", "-1", "1e400", "x" * 100])
def test_a_number_is_a_number(browser: Client, number: str) -> None:
    answer = browser.post("/environments/new", {"name": "mine", "smallest_cpu": number})
    assert answer.status_code == 400
    assert "A number from 0 to 10000 is needed." in answer.text


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "A"}, "Small letters, digits and hyphens"),
        ({"name": "notebook-env"}, "There is an environment named “notebook-env” already."),
        ({"image": "evil:1"}, "The images that you may build on: example/notebook:1."),
        ({"image": "docker://x"}, "The images that you may build on: example/notebook:1."),
        ({"groups": "physics"}, "There is no group “physics” that you may choose."),
        ({"for_site": "on"}, "Environments of the site are made by operators."),
    ],
)
def test_a_refusal_is_told_on_the_page(browser: Client, change: dict[str, str], said: str) -> None:
    Group.objects.create(name="physics")
    answer = browser.post("/environments/new", {"name": "mine", **change})
    assert answer.status_code in {400, 403, 409}
    assert said in answer.text


def test_a_new_version_begins_with_what_the_newest_has(browser: Client, hers: Environment) -> None:
    page = browser.get("/environments/hers/versions/new").text
    assert "pandas&gt;=2</textarea>" in page
    form = {"kernel-0-name": "science", "kernel-0-pip": "polars"}
    assert browser.post("/environments/hers/versions/new", form).status_code == 302
    assert [version.number for version in hers.versions.all()] == [2, 1]


def test_of_two_who_edit_the_second_is_told(browser: Client, hers: Environment) -> None:
    form = {"etag": hers.etag, "display_name": "Hers", "enabled": "on"}
    assert browser.post("/environments/hers/edit", form).status_code == 302
    answer = browser.post("/environments/hers/edit", {**form, "display_name": "Other"})
    assert answer.status_code == 412
    assert "This environment has been changed meanwhile." in answer.text
    assert 'value="Other"' in answer.text


def test_the_form_knows_how_large_a_file_may_be(browser: Client) -> None:
    page = browser.get("/environments/new").text
    assert f'data-most-kib="{MAX_BYTES // 1024}"' in page
    assert f"at most {MAX_BYTES // 1024} KiB" in page


def test_of_two_who_make_a_new_version_the_second_is_told(
    browser: Client, hers: Environment
) -> None:
    form = {"etag": hers.etag, "kernel-0-name": "science", "kernel-0-pip": "polars"}
    assert f'name="etag" value="{escape(hers.etag)}"' in " ".join(
        browser.get("/environments/hers/versions/new").text.split()
    )
    assert browser.post("/environments/hers/versions/new", form).status_code == 302
    answer = browser.post("/environments/hers/versions/new", {**form, "kernel-0-pip": "numpy"})
    assert answer.status_code == 412
    assert "This environment has been changed meanwhile." in answer.text
    assert "Load it as it is now" in answer.text
    assert "numpy</textarea>" in answer.text
    assert [version.number for version in hers.versions.all()] == [2, 1]


def test_what_is_in_use_is_not_deleted_and_the_page_says_where(
    browser: Client, hers: Environment, ada: User
) -> None:
    session = SessionFactory.create(owner=ada, name="thesis", environment=hers)
    assert "“thesis”" in browser.get("/environments/hers/delete").text
    answer = browser.post("/environments/hers/delete", follow=True)
    assert "It is in use by 1 session" in answer.text
    type(session).objects.update(deleted_at="2026-01-01T00:00Z")
    answer = browser.post("/environments/hers/delete", follow=True)
    assert "Deleted “Hers”." in answer.text
    assert browser.get("/environments/hers").status_code == 404


def test_what_one_sees_and_may_not_change_is_forbidden(browser: Client, plain: Environment) -> None:
    assert "New version" not in browser.get("/environments/notebook-env").text
    for page in ("edit", "delete", "versions/new"):
        assert browser.get(f"/environments/notebook-env/{page}").status_code == 403


def test_one_that_is_deprecated_says_what_takes_its_place(
    browser: Client, hers: Environment, plain: Environment
) -> None:
    Environment.objects.filter(pk=hers.pk).update(
        deprecated=True, deprecation="It is old.", successor=plain
    )
    page = browser.get("/environments/hers").text
    assert "It is old." in page
    assert 'href="/environments/notebook-env"' in page


def test_the_form_of_a_session_says_what_is_in_them(browser: Client, hers: Environment) -> None:
    EnvironmentFactory.create(name="quite-hidden", hidden=True)
    ProfileFactory.create()
    page = browser.get("/sessions/new?environment=hers")
    assert "pandas&gt;=2" in page.text
    assert "quite-hidden" not in page.text


def test_a_version_of_any_length_may_be_named_with_a_retry(
    browser: Client, hers: Environment
) -> None:
    form = {"environment": "hers", "version": "9" * 5000}
    answer = browser.post(f"/builds/{Build.objects.get().digest}/retry", form)
    assert answer.status_code == 302


@pytest.mark.usefixtures("small")
def test_what_has_a_name_that_oneself_has_too_is_not_listed(
    browser: Client, hers: Environment, operator: User
) -> None:
    EnvironmentFactory.create(name="hers", display_name="Of the site")
    for address in ("/environments", "/sessions/new"):
        page = browser.get(address).text
        assert "Of the site" not in page
        assert "hers" in page
    assert "Of the site" not in browser.get("/environments/hers").text
    assert "Of the site" in browser_of(operator).get("/environments/hers").text


def test_an_image_is_given_by_its_reference(operator: User) -> None:
    form = {"name": "mine", "for_site": "on", "image": "docker://example/a:1"}
    answer = browser_of(operator).post("/environments/new", form)
    assert answer.status_code == 400
    assert "This is not the reference of an image, such as" in answer.text
    assert not Environment.objects.exists()
