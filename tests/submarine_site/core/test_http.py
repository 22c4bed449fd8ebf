"""Where a redirect may lead, and the headers of pages."""

from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from submarine_site.core.http import safe_path

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
