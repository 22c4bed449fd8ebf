"""The admin of sessions: a window, whose actions call the services with the operator as actor."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from notebooks.models import NotebookSession, SessionEvent
from notebooks.states import SessionStatus as S
from tests.conftest import browser_of
from tests.factories import SessionFactory, UserFactory
from tests.sessions import actors, moves, state_of

pytestmark = pytest.mark.django_db

LIST = "/admin/notebooks/notebooksession/"


@pytest.fixture
def admin(operator: User) -> Client:
    return browser_of(operator)


def staff_with(*rights: str) -> Client:
    """A browser of someone who may into the admin, with these rights and no others."""
    person = UserFactory.create(username="sam", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return browser_of(person)


def act(browser: Client, action: str, *sessions: NotebookSession, **given: str):
    chosen = [str(session.pk) for session in sessions]
    return browser.post(LIST, {"action": action, "_selected_action": chosen, **given}, follow=True)


def listed(browser: Client, query: str = "") -> set[str]:
    response = browser.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return {session.name for session in response.context["cl"].result_list}


def test_stopping_is_the_operators_doing(admin: Client, operator: User) -> None:
    session = SessionFactory.create(status=S.RUNNING)
    response = act(admin, "stop", session)
    assert "Stopping 1 session." in response.content.decode()
    session.refresh_from_db()
    assert (session.status, session.reason_code) == (S.STOPPING, "stopped_by_operator")
    assert moves(session) == [(S.RUNNING, S.STOPPING, "stopped_by_operator")]
    assert actors(session) == [operator]


def test_stopping_what_has_stopped_changes_nothing(admin: Client) -> None:
    session = SessionFactory.create(status=S.STOPPED)
    act(admin, "stop", session)
    assert (state_of(session), moves(session)) == (S.STOPPED, [])


def test_deleting_is_the_operators_doing(admin: Client, operator: User) -> None:
    running, stopped = (
        SessionFactory.create(status=S.RUNNING),
        SessionFactory.create(status=S.STOPPED),
    )
    asked = act(admin, "delete_sessions", running, stopped)
    assert "cannot be undone" in asked.content.decode()
    assert [moves(running), moves(stopped)] == [[], []]
    act(admin, "delete_sessions", running, stopped, confirmed="yes")
    for session, before in ((running, S.RUNNING), (stopped, S.STOPPED)):
        session.refresh_from_db()
        assert session.deleted_at is not None
        assert moves(session) == [(before, S.STOPPING, "deleted")]
        assert actors(session) == [operator]


@pytest.mark.parametrize("action", ["stop", "delete_sessions", "delete_selected"])
@pytest.mark.parametrize(
    "rights", [["view_notebooksession"], ["view_notebooksession", "change_notebooksession"]]
)
def test_staff_without_the_right_cannot_act(action: str, rights: list[str]) -> None:
    session = SessionFactory.create(status=S.RUNNING)
    browser = staff_with(*rights)
    assert listed(browser) == {session.name}
    act(browser, action, session, confirmed="yes")
    assert (state_of(session), moves(session)) == (S.RUNNING, [])


def test_staff_with_the_right_can_act() -> None:
    session = SessionFactory.create(status=S.RUNNING)
    act(staff_with("view_notebooksession", "delete_notebooksession"), "stop", session)
    assert state_of(session) == S.STOPPING


def test_staff_without_any_right_see_nothing() -> None:
    session = SessionFactory.create()
    browser = staff_with()
    assert browser.get(LIST).status_code == 403
    assert browser.get(f"{LIST}{session.pk}/change/").status_code == 403


def test_not_even_an_operator_deletes_rows(admin: Client) -> None:
    session = SessionFactory.create(status=S.STOPPED)
    act(admin, "delete_selected", session)
    assert NotebookSession.objects.filter(pk=session.pk).exists()
    assert admin.post(f"{LIST}{session.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["notebooksession", "sessionevent"])
def test_nothing_is_added_or_changed_by_hand(admin: Client, model: str) -> None:
    session = SessionFactory.create(status=S.STOPPED)
    NotebookSession.objects.note(session, "Something.")
    pk = session.pk if model == "notebooksession" else session.events.get().pk
    base = f"/admin/notebooks/{model}/"
    assert admin.get(f"{base}add/").status_code == 403
    assert admin.post(f"{base}{pk}/change/", {"status": S.RUNNING}).status_code == 403
    page = admin.get(f"{base}{pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert state_of(session) == S.STOPPED


def test_the_page_of_a_session_shows_its_runs_and_events(
    admin: Client, failed: NotebookSession
) -> None:
    page = admin.get(f"{LIST}{failed.pk}/change/").content.decode()
    for shown in ("server_crashed", "Jupyter ended by itself: exit code 1.", "Created."):
        assert shown in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"alpha", "beta"}),
        ("q=alp", {"alpha"}),
        ("q=grace", {"beta"}),
        ("q={beta}", {"beta"}),
        ("q=%00", {"alpha", "beta"}),
        ("status__exact=running", {"alpha"}),
        ("reason_code__exact=server_lost", {"beta"}),
        ("deleted_at__isnull=True", {"alpha", "beta"}),
        ("status__exact=stopped", set()),
    ],
)
def test_sessions_are_found(admin: Client, query: str, expected: set[str]) -> None:
    SessionFactory.create(name="alpha", status=S.RUNNING)
    beta = SessionFactory.create(
        name="beta",
        owner=UserFactory.create(username="grace"),
        status=S.FAILED,
        reason_code="server_lost",
    )
    assert listed(admin, query.format(beta=beta.pk)) == expected


def test_events_are_found(admin: Client) -> None:
    session = SessionFactory.create(name="alpha")
    NotebookSession.objects.note(session, "Something happened.")
    page = admin.get("/admin/notebooks/sessionevent/?q=alpha").content.decode()
    assert "Something happened." in page


def test_the_cost_of_the_list_does_not_grow_with_its_rows(
    admin: Client, django_assert_num_queries
) -> None:
    profile = SessionFactory.create().profile
    admin.get(LIST)
    with django_assert_num_queries(LIST_QUERIES):
        admin.get(LIST)
    SessionFactory.create_batch(10, profile=profile)
    with django_assert_num_queries(LIST_QUERIES):
        admin.get(LIST)


LIST_QUERIES = 12


def test_the_admins_of_people_show_sessions_and_catalogue(admin: Client, ada: User) -> None:
    SessionFactory.create(owner=ada, status=S.RUNNING)
    SessionFactory.create(owner=ada, status=S.STOPPED)
    response = admin.get("/admin/accounts/user/?q=ada")
    [row] = response.context["cl"].result_list
    assert row.active_sessions == 1
    for name in ("quotas_resourceprofile", "environments_environment"):
        assert admin.get(reverse(f"admin:{name}_changelist")).status_code == 200


def test_the_cost_of_a_sessions_page_does_not_grow(
    admin: Client, django_assert_num_queries
) -> None:
    session = SessionFactory.create()
    # The first look in a process also asks for content types, which Django then keeps.
    admin.get(f"{LIST}{session.pk}/change/")
    with django_assert_num_queries(PAGE_QUERIES):
        admin.get(f"{LIST}{session.pk}/change/")
    for _ in range(10):
        SessionEvent.objects.create(session=session, actor=UserFactory.create())
    with django_assert_num_queries(PAGE_QUERIES):
        admin.get(f"{LIST}{session.pk}/change/")


PAGE_QUERIES = 12
