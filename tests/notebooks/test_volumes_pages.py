"""Volumes on the pages of sessions: what is asked for, what is said of them, and rescue."""

from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from environments.models import Environment
from notebooks.backends.contract import CodeSource
from notebooks.models import NotebookSession, Run
from notebooks.mounts import Mount
from notebooks.setup import Setup
from quotas.models import ResourceProfile
from tests.broker import Broker
from tests.conftest import browser_of
from tests.factories import SessionFactory, VolumeClassFactory, VolumeFactory
from volumes.models import Volume

pytestmark = pytest.mark.django_db

NEW = "/sessions/new"
CHOSEN = {"name": "mine", "profile": "small", "environment": "notebook-env"}


@pytest.fixture(autouse=True)
def catalogue(small: ResourceProfile, plain: Environment) -> Broker:
    """What a session can be made of; and nobody takes what is enqueued."""
    return Broker()


@pytest.fixture
def sets(ada: User) -> Volume:
    return VolumeFactory.create(owner=ada, name="<sets>", size_mib=10 * 1024)


def mount(volume: Volume, path: str = "data", mode: str = "") -> dict[str, object]:
    """The fields of a form with one row filled in, and the blank one below it."""
    return {
        "mount-volume": [str(volume.pk), ""],
        "mount-path": [path, ""],
        "mount-mode": [mode, ""],
    }


def having(volume: Volume, **values: object) -> NotebookSession:
    """A session of its owner's that attaches it, as far as its run as well."""
    setup = Setup(mounts=(Mount(volume=volume.pk, path="data"),)).as_json()
    session = SessionFactory.create(owner=volume.owner, setup=setup, **values)
    Run.objects.filter(session=session).update(setup=setup)
    return session


def words(text: str) -> str:
    return " ".join(text.split())


def said(browser: Client, url: str) -> str:
    return words(browser.get(url).text)


def test_the_form_asks_for_volumes(browser: Client, sets: Volume) -> None:
    browser.post(NEW, {**CHOSEN, **mount(sets, "data/raw", "read-only")})
    session = NotebookSession.objects.get()
    assert Setup.from_json(session.setup) == Setup(
        mounts=(Mount(volume=sets.pk, path="data/raw", read_only=True),)
    )
    page = said(browser, f"/sessions/{session.pk}")
    assert f'<a href="/volumes/{sets.pk}">&lt;sets&gt;</a> at <code>data/raw</code>' in page
    assert '<span class="tag">read-only</span>' in page


def test_the_form_says_what_there_is(browser: Client, ada: User, sets: Volume) -> None:
    page = said(browser, NEW)
    assert "Your home is made at the first start" in page
    assert "&lt;sets&gt; · 10 GiB" in page
    VolumeFactory.create(owner=ada, name="home", kind="home", size_mib=10 * 1024, used_mib=3277)
    page = said(browser, NEW)
    assert "Your home is attached: 3.2 of 10 GiB used." in page


def test_only_ones_own_volumes_that_are_not_in_the_trash_are_offered(
    browser: Client, ada: User, mallory: User
) -> None:
    VolumeFactory.create(owner=ada, name="old", state="trashed")
    VolumeFactory.create(owner=mallory, name="his")
    response = browser.get(NEW)
    assert response.context["choices"].data == []
    assert "You have no other volume." in response.text


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc",
        "../x",
        "a/../../x",
        ".jupyter",
        "a/.ssh",
        "a\0b",
        "x" * 300,
        "data:1",
    ],
)
def test_a_path_that_cannot_be_is_told_at_its_row_and_survives(
    browser: Client, sets: Volume, path: str
) -> None:
    response = browser.post(NEW, {**CHOSEN, **mount(sets, path)})
    assert response.status_code == 400
    assert set(response.context["refusal"].fields) == {"mounts.0.path"}
    [row] = response.context["setup"].volumes.filled
    assert (row.path, row.volume) == (path, str(sets.pk))
    assert row.error
    assert response.context["refused_as_a_whole"] is False
    page = words(response.text)
    assert '<details class="card" id="volumes" open>' in page
    assert "data-error" in page
    assert not NotebookSession.objects.exists()


def test_faults_stand_at_their_rows(browser: Client, ada: User, sets: Volume) -> None:
    other = VolumeFactory.create(owner=ada)
    form = {
        "mount-volume": [str(sets.pk), str(other.pk)],
        "mount-path": ["data", "data/raw"],
        "mount-mode": ["", ""],
    }
    rows = browser.post(NEW, {**CHOSEN, **form}).context["setup"].volumes.filled
    assert [bool(row.error) for row in rows] == [False, True]


@pytest.mark.parametrize("volume", ["", "nonsense", str(UUID(int=1))])
def test_what_is_no_volume_of_ones_own_is_told_at_its_row(browser: Client, volume: str) -> None:
    form = {"mount-volume": [volume], "mount-path": ["data"], "mount-mode": [""]}
    response = browser.post(NEW, {**CHOSEN, **form})
    assert response.status_code == 400
    assert set(response.context["refusal"].fields) == {"mounts.0.volume"}
    assert 'value="data"' in response.text


def test_a_strangers_volume_cannot_be_had(mallory: User, sets: Volume) -> None:
    response = browser_of(mallory).post(NEW, {**CHOSEN, **mount(sets)})
    assert response.status_code == 400
    assert "&lt;sets&gt;" not in response.text
    assert browser_of(mallory).get(NEW, {"volume": str(sets.pk)}).status_code == 404


@pytest.mark.parametrize("volume", ["nonsense", str(UUID(int=1))])
def test_a_link_with_a_volume_that_is_not_there_is_not_found(browser: Client, volume: str) -> None:
    assert browser.get(NEW, {"volume": volume}).status_code == 404


def test_a_volumes_page_leads_to_a_form_with_it(browser: Client, sets: Volume) -> None:
    [row] = browser.get(NEW, {"volume": str(sets.pk)}).context["setup"].volumes.filled
    assert (row.volume, row.path) == (str(sets.pk), "sets")


@pytest.mark.parametrize(
    ("mode", "words_of_it"),
    [
        ("one_machine", "a session with it starts on the same machine."),
        ("one_session", "and one session alone may have it."),
        ("many_machines", None),
    ],
)
def test_who_has_a_volume_is_said_before_the_start(
    browser: Client, sets: Volume, mode: str, words_of_it: str | None
) -> None:
    Volume.objects.update(access_mode=mode)
    having(sets, name="thesis", status="running")
    page = said(browser, NEW)
    assert ("in use by the session “thesis”" in page) is bool(words_of_it)
    assert words_of_it is None or words_of_it in page


def test_a_volume_that_is_busy_is_told_and_what_was_filled_in_survives(
    browser: Client, sets: Volume
) -> None:
    Volume.objects.update(access_mode="one_session")
    having(sets, name="thesis", status="running")
    response = browser.post(NEW, {**CHOSEN, **mount(sets)})
    assert response.status_code == 409
    assert response.context["refusal"].code == "volume_busy"
    assert "Stop “thesis” first." in response.text
    assert response.context["setup"].volumes.filled[0].path == "data"


def test_a_session_says_that_its_volume_is_in_the_trash(browser: Client, sets: Volume) -> None:
    session = having(sets, status="stopped")
    Volume.objects.update(state="trashed")
    url = f"/sessions/{session.pk}"
    assert "in the trash" in said(browser, url)
    response = browser.post(f"{url}/start", follow=True)
    assert "in the trash" in response.context["messages"]._loaded_data[0].message
    Volume.objects.all().delete()
    assert "a volume that was removed" in said(browser, url)


def test_what_a_session_starts_with_is_edited(browser: Client, ada: User, sets: Volume) -> None:
    source = CodeSource(url="https://git.example.com/team/project.git", folder="project")
    setup = Setup(code=(source,), variables={"A": "1"})
    session = SessionFactory.create(owner=ada, status="running", setup=setup.as_json())
    url = f"/sessions/{session.pk}"
    response = browser.get(f"{url}/edit")
    assert response.context["setup"].setup() == setup
    form = {
        "etag": response.context["etag"],
        "variable": ["A", "B"],
        "variable-value": ["1", "2"],
        **mount(sets),
    }
    assert browser.post(f"{url}/edit", form)["Location"] == url
    session.refresh_from_db()
    assert Setup.from_json(session.setup) == Setup(
        variables={"A": "1", "B": "2"}, mounts=(Mount(volume=sets.pk, path="data"),)
    )
    assert "begins with what was" in said(browser, url)

    answer = browser.post(f"{url}/edit", {**form, "variable": ["A", "C"]})
    assert answer.status_code == 412
    assert "Load it as it is now" in answer.text
    assert 'value="C"' in answer.text


def test_an_edit_that_cannot_be_is_told_at_its_field(
    browser: Client, ada: User, sets: Volume
) -> None:
    session = SessionFactory.create(owner=ada, status="stopped")
    response = browser.post(f"/sessions/{session.pk}/edit", mount(sets, "../x"))
    assert response.status_code == 400
    assert response.context["setup"].volumes.filled[0].error
    session.refresh_from_db()
    assert session.setup == {}


def test_deleting_says_what_stays(browser: Client, ada: User, sets: Volume) -> None:
    VolumeFactory.create(owner=ada, name="home", kind="home", used_mib=3277)
    session = having(sets, status="stopped")
    page = said(browser, f"/sessions/{session.pk}/delete")
    assert "Your home (3.2 GiB) stays." in page
    assert "Its volumes stay: “&lt;sets&gt;”." in page


@pytest.mark.parametrize(
    ("reason", "offered"),
    [
        ("server_exited", True),
        ("server_never_answered", True),
        ("home_full", True),
        ("server_lost", False),
    ],
)
def test_rescue_is_offered_where_the_home_may_be_at_fault(
    browser: Client, ada: User, reason: str, *, offered: bool
) -> None:
    session = SessionFactory.create(owner=ada, status="failed", reason_code=reason)
    assert ("Start in rescue" in said(browser, f"/sessions/{session.pk}")) is offered


def test_a_session_is_started_in_rescue_and_says_so(browser: Client, ada: User) -> None:
    session = SessionFactory.create(owner=ada, status="failed", reason_code="server_exited")
    url = f"/sessions/{session.pk}"
    browser.post(f"{url}/start", {"rescue": "true"})
    session.refresh_from_db()
    assert session.current_run is not None
    assert session.current_run.is_rescue
    NotebookSession.objects.update(status="running")
    Run.objects.update(ready_at=timezone.now())
    assert "It was started in rescue." in said(browser, url)


def test_a_session_that_is_in_rescue_because_its_home_is_full_says_how_full(
    browser: Client, ada: User
) -> None:
    growable = VolumeClassFactory.create(growable=True)
    home = VolumeFactory.create(owner=ada, name="home", kind="home")
    session = SessionFactory.create(owner=ada, status="running")
    Run.objects.update(is_rescue=True)
    message = "The home is full: 16 of 16 MiB. It is started in rescue."
    NotebookSession.objects.note(session, message, code="home_full")
    url = f"/sessions/{session.pk}"
    assert f"{message}</p>" in said(browser, url)
    assert "Delete files, then stop and start." in said(browser, url)
    # One that its owner may make larger.
    Volume.objects.update(kind="data", volume_class=growable, size_mib=16)
    NotebookSession.objects.update(home=home)
    grow = f'Delete files, or grow <a href="/volumes/{home.pk}">the home</a>, then stop and start.'
    assert grow in said(browser, url)
