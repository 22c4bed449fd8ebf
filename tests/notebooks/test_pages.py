"""The pages of sessions, as far as they are answers: what they lead to, and what they cost."""

import pytest
from django.test import Client

from accounts.models import User
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from tests.conftest import browser_of
from tests.factories import SessionFactory
from tests.sessions import state_of

pytestmark = pytest.mark.django_db


def test_the_form_launches_once_however_often_it_is_sent(browser: Client, small, plain) -> None:
    key = browser.get("/sessions/new").context["key"]
    form = {"name": "a", "profile": "small", "environment": "notebook-env", "key": key}
    first, again = browser.post("/sessions/new", form), browser.post("/sessions/new", form)
    session = NotebookSession.objects.get()
    assert first["Location"] == again["Location"] == f"/sessions/{session.pk}?launched"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "taken"}, 409),
        ({"name": "\u202e"}, 400),
        ({"profile": "none"}, 400),
        ({"profile": "a\0b"}, 400),
        ({"environment": "a\0b"}, 400),
        ({"key": "é"}, 400),
    ],
)
def test_what_was_chosen_survives_an_error(
    browser: Client, ada: User, small, plain, *, change: dict[str, str], status: int
) -> None:
    SessionFactory.create(owner=ada, name="taken")
    form = {"name": "<b>mine</b>", "profile": "small", "environment": "notebook-env", **change}
    response = browser.post("/sessions/new", form)
    assert response.status_code == status
    assert response.context["chosen"]["name"] == form["name"]
    assert response.context["refusal"].message
    assert "<b>mine</b>" not in response.content.decode()
    assert NotebookSession.objects.count() == 1


def test_a_name_is_shown_as_text(browser: Client, ada: User) -> None:
    session = SessionFactory.create(owner=ada, name="<script>alert(1)</script>", status=S.STOPPED)
    for url in ("/", f"/sessions/{session.pk}", f"/sessions/{session.pk}/delete"):
        page = browser.get(url).content.decode()
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("url", ["/", "/sessions/{}", "/sessions/{}/state", "/sessions/rows"])
def test_a_page_is_there_in_every_state(browser: Client, ada: User, status: S, url: str) -> None:
    session = SessionFactory.create(
        owner=ada, status=status, reason_code="server_lost", reason="Gone."
    )
    assert browser.get(url.format(session.pk)).status_code == 200


def test_opening_leads_to_the_gateway_with_a_code(
    browser: Client, running: NotebookSession
) -> None:
    response = browser.get(f"/sessions/{running.pk}/open", {"next": "lab/tree/a.ipynb"})
    base = f"http://gateway.test:8001/session/{running.pk}/_submarine/enter?code="
    assert response["Location"].startswith(base)
    assert response["Location"].endswith("&next=lab%2Ftree%2Fa.ipynb")
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", [status for status in S if status != S.RUNNING])
def test_opening_what_does_not_run_leads_to_its_page(browser: Client, ada: User, status: S) -> None:
    session = SessionFactory.create(owner=ada, status=status)
    response = browser.get(f"/sessions/{session.pk}/open")
    assert response["Location"] == f"/sessions/{session.pk}"


def test_a_refusal_is_told_where_the_button_stands(
    browser: Client, stopping: NotebookSession
) -> None:
    response = browser.post(f"/sessions/{stopping.pk}/start", {"from": "home"}, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert "The session is stopping." in response.content.decode()
    assert state_of(stopping) == S.STOPPING


@pytest.mark.parametrize("verb", ["start", "stop", "delete"])
def test_a_button_needs_its_csrf_token(ada: User, verb: str) -> None:
    session = SessionFactory.create(owner=ada, status=S.STOPPED if verb == "start" else S.RUNNING)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    before = state_of(session)
    assert browser.post(f"/sessions/{session.pk}/{verb}").status_code == 403
    assert state_of(session) == before


@pytest.mark.parametrize("url", ["/sessions/{}/open", "/sessions/{}/start", "/sessions/{}/stop"])
def test_a_stranger_changes_nothing(mallory: User, running: NotebookSession, url: str) -> None:
    browser_of(mallory).post(url.format(running.pk))
    assert state_of(running) == S.RUNNING


@pytest.mark.parametrize(("url", "queries"), [("/", 7), ("/sessions/rows", 7), ("/sessions/{}", 7)])
def test_the_cost_of_a_page_does_not_grow(
    browser: Client, ada: User, url: str, queries: int, django_assert_num_queries
) -> None:
    session = SessionFactory.create(owner=ada, status=S.RUNNING)
    browser.get("/account")
    with django_assert_num_queries(queries):
        browser.get(url.format(session.pk))
    SessionFactory.create_batch(10, owner=ada, status=S.RUNNING)
    for number in range(10):
        NotebookSession.objects.note(session, f"{number}", actor=ada)
    with django_assert_num_queries(queries):
        browser.get(url.format(session.pk))
