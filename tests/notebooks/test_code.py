"""Code of a session from what its owner asks for to what came of it, on pages and in the API."""

from uuid import uuid4

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import GitCredential, User
from accounts.vault import keep_git_credential
from notebooks import lifecycle, services
from notebooks.backends.code import outcomes
from notebooks.backends.contract import CodeOutcome, CodeSource, CodeStatus, GitAccess
from notebooks.backends.fake import FakeBackend
from notebooks.models import Bookmark, NotebookSession
from notebooks.setup import Setup
from tests.conftest import browser_of
from tests.sessions import key_of, run_of, tick

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "plain")]

URL = "https://git.example.com/team/project.git"
GOOD = {"profile": "small", "environment": "notebook-env", "name": "analysis"}
SOURCE = CodeSource(url=URL, folder="project")
MISSING = CodeOutcome(
    status=CodeStatus.FAILED, code="code_not_found", message="There is no such repository."
)
FORM = {**GOOD, "code-url": URL, "code-ref": "", "code-folder": ""}
FORM |= {"code-depth": "1", "code-sparse": "", "code-submodules": "", "code-credential": ""}


def make(owner: User, setup: Setup) -> NotebookSession:
    return services.create_session(owner=owner, setup=setup, **GOOD).session


def run_with(session: NotebookSession, backend: FakeBackend, *code: CodeOutcome) -> NotebookSession:
    """Let it run, with this come of its code."""
    lifecycle.launch(key_of(session))
    backend.make_ready(key_of(session), code=code)
    tick()
    return NotebookSession.objects.get(pk=session.pk)


def credential_of(owner: User, *, hosts: list[str]) -> GitCredential:
    return keep_git_credential(
        owner=owner, name="work", kind="token", hosts=hosts, username="ada", secret="glpat-1"
    )


def test_code_is_asked_of_the_backend(ada: User, backend: FakeBackend) -> None:
    session = make(ada, Setup(code=(CodeSource(url=URL),)))
    lifecycle.launch(key_of(session))
    assert backend.started[0].code == (SOURCE,)


def test_a_run_goes_by_the_code_of_its_start(ada: User, backend: FakeBackend) -> None:
    session = make(ada, Setup(code=(SOURCE,)))
    NotebookSession.objects.update(setup={})
    lifecycle.launch(key_of(session))
    assert backend.started[0].code == (SOURCE,)


def test_what_came_of_it_is_kept_and_told(api: APIClient, ada: User, backend: FakeBackend) -> None:
    other = CodeSource(url=f"{URL}/other", folder="other")
    session = make(ada, Setup(code=(SOURCE, other)))
    run_with(session, backend, MISSING, CodeOutcome(status=CodeStatus.KEPT))
    told = api.get(f"/api/v2/sessions/{session.pk}").json()
    assert told["status"] == "running"
    assert told["code"] == [
        {
            "url": URL,
            "ref": "",
            "folder": "project",
            "depth": 1,
            "submodules": False,
            "sparse": "",
            "credential": None,
            "status": "failed",
            "code": "code_not_found",
            "message": "There is no such repository.",
        },
        {
            "url": f"{URL}/other",
            "ref": "",
            "folder": "other",
            "depth": 1,
            "submodules": False,
            "sparse": "",
            "credential": None,
            "status": "kept",
            "code": "",
            "message": "",
        },
    ]
    event = session.events.get(code="code_not_found")
    assert event.message == f"Started without {URL}: There is no such repository."


def test_before_its_start_it_waits(api: APIClient, ada: User) -> None:
    session = make(ada, Setup(code=(SOURCE,)))
    [told] = api.get(f"/api/v2/sessions/{session.pk}").json()["code"]
    assert (told["status"], told["code"]) == ("waiting", "")


def test_of_what_ended_without_a_word_that_is_told(ada: User, backend: FakeBackend) -> None:
    session = run_with(make(ada, Setup(code=(SOURCE,))), backend)
    [outcome] = run_of(session).code_outcomes
    assert (outcome["status"], outcome["code"]) == ("failed", "code_failed")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "no json",
        "null",
        "7",
        '{"status": "failed"}',
        "[1]",
        '[{"status": "odd", "code": "", "message": ""}]',
        '[{"status": "failed", "code": "own_words", "message": ""}]',
        "[" * 100_000,
    ],
)
def test_outcomes_of_another_form_are_none(written: str) -> None:
    assert outcomes(written) == ()


def test_outcomes_hold_no_more_than_can_be_shown() -> None:
    message = "a\\u0000\\n\\u202e" + "b" * 500
    [outcome] = outcomes(f'[{{"status": "kept", "code": "", "message": "{message}"}}]')
    assert outcome.message == "a" + "b" * 399


def test_the_page_says_what_it_started_without(
    browser: Client, ada: User, backend: FakeBackend
) -> None:
    session = run_with(make(ada, Setup(code=(SOURCE,), opens="project/a.ipynb")), backend, MISSING)
    page = browser.get(f"/sessions/{session.pk}").content.decode()
    assert "Started without “project”: There is no such repository." in page
    assert "Stop to try again" in page
    assert "lab/tree" not in page


def test_the_notebook_that_was_asked_for_is_opened(
    browser: Client, ada: User, backend: FakeBackend
) -> None:
    setup = Setup(code=(SOURCE,), opens="project/a b&c.ipynb")
    fetched = CodeOutcome(status=CodeStatus.FETCHED)
    session = run_with(make(ada, setup), backend, fetched)
    page = browser.get(f"/sessions/{session.pk}").content.decode()
    path = "lab%2Ftree%2Fproject%2Fa%2520b%2526c.ipynb"
    assert f'data-open="/sessions/{session.pk}/open?next={path}"' in page


def test_a_credential_goes_to_the_backend_in_plain(ada: User, backend: FakeBackend) -> None:
    credential = credential_of(ada, hosts=["git.example.com"])
    session = make(ada, Setup(code=(CodeSource(url=URL, credential=credential.pk),)))
    lifecycle.launch(key_of(session))
    [spec] = backend.started
    assert spec.git_access == {
        credential.pk: GitAccess(hosts=("git.example.com",), username="ada", token="glpat-1")
    }
    assert "glpat-1" not in repr(spec)
    assert "glpat-1" not in str(run_of(session).setup)


def test_without_a_credential_that_is_gone_it_starts_all_the_same(
    ada: User, backend: FakeBackend
) -> None:
    credential = credential_of(ada, hosts=["git.example.com"])
    session = make(ada, Setup(code=(CodeSource(url=URL, credential=credential.pk),)))
    credential.delete()
    lifecycle.launch(key_of(session))
    assert backend.started[0].git_access == {}


def test_credentials_of_others_and_for_other_hosts_are_refused(
    api: APIClient, ada: User, mallory: User
) -> None:
    hers = credential_of(ada, hosts=["git.example.org"])
    his = credential_of(mallory, hosts=["git.example.com"])
    for credential in (hers.pk, his.pk, uuid4()):
        body = {**GOOD, "code": [{"url": URL, "credential": str(credential)}]}
        answer = api.post("/api/v2/sessions", body)
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == ["code.0.credential"]
    assert not NotebookSession.objects.exists()


def test_a_token_does_not_open_ssh(api: APIClient, ada: User) -> None:
    credential = credential_of(ada, hosts=["git.example.com"])
    code = [{"url": "git@git.example.com:a/b", "credential": str(credential.pk)}]
    answer = api.post("/api/v2/sessions", {**GOOD, "code": code})
    assert list(answer.json()["fields"]) == ["code.0.credential"]


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ([{"url": "file:///etc"}], "code.0.url"),
        ([{"url": URL, "ref": "-x"}], "code.0.ref"),
        ([{"url": URL, "depth": -1}], "code.0.depth"),
        ([{"url": URL, "folder": ".git"}], "code.0.folder"),
        ([{"url": URL, "branch": "main"}], "code.0.branch"),
        ([{"url": URL}, {"url": URL}], "code.1.folder"),
        ([{}], "code.0.url"),
    ],
)
def test_the_api_names_what_is_wrong(
    api: APIClient, code: list[dict[str, object]], field: str
) -> None:
    answer = api.post("/api/v2/sessions", {**GOOD, "code": code})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["fields"]) == [field]
    assert not NotebookSession.objects.exists()


def test_one_key_is_for_one_setup(api: APIClient) -> None:
    bodies = [{**GOOD, "code": [{"url": URL}]}, {**GOOD, "code": [{"url": URL}]}, GOOD]
    answers = [
        api.post("/api/v2/sessions", body, headers={"Idempotency-Key": "k"}) for body in bodies
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert answers[2].json()["code"] == "idempotency_key_reused"


def test_the_form_asks_for_code(browser: Client) -> None:
    browser.post("/sessions/new", {**FORM, "code-ref": "main", "opens": "project/a.ipynb"})
    session = NotebookSession.objects.get()
    assert Setup.from_json(session.setup) == Setup(
        code=(CodeSource(url=URL, folder="project", ref="main"),), opens="project/a.ipynb"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"code-url": "file:///etc"},
        {"code-depth": "many"},
        {"code-credential": "mine"},
        {"code-folder": "../x"},
        {"opens": "../x"},
    ],
)
def test_what_was_written_of_code_survives_an_error(
    browser: Client, change: dict[str, str]
) -> None:
    response = browser.post("/sessions/new", {**FORM, **change})
    assert response.status_code == 400
    [(_, written)] = change.items()
    page = response.content.decode()
    assert f'value="{written}"' in page or "code-credential" in change
    assert response.context["refused_as_a_whole"] is False
    assert response.context["refusal"].fields
    assert 'class="field-error"' in page


def test_a_link_fills_the_form_in_and_launches_nothing(browser: Client) -> None:
    query = {"git": URL, "ref": "v1", "path": "a/b.ipynb", "environment": "notebook-env"}
    page = browser.get("/sessions/new", {**query, "profile": "small"})
    assert page.context["setup"].code.filled[0].url == URL
    assert page.context["setup"].code.filled[0].ref == "v1"
    assert page.context["setup"].code.opens == "project/a/b.ipynb"
    assert page.context["chosen"]["environment"] == "notebook-env"
    assert "git.example.com</strong>" in page.content.decode()
    assert not NotebookSession.objects.exists()


@pytest.mark.parametrize("git", ["file:///etc", "https://ada:secret@x/y", "<script>", "a\0b"])
def test_a_link_with_a_bad_url_is_a_form_to_mend(browser: Client, git: str) -> None:
    page = browser.get("/sessions/new", {"git": git, "path": "../../etc"})
    assert page.status_code == 200
    assert "<script>" not in page.content.decode().partition("<main")[2]


def test_a_link_to_what_is_not_offered_says_so(browser: Client) -> None:
    page = browser.get("/sessions/new", {"environment": "secret", "profile": "huge"})
    assert page.context["not_offered"] == [
        {"what": "size", "name": "huge"},
        {"what": "environment", "name": "secret"},
    ]


def test_the_link_of_a_session_asks_for_the_like(browser: Client, ada: User) -> None:
    source = CodeSource(url=URL, folder="project", ref="v1")
    session = make(ada, Setup(code=(source,), opens="project/a.ipynb"))
    page = browser.get(f"/sessions/{session.pk}")
    link = page.context["link"]
    assert page.context["badge"].endswith(f"]({link})")
    form = browser.get(f"/sessions/new?{link.partition('?')[2]}").context
    assert form["setup"].code.sources() == (source,)
    assert form["setup"].code.opens == "project/a.ipynb"


def test_a_duplicate_begins_with_the_same(browser: Client, ada: User) -> None:
    setup = Setup(code=(SOURCE,), variables={"A": "1"})
    session = make(ada, setup)
    form = browser.get("/sessions/new", {"from": str(session.pk)}).context
    assert form["setup"].code.sources() == (SOURCE,)
    assert form["setup"].variables.filled == [("A", "1")]
    assert form["chosen"]["name"] != session.name


@pytest.mark.parametrize("name", ["from", "bookmark"])
def test_what_is_anothers_fills_nothing_in(name: str, ada: User, mallory: User) -> None:
    session = make(ada, Setup(code=(SOURCE,)))
    bookmark = Bookmark.objects.create(owner=ada, name="b", profile="small", environment="x")
    ids = {"from": str(session.pk), "bookmark": str(bookmark.pk)}
    for pk in (ids[name], str(uuid4()), "nonsense"):
        assert browser_of(mallory).get("/sessions/new", {name: pk}).status_code == 404


def test_a_bookmark_is_kept_used_and_deleted(browser: Client, ada: User) -> None:
    kept = browser.post("/sessions/new", {**FORM, "name": "weekly", "bookmark": "keep"})
    bookmark = Bookmark.objects.get(owner=ada)
    assert kept["Location"] == f"/sessions/new?bookmark={bookmark.pk}"
    assert not NotebookSession.objects.exists()
    form = browser.get(kept["Location"]).context
    assert form["setup"].code.sources() == (SOURCE,)
    browser.post(f"/bookmarks/{bookmark.pk}/delete")
    assert not Bookmark.objects.exists()


def test_two_bookmarks_have_two_names(api: APIClient) -> None:
    assert api.post("/api/v2/bookmarks", GOOD).status_code == 201
    again = api.post("/api/v2/bookmarks", GOOD)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")


def test_a_bookmark_is_told_as_it_was_kept(api: APIClient) -> None:
    made = api.post("/api/v2/bookmarks", {**GOOD, "code": [{"url": URL}]}).json()
    assert api.get(f"/api/v2/bookmarks/{made['id']}").json() == made
    assert made["setup"]["code"][0]["folder"] == "project"


def test_a_bookmark_of_what_cannot_be_is_refused(api: APIClient) -> None:
    answer = api.post("/api/v2/bookmarks", {**GOOD, "code": [{"url": "file:///etc"}]})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not Bookmark.objects.exists()


def test_of_far_too_many_repositories_none_is_looked_at(api: APIClient) -> None:
    answer = api.post("/api/v2/sessions", {**GOOD, "code": [{}] * 5000})
    assert answer.status_code == 400
    assert len(answer.content) < 500


@pytest.mark.parametrize("field", ["profile", "environment"])
@pytest.mark.parametrize("name", ["", "x" * 64, "a\0b"])
def test_a_bookmark_of_names_that_cannot_be_is_refused(
    browser: Client, field: str, name: str
) -> None:
    form = {**FORM, "name": "weekly", "bookmark": "keep", field: name}
    assert browser.post("/sessions/new", form).status_code == 400
    assert not Bookmark.objects.exists()
