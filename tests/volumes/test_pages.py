"""The pages of volumes: what they say, what they ask before they do it, and what they cost."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from notebooks.models import NotebookSession
from tests.broker import Broker
from tests.factories import SessionFactory, VolumeFactory
from volumes.models import Volume, VolumeClass
from volumes.states import VolumeState

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def broker() -> Broker:
    return Broker()


@pytest.fixture
def hers(ada: User, standard: VolumeClass) -> Volume:
    """Ada's, a third full."""
    return VolumeFactory.create(
        owner=ada,
        name="<b>data</b>",
        volume_class=standard,
        size_mib=10 * 1024,
        used_mib=3277,
        seen_at=timezone.now(),
    )


@pytest.fixture
def home(ada: User) -> Volume:
    return VolumeFactory.create(owner=ada, name="home", kind="home", size_mib=None)


def attach(volume: Volume, *, name: str = "thesis", status: str = "stopped") -> NotebookSession:
    mounts = [{"volume": str(volume.pk), "path": "sets/raw", "read_only": True}]
    setup = {"mounts": mounts}
    session = SessionFactory.create(owner=volume.owner, name=name, status=status, setup=setup)
    assert session.current_run is not None
    type(session.current_run).objects.filter(pk=session.current_run.pk).update(setup=setup)
    return session


def words(text: str) -> str:
    """A page's text on one line, as far as spaces go."""
    return " ".join(text.split())


def page(browser: Client, url: str) -> str:
    return words(browser.get(url).text)


def test_who_has_none_is_told_what_they_are_for(browser: Client) -> None:
    said = page(browser, "/volumes")
    assert "A volume is storage that outlives sessions" in said
    assert "Your home is one, too." in said
    assert 'href="/volumes/new"' in said


def test_the_list_says_how_full_they_are_and_who_has_them(
    browser: Client, hers: Volume, home: Volume
) -> None:
    session = attach(hers)
    said = page(browser, "/volumes")
    assert "&lt;b&gt;data&lt;/b&gt;" in said
    assert "<b>data" not in said
    assert "3.2 of 10 GiB" in said
    assert f'<a href="/sessions/{session.pk}">thesis</a>' in said
    assert "every session" in said
    assert "not measured yet" in said
    assert "Trash" not in said


def test_the_trash_says_when_what_is_in_it_is_removed(browser: Client, ada: User, settings) -> None:
    settings.VOLUMES_TRASH = timedelta(days=7)
    VolumeFactory.create(
        owner=ada,
        name="old",
        state=VolumeState.TRASHED,
        trashed_at=timezone.now().replace(2026, 1, 1, 12, 0),
    )
    said = page(browser, "/volumes")
    assert "8 Jan 2026, " in said
    assert "Remove now" in said
    assert "No volumes yet" in said


def test_the_cost_of_the_list_does_not_grow(
    browser: Client, hers: Volume, django_assert_num_queries
) -> None:
    # The first look of a sign-in is noted.
    browser.get("/volumes")
    with django_assert_num_queries(LIST_QUERIES):
        browser.get("/volumes")
    for volume in VolumeFactory.create_batch(5, owner=hers.owner, volume_class=hers.volume_class):
        attach(volume, name=volume.name)
    with django_assert_num_queries(LIST_QUERIES):
        browser.get("/volumes")


LIST_QUERIES = 5


def test_the_page_says_where_it_is_attached(browser: Client, hers: Volume) -> None:
    url = f"/volumes/{hers.pk}"
    assert "No session has it." in page(browser, url)
    session = attach(hers)
    said = page(browser, url)
    assert f'<a href="/sessions/{session.pk}">thesis</a>' in said
    assert "<code>sets/raw</code>" in said
    assert "read-only" in said
    assert "one machine at a time" in said
    assert f'href="/sessions/new?volume={hers.pk}"' in said


def test_the_home_is_attached_to_every_session(browser: Client, home: Volume, hers: Volume) -> None:
    attach(hers)
    said = page(browser, f"/volumes/{home.pk}")
    assert "It is the home of every session of yours:" in said
    assert "thesis" in said
    assert "New session with it" not in said


def test_a_home_in_the_trash_is_nobodys_home(browser: Client, home: Volume, hers: Volume) -> None:
    attach(hers)
    Volume.objects.filter(pk=home.pk).update(state="trashed", trashed_at=timezone.now())
    said = page(browser, f"/volumes/{home.pk}")
    assert "While it is in the trash, your sessions have another home." in said
    assert "It is the home of every session" not in said


def test_what_an_adopted_one_holds_is_not_promised(browser: Client, hers: Volume) -> None:
    Volume.objects.update(claim="archive", volume_class=None, size_mib=None, used_mib=None)
    said = page(browser, f"/volumes/{hers.pk}")
    assert "not measured" in said
    assert "not measured yet" not in said


def test_one_that_failed_says_why_and_can_be_tried_again(browser: Client, hers: Volume) -> None:
    Volume.objects.update(state=VolumeState.FAILED, reason="No class <fast>.")
    url = f"/volumes/{hers.pk}"
    assert "No class &lt;fast&gt;." in page(browser, url)
    assert browser.post(f"{url}/retry")["Location"] == url
    hers.refresh_from_db()
    assert hers.state == VolumeState.REQUESTED


@pytest.mark.parametrize(
    ("values", "looks_again"),
    [
        ({"state": "requested"}, True),
        ({"wanted_mib": 20 * 1024}, True),
        ({"state": "ready"}, False),
        ({"state": "failed"}, False),
        ({"state": "trashed", "trashed_at": timezone.now()}, False),
    ],
)
def test_a_page_looks_again_while_a_worker_is_about_to_change_it(
    browser: Client, hers: Volume, values: dict[str, object], *, looks_again: bool
) -> None:
    Volume.objects.update(**values)
    for url in ("/volumes", f"/volumes/{hers.pk}"):
        text = browser.get(url).text
        assert ("hx-trigger" in text) is looks_again
        # Else the links in it would put what they ask for where the page itself goes.
        assert ('hx-disinherit="*"' in text) is looks_again


def test_one_is_made_of_what_is_typed(browser: Client, standard: VolumeClass, ada: User) -> None:
    form = {"name": "data", "volume_class": "standard", "size": "0.5"}
    answer = browser.post("/volumes/new", form)
    volume = Volume.objects.get(owner=ada, name="data")
    assert answer["Location"] == f"/volumes/{volume.pk}"
    assert (volume.size_mib, volume.state) == (512, VolumeState.REQUESTED)


def test_the_form_proposes_what_is_usual(browser: Client, standard: VolumeClass) -> None:
    said = page(browser, "/volumes/new")
    assert 'name="size" value="10"' in said
    assert "At most 100 GiB · one machine at a time · can grow" in said


def test_where_nothing_is_offered_there_is_nothing_to_fill_in(browser: Client) -> None:
    said = page(browser, "/volumes/new")
    assert "No kind of storage is offered to you." in said
    assert "Create volume" not in said


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size": ""}, "size_mib"),
        ({"size": "0"}, "size_mib"),
        ({"size": "-1"}, "size_mib"),
        ({"size": "much"}, "size_mib"),
        ({"size": "nan"}, "size_mib"),
        ({"size": "inf"}, "size_mib"),
        ({"size": "1e300"}, "size_mib"),
        ({"size": "101"}, "size_mib"),
        ({"size": "9" * 5000}, "size_mib"),
        ({"name": "x" * 300}, "name"),
        ({"name": " "}, "name"),
        ({"name": "\u202edata"}, "name"),
        ({"name": "taken"}, "name"),
        ({"volume_class": "none"}, "volume_class"),
        ({"volume_class": "a\0b"}, "volume_class"),
    ],
)
def test_an_error_stands_at_its_field_and_what_was_typed_survives(
    browser: Client, ada: User, standard: VolumeClass, change: dict[str, str], field: str
) -> None:
    VolumeFactory.create(owner=ada, name="taken")
    form = {"name": "data", "volume_class": "standard", "size": "2", **change}
    answer = browser.post("/volumes/new", form)
    assert answer.status_code in {400, 409}
    assert set(answer.context["refusal"].fields) == {field}
    assert answer.context["size_gib"] == form["size"]
    assert answer.context["name"] == form["name"]
    assert 'class="field-error"' in answer.text
    assert Volume.objects.count() == 1


@pytest.mark.parametrize("size", ["0", "-1", "101", "2e9"])
def test_a_size_that_no_class_has_is_told_in_the_words_of_the_api(
    browser: Client, standard: VolumeClass, size: str
) -> None:
    form = {"name": "data", "volume_class": "standard", "size": size}
    answer = browser.post("/volumes/new", form)
    said = {"size_mib": "A size from 1 MiB to 100 GiB is needed."}
    assert answer.context["refusal"].fields == said


def test_it_grows_to_what_is_typed(browser: Client, hers: Volume) -> None:
    url = f"/volumes/{hers.pk}"
    assert "can have 100 GiB" in page(browser, f"{url}/grow")
    assert browser.post(f"{url}/grow", {"size": "20", "etag": hers.etag})["Location"] == url
    hers.refresh_from_db()
    assert (hers.size_mib, hers.wanted_mib) == (10 * 1024, 20 * 1024)
    assert "It grows to 20 GiB." in page(browser, url)


@pytest.mark.parametrize("size", ["", "0", "-1", "9", "101", "nan", "x"])
def test_a_size_that_cannot_be_is_told_at_the_field(
    browser: Client, hers: Volume, size: str
) -> None:
    answer = browser.post(f"/volumes/{hers.pk}/grow", {"size": size})
    assert answer.status_code == 400
    assert set(answer.context["refusal"].fields) == {"size_mib"}
    hers.refresh_from_db()
    assert hers.wanted_mib is None


def test_of_two_who_change_one_the_second_is_told(browser: Client, hers: Volume) -> None:
    etag = hers.etag
    url = f"/volumes/{hers.pk}/grow"
    assert browser.post(url, {"size": "20", "etag": etag}).status_code == 302
    answer = browser.post(url, {"size": "30", "etag": etag})
    assert answer.status_code == 412
    assert 'value="30"' in answer.text


def test_what_cannot_grow_does_not_offer_it(browser: Client, hers: Volume) -> None:
    VolumeClass.objects.update(growable=False)
    assert "Grow" not in page(browser, f"/volumes/{hers.pk}")
    assert "cannot be made larger" in page(browser, f"/volumes/{hers.pk}/grow")
    assert browser.post(f"/volumes/{hers.pk}/grow", {"size": "20"}).status_code == 409


def test_it_is_renamed(browser: Client, hers: Volume) -> None:
    url = f"/volumes/{hers.pk}"
    assert browser.post(f"{url}/rename", {"name": "sets"})["Location"] == url
    hers.refresh_from_db()
    assert hers.name == "sets"


def test_deleting_says_what_goes_and_asks_for_the_name(browser: Client, hers: Volume) -> None:
    attach(hers)
    url = f"/volumes/{hers.pk}/delete"
    said = page(browser, url)
    assert "with the 3.2 GiB that it holds. It can be brought back for 7 days" in said
    assert "1 session cannot be started without it: “thesis”." in said
    answer = browser.post(url, {"name": "data"})
    assert answer.status_code == 400
    assert "Its name is “&lt;b&gt;data&lt;/b&gt;”." in answer.text
    hers.refresh_from_db()
    assert hers.state == VolumeState.READY

    answer = browser.post(url, {"name": hers.name}, follow=True)
    assert "is in the trash." in answer.text
    hers.refresh_from_db()
    assert hers.state == VolumeState.TRASHED


def test_what_is_in_use_is_not_deleted_and_the_page_says_where(
    browser: Client, hers: Volume
) -> None:
    attach(hers, status="running")
    url = f"/volumes/{hers.pk}/delete"
    assert "“thesis” has it now, so it cannot be deleted." in page(browser, url)
    answer = browser.post(url, {"name": hers.name})
    assert answer.status_code == 409
    assert answer.context["refusal"].code == "volume_in_use"
    hers.refresh_from_db()
    assert hers.state == VolumeState.READY


def test_what_is_in_the_trash_is_restored(browser: Client, hers: Volume) -> None:
    Volume.objects.update(state=VolumeState.TRASHED, trashed_at=timezone.now())
    url = f"/volumes/{hers.pk}"
    assert "It is in the trash" in page(browser, url)
    assert browser.post(f"{url}/restore")["Location"] == url
    hers.refresh_from_db()
    assert hers.is_live


def test_where_its_name_is_taken_another_is_asked_for(browser: Client, hers: Volume) -> None:
    Volume.objects.update(state=VolumeState.TRASHED, trashed_at=timezone.now())
    VolumeFactory.create(owner=hers.owner, name=hers.name)
    url = f"/volumes/{hers.pk}/restore"
    answer = browser.post(url)
    assert answer.status_code == 409
    assert 'name="name" value="&lt;b&gt;data&lt;/b&gt;"' in words(answer.text)
    assert browser.post(url, {"name": "data again"}).status_code == 302
    hers.refresh_from_db()
    assert (hers.name, hers.is_live) == ("data again", True)


def test_what_is_in_the_trash_is_removed_for_good_when_asked_again(
    browser: Client, hers: Volume
) -> None:
    Volume.objects.update(state=VolumeState.TRASHED, trashed_at=timezone.now())
    url = f"/volumes/{hers.pk}/remove"
    assert "the 3.2 GiB that it holds go. This cannot be undone." in page(browser, url)
    answer = browser.post(url, follow=True)
    assert "is being removed." in answer.text
    hers.refresh_from_db()
    assert hers.state == VolumeState.REMOVING
    assert browser.get(f"/volumes/{hers.pk}").status_code == 404


def test_what_is_not_in_the_trash_is_not_removed(browser: Client, hers: Volume) -> None:
    answer = browser.post(f"/volumes/{hers.pk}/remove")
    assert answer.status_code == 409
    hers.refresh_from_db()
    assert hers.state == VolumeState.READY


def test_an_adopted_one_is_let_go_of(browser: Client, hers: Volume) -> None:
    Volume.objects.update(claim="old-claim", volume_class=None)
    assert "old-claim" in page(browser, f"/volumes/{hers.pk}")
    said = page(browser, f"/volumes/{hers.pk}/delete")
    assert "what it was adopted from is not touched" in said


@pytest.mark.parametrize(
    ("url", "marked"),
    [
        ("/", '<a href="/" aria-current="page">Sessions</a>'),
        ("/sessions/new", '<a href="/" aria-current="true">Sessions</a>'),
        ("/volumes", '<a href="/volumes" aria-current="page">Volumes</a>'),
        ("/volumes/new", '<a href="/volumes" aria-current="true">Volumes</a>'),
        ("/environments/new", '<a href="/environments" aria-current="true">Environments</a>'),
    ],
)
def test_the_top_bar_says_where_one_is(browser: Client, url: str, marked: str) -> None:
    said = page(browser, url)
    assert marked in said
    assert said.count("aria-current") == 1
