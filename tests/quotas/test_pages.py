"""The pages, as far as they are about quotas: what is said before a click, and after one."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas import requests
from quotas.models import QuotaRequest
from tests.factories import (
    LimitFactory,
    ProfileFactory,
    SessionFactory,
    VolumeClassFactory,
    VolumeFactory,
)
from tests.sessions import state_of

pytestmark = pytest.mark.django_db

FORM = {"name": "next", "profile": "small", "environment": "notebook-env"}
SHORT = "This needs 1 session; you may have 1 session, with 1 session in use."


@pytest.fixture
def running(ada: User, small, plain) -> NotebookSession:
    """All that Ada may have."""
    LimitFactory.create(resource="sessions", amount=1)
    return SessionFactory.create(
        owner=ada, name="mine", profile=small, environment=plain, status=S.RUNNING
    )


def said(browser: Client, url: str) -> str:
    return " ".join(browser.get(url).content.decode().split())


def test_home_says_what_is_in_use(browser: Client, running: NotebookSession) -> None:
    for url in ("/", "/sessions/rows"):
        page = said(browser, url)
        assert '<span class="use-text">1 of 1</span>' in page
        assert "GPU" not in page


def test_a_size_says_what_is_in_its_way(browser: Client, running: NotebookSession) -> None:
    ProfileFactory.create(name="gpu", gpus=1, position=9)
    LimitFactory.create(resource="gpu:gpu", amount=0)
    page = said(browser, "/sessions/new")
    assert SHORT in page
    assert "This needs 1 GPU; you may have 0 GPU." in page
    assert f'name="stop" value="{running.pk}"' in page


def test_the_first_size_that_fits_is_chosen(browser: Client, plain) -> None:
    LimitFactory.create(resource="gpu:gpu", amount=0)
    ProfileFactory.create(name="gpu", gpus=1, position=0)
    ProfileFactory.create(name="small", position=1)
    response = browser.get("/sessions/new")
    assert response.context["chosen"]["profile"] == "small"
    assert response.context["fit"].fits


def test_a_stop_is_asked_about_and_the_form_loses_nothing(
    browser: Client, running: NotebookSession
) -> None:
    filled = {**FORM, "variable": "COLOUR", "variable-value": "blue"}
    asked = browser.post("/sessions/new", {**filled, "stop": str(running.pk)})
    assert asked.status_code == 200
    assert "Stop “mine”?" in asked.content.decode()
    assert state_of(running) == S.RUNNING
    kept = browser.post("/sessions/new", {**filled, "stop": ""})
    assert "Stop “mine”?" not in kept.content.decode()
    stopped = browser.post("/sessions/new", {**filled, "stop-now": str(running.pk)})
    assert stopped.status_code == 200
    assert state_of(running) == S.STOPPING
    for response in (asked, kept, stopped):
        assert response.context["chosen"]["name"] == "next"
        assert "COLOUR" in response.content.decode()
    assert "“mine” is stopping, and will give back what it holds." in " ".join(
        stopped.content.decode().split()
    )
    assert NotebookSession.objects.count() == 1


@pytest.mark.parametrize("name", ["stop", "stop-now"])
def test_a_stranger_s_session_is_not_stopped(
    browser: Client, small, plain, mallory: User, name: str
) -> None:
    theirs = SessionFactory.create(owner=mallory, status=S.RUNNING)
    for value in (str(theirs.pk), "x"):
        assert browser.post("/sessions/new", {**FORM, name: value}).status_code == 404
    assert state_of(theirs) == S.RUNNING


def test_a_launch_that_does_not_fit_says_so_at_the_size(
    browser: Client, running: NotebookSession
) -> None:
    response = browser.post("/sessions/new", FORM)
    assert response.status_code == 409
    assert f'id="profile-error">{SHORT}' in response.content.decode()
    assert NotebookSession.objects.count() == 1


def test_of_several_pools_one_is_chosen(browser: Client, ada: User, small, plain) -> None:
    for name in ("physics", "research"):
        group = Group.objects.create(name=name)
        ada.groups.add(group)
        LimitFactory.create(scope="pool", group=group, resource="sessions", amount=1)
    assert 'name="charge_to"' in said(browser, "/sessions/new")
    browser.post("/sessions/new", {**FORM, "charge_to": "research"})
    session = NotebookSession.objects.get()
    assert session.charged_to is not None
    assert session.charged_to.name == "research"
    full = said(browser, "/sessions/new/sizes?charge_to=research&profile=small")
    assert "the pool of research has 1 session, with 1 session in use." in full
    assert "in use." not in said(browser, "/sessions/new/sizes?charge_to=physics&profile=small")


def test_a_start_that_is_refused_leads_to_what_is_in_its_way(
    browser: Client, ada: User, running: NotebookSession, small, plain
) -> None:
    stopped = SessionFactory.create(owner=ada, profile=small, environment=plain, status=S.STOPPED)
    page = said(browser, f"/sessions/{stopped.pk}")
    assert SHORT in page
    assert f'name="from" value="{stopped.pk}" formaction="/sessions/{running.pk}/stop"' in page
    start = f"/sessions/{stopped.pk}/start"
    assert browser.post(start, {"from": "home"})["Location"] == f"/sessions/{stopped.pk}"
    by_script = browser.post(start, {"from": "home"}, headers={"HX-Request": "true"})
    assert by_script["HX-Redirect"] == f"/sessions/{stopped.pk}"
    assert state_of(stopped) == S.STOPPED
    back = browser.post(f"/sessions/{running.pk}/stop", {"from": str(stopped.pk)})
    assert back["Location"] == f"/sessions/{stopped.pk}"
    assert state_of(running) == S.STOPPING


def test_the_quota_page_says_why_and_what_holds(
    browser: Client, ada: User, operator: User, running: NotebookSession
) -> None:
    LimitFactory.create(
        scope="user", user=ada, resource="sessions", amount=2, set_by=operator, reason="<b>Tide</b>"
    )
    page = said(browser, "/quota")
    assert '<span class="use-text">1 of 2</span>' in page
    assert "set by olga" in page
    assert "&lt;b&gt;Tide&lt;/b&gt;" in page
    assert page.index("Each user") < page.index("Your own") < page.index(">decides<")
    assert f'formaction="/sessions/{running.pk}/stop"' in page
    back = browser.post(f"/sessions/{running.pk}/stop", {"from": "quota"})
    assert back["Location"] == "/quota"


def test_where_nothing_is_limited_the_page_says_so(browser: Client) -> None:
    page = said(browser, "/quota")
    assert "Nothing is limited" in page
    assert "Ask for more" not in page


def test_more_is_asked_for_on_a_form(browser: Client, ada: User, operator: User) -> None:
    LimitFactory.create(resource="memory_mib", amount=4096)
    form = {"resource": "memory_mib", "amount": "10G", "until": "2999-01-31", "why": "A <paper>."}
    wrong = browser.post("/quota/requests/new", form)
    assert wrong.status_code == 400
    assert 'id="amount-error">A number with MiB, GiB or TiB is needed' in wrong.content.decode()
    assert "A &lt;paper&gt;." in wrong.content.decode()
    assert browser.post("/quota/requests/new", {**form, "amount": "10 GiB"}).status_code == 302
    request = QuotaRequest.objects.get()
    assert (request.amount, str(request.until)) == (10240, "2999-01-31 23:59:59+00:00")
    assert "10 GiB of memory" in said(browser, "/quota")
    requests.refuse(request=request, by=operator, word="Not now.")
    assert "Not now." in said(browser, "/quota")
    late = browser.post(f"/quota/requests/{request.pk}/withdraw", follow=True)
    assert "This request is refused already." in late.content.decode()


@pytest.mark.parametrize("until", ["31.1.2999", "2999-13-01", "2001-01-01"])
def test_a_day_that_is_none_or_over_is_refused(browser: Client, until: str) -> None:
    LimitFactory.create(resource="sessions", amount=1)
    form = {"resource": "sessions", "amount": "2", "until": until, "why": "Work."}
    response = browser.post("/quota/requests/new", form)
    assert response.status_code == 400
    assert list(response.context["refusal"].fields) == ["until"]


def test_the_forms_of_volumes_say_what_is_in_use(browser: Client, ada: User) -> None:
    kind = VolumeClassFactory.create(name="standard", growable=True)
    LimitFactory.create(resource="storage_mib", amount=2048)
    volume = VolumeFactory.create(owner=ada, size_mib=1024, volume_class=kind)
    for url in ("/volumes/new", f"/volumes/{volume.pk}/grow"):
        assert '<span class="use-text">1 of 2 GiB</span>' in said(browser, url)
    refused = browser.post(f"/volumes/{volume.pk}/grow", {"size": "3"})
    assert refused.status_code == 409
    assert 'id="new-size-error">This needs 3 GiB; you may have 2 GiB.' in refused.content.decode()


def test_the_cost_of_the_pages_does_not_grow(
    browser: Client, ada: User, small, plain, django_assert_num_queries
) -> None:
    LimitFactory.create(resource="sessions", amount=1)
    browser.get("/account")
    for _ in range(2):
        SessionFactory.create_batch(
            5, owner=ada, profile=small, environment=plain, status=S.RUNNING
        )
        VolumeFactory.create_batch(5, owner=ada)
        with django_assert_num_queries(8):
            browser.get("/quota")
        with django_assert_num_queries(9):
            browser.get("/sessions/new/sizes")
