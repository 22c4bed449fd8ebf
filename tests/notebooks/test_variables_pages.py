"""Variables and secrets on the pages: the form for a new session, and the session's own page."""

import pytest
from django.test import Client

from accounts import vault
from accounts.models import User, UserSecret
from notebooks import lifecycle
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from tests.sessions import key_of, tick

pytestmark = pytest.mark.usefixtures("small", "plain")

NEW = "/sessions/new"
CHOSEN = {"name": "analysis", "profile": "small", "environment": "notebook-env"}


def keep(owner: User, name: str, kind: str = "variable") -> None:
    vault.keep_secret(owner=owner, name=name, kind=kind, value="hunter2-hunter2")


def test_a_session_is_launched_with_what_was_filled_in(browser: Client, ada: User) -> None:
    keep(ada, "API_KEY")
    form = {
        **CHOSEN,
        "variable": [" MODE ", "", "LINES"],
        "variable-value": ["fast", "", "a\r\nb"],
        "secret": ["API_KEY"],
    }
    assert browser.post(NEW, form).status_code == 302
    session = NotebookSession.objects.get()
    assert session.setup == {
        "variables": {"MODE": "fast", "LINES": "a\nb"},
        "secrets": ["API_KEY"],
    }


def test_there_are_rows_to_fill_in_without_a_script(browser: Client) -> None:
    page = browser.get(NEW).text
    assert page.count('name="variable"') == page.count('name="variable-value"') == 3
    assert '<details class="card" id="variables" >' in " ".join(page.split())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["PATH"], "PATH decides how a session starts"),
        (["NB_PREFIX"], "NB_PREFIX is set by the service in every session. Use another name."),
        (["A", "A"], "A is set twice."),
        ([""], "A variable is named by letters"),
    ],
)
def test_what_was_filled_in_survives_an_error(
    browser: Client, ada: User, names: list[str], words: str
) -> None:
    keep(ada, "API_KEY")
    values = [f"<value {number}>" for number in range(len(names))]
    form = {**CHOSEN, "variable": names, "variable-value": values, "secret": ["API_KEY"]}
    page = browser.post(NEW, form)
    text = " ".join(page.text.split())
    assert page.status_code == 400
    assert words in text
    assert '<details class="card" id="variables" open>' in text
    for name in names:
        assert f'name="variable" value="{name}"' in text
    for number in range(len(names)):
        assert f"&lt;value {number}&gt;</textarea>" in text
    assert 'value="API_KEY" autocomplete="off" checked' in text
    assert not NotebookSession.objects.exists()


def test_only_ones_own_secrets_are_offered(browser: Client, ada: User, mallory: User) -> None:
    keep(ada, "HERS")
    keep(mallory, "HIS")
    page = browser.get(NEW).text
    assert "HERS" in page
    assert "HIS" not in page


def test_the_page_of_a_session_shows_variables_and_the_names_of_secrets(
    browser: Client, ada: User
) -> None:
    keep(ada, "key.json", "file")
    # What a template would take for a dict's method is a name like any other.
    form = {
        **CHOSEN,
        "variable": ["items", "MODE"],
        "variable-value": ["<b>all</b>", "fast"],
        "secret": ["key.json"],
    }
    page = browser.post(NEW, form, follow=True)
    assert page.status_code == 200
    for words in ("<code>items</code>", "&lt;b&gt;all&lt;/b&gt;", "fast", "<code>key.json</code>"):
        assert words in page.text
    assert "hunter2" not in page.text


def test_a_session_without_any_has_no_such_part(browser: Client) -> None:
    page = browser.post(NEW, CHOSEN, follow=True)
    assert "Variables and secrets" not in page.text


def test_a_session_that_had_to_do_without_a_secret_says_so(
    browser: Client, ada: User, backend: FakeBackend
) -> None:
    keep(ada, "LOST")
    browser.post(NEW, {**CHOSEN, "secret": ["LOST"]})
    session = NotebookSession.objects.get()
    UserSecret.objects.get().delete()
    lifecycle.launch(key_of(session))
    backend.settle()
    tick()
    page = browser.get(f"/sessions/{session.pk}").text
    notice = page[page.index('<div class="notice bad"') :]
    assert "Started without secrets that are no longer stored: LOST." in notice
    assert "Store a secret of this name on your account page" in notice
