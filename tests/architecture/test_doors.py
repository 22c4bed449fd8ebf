"""Tricks by which others would get into a browser, or lead it away, tried at every address."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, quote, urljoin, urlsplit
from uuid import UUID

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import SignIn, User
from accounts.services import create_token
from notebooks.gateway.entrance import safe_next
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from tests.architecture.test_permissions import (
    ADMIN,
    API,
    BODIES,
    LONG,
    METHODS,
    PAGES,
    TABLE,
    V1,
    hers,
    ids,
)
from tests.conftest import browser_of
from tests.factories import PASSWORD

__all__ = ["ids"]

pytestmark = pytest.mark.django_db

EVIL = "evil.example"
SITE = "http://testserver"
HOSTILE = [
    f"https://{EVIL}/",
    f"//{EVIL}/",
    f"///{EVIL}/",
    f"/\\{EVIL}/",
    f"\\\\{EVIL}/",
    f"/\t/{EVIL}/",
    f"/%09/{EVIL}/",
    f"/%2f%2f{EVIL}/",
    f"/%5c{EVIL}/",
    f" //{EVIL}/",
    f"\x01//{EVIL}/",
    f"http:{EVIL}/",
    f"http:///{EVIL}/",
    f"//testserver@{EVIL}/",
    f"https://testserver:x@{EVIL}/",
    f"https://testserver.{EVIL}/",
    f"@{EVIL}/",
    f".{EVIL}/",
    f":80@{EVIL}/",
    f"/..//{EVIL}/",
    f"javascript://{EVIL}/%0aalert(1)",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    f"/\r\nLocation: https://{EVIL}/",
    f"/%0d%0aSet-Cookie:sessionid=x;{EVIL}",
    f"/\u2028/{EVIL}/",
    f"/\uff0f{EVIL}/",
]
# What looks at nothing, or at the first character alone, leads away by the first of these.
SOME = [f"//{EVIL}/", "/\r\nX-Injected: 1"]
NAMES = (
    *("next", "url", "redirect", "redirect_to", "redirect_uri", "return", "return_to", "returnTo"),
    *("continue", "back", "from", "originalUrl", "original_url", "path", "page", "to", "goto"),
    *("success_url", "callback", "target", "dest", "rd", "_to", "service", "RelayState"),
)
# What browsers strip from an address, or take for a slash.
STRIPPED = str.maketrans({"\t": None, "\n": None, "\r": None, "\\": "/"})
LINKS = {"href", "action", "formaction", "src", "hx-get", "hx-post", "data-url"}


def landed(address: str, page: str = "/") -> tuple[str, str]:
    """Scheme and host where a browser lands that follows this address from a page of the site."""
    seen = address.strip("".join(map(chr, range(33)))).translate(STRIPPED)
    parts = urlsplit(urljoin(SITE + page, seen))
    return parts.scheme, parts.netloc


OWN = {landed("/"), landed(settings.GATEWAY_URL)}


class Links(HTMLParser):
    """Where a page's links, forms, scripts and refreshes lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in LINKS and value]
        given = dict(attrs)
        if tag == "meta" and (given.get("http-equiv") or "").lower() == "refresh":
            self.found.append((given.get("content") or "").partition("=")[2])


def led_away(response, path: str) -> list[str]:
    """The addresses that the answer leads to, and that are not of the service."""
    leads = [response[name] for name in ("Location", "HX-Redirect") if name in response]
    if "HX-Location" in response:
        leads.append(response["HX-Location"])
    if response.get("Content-Type", "").startswith("text/html"):
        leads += Links(response.text).found
    return [each for each in leads if landed(each, path) not in OWN and EVIL in each] + [
        each for each in leads if each.lower().lstrip().startswith(("javascript:", "data:text"))
    ]


@pytest.fixture
def values(request: pytest.FixtureRequest) -> dict[str, object]:
    """What the table's addresses speak of, Ada's."""
    made: dict[str, object] = request.getfixturevalue("ids")
    return made


def asked(names: tuple[str, ...], value: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name in names)


def visited() -> Iterator[str]:
    """The pages, of the API those that browsers may be sent to, and the admin's that are no one
    model's.
    """
    yield from PAGES
    yield from ("api:api-root", "api:session-list", "api:docs")
    yield from (key for key in ADMIN if "_" not in key.partition(":")[2] or "password" in key)
    yield from ("admin:accounts_user_changelist", "admin:quotas_limit_inspect")


@pytest.mark.parametrize("value", SOME)
def test_no_address_leads_away_or_takes_headers_by_what_is_asked_of_it(
    value: str, values: dict[str, object], ada: User, operator: User
) -> None:
    client = Client(headers={"Accept": "text/html", "Referer": f"https://{EVIL}/"})
    people = {user.pk: browser_of(user) for user in (ada, operator)}
    for key in visited():
        if key in LONG or key.startswith("sign-out"):
            continue
        path = TABLE[key].path.format(**values)
        joined = f"{path}{'&' if '?' in path else '?'}{asked(NAMES, value)}"
        signed_in = people[operator.pk if key in ADMIN else ada.pk]
        answers = [client.get(joined), signed_in.get(joined, headers={"Accept": "text/html"})]
        if "POST" in TABLE[key].answers and key in PAGES:
            given = dict.fromkeys(NAMES, value) | BODIES.get(key, {})
            answers += [client.post(path, given), signed_in.post(joined, given)]
        for response in answers:
            assert response.status_code < 500, key
            assert "X-Injected" not in response, key
            assert led_away(response, path) == [], key


@pytest.mark.parametrize("value", HOSTILE)
def test_whoever_signs_in_comes_to_a_page_of_the_service(
    value: str, values: dict[str, object], ada: User, operator: User
) -> None:
    given = {"username": "ada", "password": PASSWORD}
    following = [
        Client().post("/sign-in", given | {"next": value}),
        Client().post(f"/sign-in?next={quote(value, safe='')}", given),
        browser_of(ada).get("/sign-in", {"next": value}),
        Client().get("/admin/login/", {"next": value}),
        browser_of(operator).get("/admin/login/", {"next": value}),
    ]
    for response in following:
        assert response.status_code == 302
        assert landed(response["Location"]) == landed("/")
        then = parse_qs(urlsplit(response["Location"]).query).get("next", ["/"])[0]
        assert landed(then) == landed("/")
    # On the page it waits in a field.
    page = Client().get("/sign-in", {"next": value})
    assert landed(page.context["next"] or "/") == landed("/")
    # As part of a path it leads nowhere either.
    for prefix in ("", "/", "/admin", "/sessions"):
        path = quote(prefix + value, safe="/%")
        response = Client().generic("GET", path)
        assert response.status_code in {302, 400, 404}
        assert led_away(response, path) == []


@pytest.mark.parametrize("value", HOSTILE)
def test_who_opens_a_session_stays_in_it(value: str, values: dict[str, object], ada: User) -> None:
    NotebookSession.objects.update(status=S.RUNNING)
    url = f"/sessions/{values['session']}/open"
    response = browser_of(ada).get(url, {"next": value})
    assert response.status_code == 302
    assert landed(response["Location"]) == landed(settings.GATEWAY_URL)
    entrance = urlsplit(response["Location"])
    assert entrance.path == f"/session/{values['session']}/_submarine/enter"
    [wanted] = parse_qs(entrance.query)["next"]
    base = f"{settings.GATEWAY_URL}/session/{values['session']}/"
    inside = urlsplit(urljoin(base, (base + safe_next(wanted)).translate(STRIPPED)))
    assert (inside.scheme, inside.netloc) == landed(settings.GATEWAY_URL)
    assert inside.path.startswith(f"/session/{values['session']}/")
    # Who has to sign in first comes back to the same address.
    first = Client().get(url, {"next": value})["Location"]
    assert landed(first) == landed("/")
    assert urlsplit(first).path == "/sign-in"


@pytest.mark.parametrize("host", [EVIL, f"testserver.{EVIL}", f"testserver@{EVIL}", "testserver:x"])
def test_no_address_is_made_of_another_host_name(host: str, ada: User) -> None:
    for path in ("/", "/sign-in", "/admin/", "/admin", "/api/v2/sessions/", "/api/v1/notebook"):
        response = browser_of(ada).get(path, headers={"Host": host})
        assert response.status_code == 400
        assert "Location" not in response
        forwarded = {"X-Forwarded-Host": host, "X-Original-URL": f"//{host}", "Forwarded": host}
        response = browser_of(ada).get(path, headers=forwarded)
        assert EVIL not in response.get("Location", "")
        assert f"//{EVIL}" not in response.text


def key_of(browser: Client) -> str | None:
    cookie = browser.cookies.get(settings.SESSION_COOKIE_NAME)
    return cookie.value if cookie else None


def plant(browser: Client, key: str) -> None:
    browser.cookies[settings.SESSION_COOKIE_NAME] = key


def sign_in(browser: Client, name: str = "ada", **more: str):
    return browser.post("/sign-in", {"username": name, "password": PASSWORD, **more})


def test_signing_in_takes_no_session_that_was_there_before(ada: User) -> None:
    theirs = SessionStore()
    theirs["planted"] = "by another"
    theirs.create()
    browser, attacker = Client(), Client()
    for each in (browser, attacker):
        plant(each, str(theirs.session_key))
    assert sign_in(browser).status_code == 302
    assert browser.get("/account").status_code == 200
    assert key_of(browser) not in {None, theirs.session_key}
    assert not Session.objects.filter(pk=theirs.session_key).exists()
    assert attacker.get("/account").status_code == 302


def test_a_made_up_session_is_taken_at_no_door(ada: User, values: dict[str, object]) -> None:
    made_up = "a" * 32
    for key in PAGES:
        if key in LONG:
            continue
        browser = Client()
        plant(browser, made_up)
        browser.get(PAGES[key].path.format(**values))
        assert not Session.objects.filter(pk=made_up).exists()
    browser = Client()
    plant(browser, made_up)
    assert sign_in(browser).status_code == 302
    assert key_of(browser) != made_up


def test_who_signs_in_after_another_has_nothing_of_theirs(ada: User, mallory: User) -> None:
    browser = Client()
    sign_in(browser)
    browser.get("/account")
    first, record = key_of(browser), browser.session["sign_in"]
    # While somebody is signed in, nobody else is signed in on top.
    assert sign_in(browser, "mallory").status_code == 302
    assert browser.session["_auth_user_id"] == str(ada.pk)
    browser.post("/sign-out")
    assert not Session.objects.filter(pk=first).exists()
    sign_in(browser, "mallory")
    browser.get("/account")
    assert key_of(browser) != first
    assert browser.session["_auth_user_id"] == str(mallory.pk)
    assert browser.session["sign_in"] != record
    assert SignIn.objects.get(pk=UUID(record)).ended_at is not None
    # The session that she had is of no use to whoever kept its cookie.
    kept = Client()
    plant(kept, str(first))
    assert kept.get("/account").status_code == 302


def test_a_change_of_password_gives_the_browser_another_session(operator: User) -> None:
    browser = Client()
    sign_in(browser, "olga")
    browser.get("/account")
    before = key_of(browser)
    new = {"old_password": PASSWORD, "new_password1": "n3w-Secret!", "new_password2": "n3w-Secret!"}
    assert browser.post("/admin/password_change/", new).status_code == 302
    assert browser.get("/account").status_code == 200
    assert key_of(browser) != before
    assert not Session.objects.filter(pk=before).exists()


def test_no_program_gets_a_session_by_its_credential(ada: User, values: dict[str, object]) -> None:
    token = create_token(user=ada, name="ci").secret
    for key, row in {**API, **V1}.items():
        client = APIClient(headers={"Authorization": f"Bearer {token}"})
        for method in row.answers:
            body = json.dumps(BODIES.get(key, {}))
            path = row.path.format(**values)
            response = client.generic(method, path, body, content_type="application/json")
            assert settings.SESSION_COOKIE_NAME not in response.cookies, (key, method)
    client = APIClient()
    for path in ("/api/auth/token", "/api/auth/login"):
        response = client.post(path, {"username": "ada", "password": PASSWORD})
        assert response.status_code == 200
        assert response.cookies == SimpleCookie()
    client.credentials(HTTP_AUTHORIZATION="Basic YWRhOnB3")
    client.get("/api/v2/me/")
    assert client.cookies == SimpleCookie()
    assert not Session.objects.exists()


def changing() -> Iterator[tuple[str, str]]:
    """Every address and method by which a browser could be made to change something."""
    for key, row in {**API, **PAGES, **ADMIN}.items():
        if key in LONG or key == "api:login":
            continue
        methods = METHODS if key in API else ("POST",)
        yield from ((key, each) for each in methods if each in row.answers and each != "GET")


def test_no_other_site_has_a_browser_change_anything(
    ada: User, operator: User, values: dict[str, object]
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    owner = Client(enforce_csrf_checks=True)
    owner.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    owner.get("/account")
    before = hers()
    headers = {"Origin": f"https://{EVIL}", "Referer": f"https://{EVIL}/"}
    tried = list(changing())
    assert len(tried) > 80
    for key, method in tried:
        one = browser if key in ADMIN else owner
        path = TABLE[key].path.format(**values)
        body = json.dumps(BODIES.get(key, {}))
        response = one.generic(method, path, body, content_type="application/json", headers=headers)
        assert response.status_code == 403, (key, method)
    assert hers() == before
    assert [one.get("/account").status_code for one in (browser, owner)] == [200, 200]
    # Nor does it have somebody sign in as a user of its choice.
    stranger = Client(enforce_csrf_checks=True)
    assert sign_in(stranger).status_code == 403
    assert key_of(stranger) is None


def test_pages_stand_in_no_frame_and_cookies_are_for_the_service_alone(
    ada: User, operator: User, values: dict[str, object]
) -> None:
    browsers = {True: browser_of(operator), False: browser_of(ada)}
    for key in visited():
        if key in LONG or key.startswith("sign-out"):
            continue
        response = browsers[key in ADMIN].get(
            TABLE[key].path.format(**values), headers={"Accept": "text/html"}
        )
        assert response["X-Frame-Options"] == "DENY", key
        assert response["X-Content-Type-Options"] == "nosniff", key
        assert "unsafe-url" not in response["Referrer-Policy"], key
    browser = Client()
    response = sign_in(browser)
    cookie = response.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"]) == (True, "Lax", "")
