"""Where a redirect may lead, and the headers of pages."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.models import User
from accounts.services import create_token
from submarine_site.core.http import safe_path
from tests.architecture.test_permissions import API, V1
from tests.conftest import browser_of

SITE = "https://submarine.example"
# What browsers strip from an address, or take for a slash.
STRIPPED = str.maketrans({"\t": None, "\n": None, "\r": None, "\\": "/"})

pieces = st.sampled_from(
    [
        *("/", "//", "\\", "@", ":", "?", "#", ".", "..", "%2f", "%09", "%5c", "[", "]"),
        *("\t", "\n", "\r", "\0", " ", "https:", "javascript:", "evil.example", "user", "é"),
        *("\u2028", "\uff0f"),
    ]
)
addresses = st.lists(pieces, max_size=8).map("".join) | st.text(max_size=30)


@given(addresses)
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("/%09/evil.example")
@example("https://evil.example")
@example("/path@evil.example")
@example("///evil.example")
def test_a_redirect_never_leaves_the_site(raw: str) -> None:
    path = safe_path(raw, default="")
    if path == "":
        return
    assert path == raw
    # As a browser resolves it, from any page of the site.
    seen = path.strip(" ").translate(STRIPPED)
    landed = urlsplit(urljoin(f"{SITE}/a/page", seen))
    assert (landed.scheme, landed.netloc) == ("https", "submarine.example")
    assert seen[:1] == "/"
    assert seen[:2] != "//"


@pytest.mark.parametrize("path", ["/", "/a", "/a/b?x=//y#z", "/a:b", "/%2f", "/é", "/@x"])
def test_a_path_of_the_site_is_kept(path: str) -> None:
    assert safe_path(path, default="/home") == path


@pytest.mark.parametrize("raw", ["", "a", "?x", "//x", "/\\x", "\\/x", "/a b", "/a\0", "x:/y"])
def test_anything_else_is_not(raw: str) -> None:
    assert safe_path(raw, default="/home") == "/home"


@pytest.mark.django_db
def test_pages_have_a_policy_that_allows_no_inline_script() -> None:
    response = Client().get("/sign-in")
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://gateway.test:8001" in policy
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "strict-origin-when-cross-origin"


@pytest.mark.django_db
def test_signing_in_may_lead_on_to_a_session_with_a_name_of_its_own(settings) -> None:
    settings.GATEWAY_SUBDOMAINS = True
    policy = Client().get("/sign-in")["Content-Security-Policy"]
    assert "form-action 'self' http://*.gateway.test:8001" in policy


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_name_of_the_pages_leads_to_the_one_that_was_announced(
    settings, method: str
) -> None:
    settings.PAGES_URL = "http://127.0.0.1:8000"
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    browser = Client(headers={"host": "localhost:8000"})
    response = getattr(browser, method)("/sign-in?next=/account")
    assert (response.status_code, response["Location"]) == (
        308,
        "http://127.0.0.1:8000/sign-in?next=/account",
    )
    assert Client(headers={"host": "127.0.0.1:8000"}).get("/sign-in").status_code == 200
    assert Client(headers={"host": "evil.example"}).get("/sign-in").status_code == 400


@pytest.fixture
def two_names(settings) -> None:
    settings.PAGES_URL = "http://127.0.0.1:8000"
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]


@pytest.mark.django_db
@pytest.mark.usefixtures("two_names")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_the_api_is_never_redirected(method: str) -> None:
    some_id = "b6c1f2d0-5d3f-4a53-9c83-0c2f6f1a7a11"
    addresses = {re.sub(r"\{\w+\}", some_id, row.path) for row in {**API, **V1}.values()}
    addresses = {each for each in addresses if each.startswith("/api/")}
    assert len(addresses) > 40
    program = Client(headers={"host": "localhost:8000", "authorization": "Bearer none"})
    for address in {*addresses, "/api/v1", "/api/v2", "/api/v2/none"}:
        for path in (address.rstrip("/"), f"{address.rstrip('/')}/"):
            answered = program.generic(method, path, b"{}", content_type="application/json")
            assert "Location" not in answered
            assert answered.status_code in {200, 400, 401, 404, 405}, path


@pytest.mark.django_db
@pytest.mark.usefixtures("two_names")
def test_a_token_is_judged_at_every_name(ada: User, mallory: User) -> None:
    token = create_token(user=ada, name="hers").secret
    browser = browser_of(mallory)
    for host in ("127.0.0.1:8000", "localhost:8000"):
        shown = {"host": host, "authorization": f"Bearer {token}"}
        assert browser.get("/api/v2/me", headers=shown).json()["username"] == "ada"
        assert browser.get("/metrics", headers=shown).status_code == 403
        assert browser.get("/health", headers=shown).status_code == 200
    for header in ("Bearer none", "Token none", "none", ""):
        shown = {"host": "127.0.0.1:8000", "authorization": header}
        assert browser.get("/api/v2/me", headers=shown).status_code == 401
    assert browser.get("/api/v2/me", headers={"host": "127.0.0.1"}).json()["username"] == "mallory"


@pytest.mark.django_db
def test_where_the_site_is_https_the_api_is_not_led_there(ada: User, settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SESSIONS_API_URL = "http://web.cluster:8000"
    settings.ALLOWED_HOSTS = ["testserver", "web.cluster"]
    token = create_token(user=ada, name="hers").secret
    shown = {"authorization": f"Bearer {token}"}
    for path in ("/api/v2/me", "/api/v1/notebook", "/api/sys/user/info", "/api/auth/token"):
        for method in ("GET", "POST", "HEAD"):
            assert Client().generic(method, path, headers=shown).status_code == 403
        said = Client().get(path, headers=shown).json()["message"]
        assert said.startswith("The API is reached by https here.")
        there = Client().get(path, headers=shown | {"host": "web.cluster:8000"})
        assert there.status_code in {200, 405}
        by_https = Client().get(path, headers=shown, secure=True)
        assert by_https.status_code in {200, 405}
    led = Client().get("/sign-in")
    assert (led.status_code, led["Location"]) == (301, "https://testserver/sign-in")
