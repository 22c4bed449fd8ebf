from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import quote, urljoin, urlsplit
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notebooks.gateway.entrance import safe_next
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import PAGES, Running, Upstream, serving

ENTER = "_submarine/enter?code=c0de"
PAGE = {"Accept": "text/html"}


def cookie_of(response: Any) -> Morsel[str]:
    (header,) = response.headers.getall("Set-Cookie")
    (morsel,) = SimpleCookie(header).values()
    return morsel


async def test_code_becomes_a_ticket_for_this_session_only(gateway: Running) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    async with gateway.fetch(f"{ENTER}&next=lab/tree/a%2520b.ipynb", headers={}) as response:
        assert response.status == 303
        assert response.headers["Location"] == (
            f"{gateway.origin}{gateway.base}lab/tree/a%20b.ipynb"
        )
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        cookie = cookie_of(response)
    assert (cookie.key, cookie["path"], cookie["samesite"]) == (
        "submarine-ticket",
        gateway.base,
        "Lax",
    )
    assert cookie["httponly"]
    assert not cookie["domain"]
    assert 3590 <= int(cookie["max-age"]) <= 3600
    async with gateway.fetch("api", headers={"Cookie": f"{cookie.key}={cookie.value}"}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("subdomains", "name", "path"),
    [(False, "__Secure-submarine-ticket", None), (True, "__Host-submarine-ticket", "/")],
)
async def test_over_tls_the_ticket_is_secure(
    authority: MemoryAuthority,
    upstream: Upstream,
    subdomains: bool,  # noqa: FBT001
    name: str,
    path: str | None,
) -> None:
    async with serving(
        authority, upstream, gateway_url="https://nb.test", subdomains=subdomains
    ) as gateway:
        authority.add_code(gateway.session_id, "c0de")
        host = f"{gateway.session_id.hex}.nb.test" if subdomains else "nb.test"
        base = "/" if subdomains else gateway.base
        async with gateway.client.get(
            f"http://127.0.0.1:{gateway.port}{base}{ENTER}",
            headers={"Host": host},
            allow_redirects=False,
        ) as response:
            assert response.status == 303
            assert response.headers["Location"] == f"https://{host}{base}lab"
            cookie = cookie_of(response)
    assert (cookie.key, cookie["path"]) == (name, path or gateway.base)
    assert cookie["secure"]


async def test_code_works_once(gateway: Running) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    async with gateway.fetch(ENTER, headers={}) as response:
        assert response.status == 303
    async with gateway.fetch(ENTER, headers=PAGE) as response:
        assert response.status == 403
        assert "Set-Cookie" not in response.headers
        page = await response.text()
    assert "This link has been used or is too old" in page
    assert f'href="{PAGES}/sessions/{gateway.session_id}/open"' in page


@pytest.mark.parametrize("code", ["", "forged", "x" * 5000, "%00", "c0de%20"])
async def test_forged_code_is_refused(gateway: Running, code: str) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    async with gateway.fetch(f"_submarine/enter?code={code}", headers={}) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "code_invalid"


async def test_code_of_another_session_is_refused(gateway: Running) -> None:
    gateway.authority.add_code(uuid4(), "c0de")
    async with gateway.fetch(ENTER, headers={}) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 405),
        ("POST", {}, 405),
        ("OPTIONS", {}, 405),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, 425),
        ("GET", {"Referer": "https://evil.test/page"}, 403),
        ("GET", {"Referer": f"{PAGES}.evil.test/"}, 403),
        ("GET", {"Referer": "http://[broken"}, 403),
        ("GET", {"Referer": "https://evil.test/", "Sec-Fetch-Site": "none"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_code_is_not_spent_but_by_the_users_own_navigation(
    gateway: Running, method: str, headers: dict[str, str], status: int
) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    async with gateway.fetch(ENTER, method=method, headers=headers) as response:
        assert response.status == status
        assert "Set-Cookie" not in response.headers
    assert (gateway.session_id, "c0de") in gateway.authority.codes


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Referer": f"{PAGES}/"},
        {"Referer": f"{PAGES}/sessions/1/"},
    ],
)
async def test_user_may_come_from_the_pages_or_directly(
    gateway: Running, headers: dict[str, str]
) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    async with gateway.fetch(ENTER, headers=headers) as response:
        assert response.status == 303


async def test_code_is_kept_for_later_while_the_source_is_away(gateway: Running) -> None:
    gateway.authority.down = True
    async with gateway.fetch(ENTER, headers={}) as response:
        assert response.status == 503


async def test_no_other_address_of_the_gateways_own_reaches_the_session(gateway: Running) -> None:
    async with gateway.fetch("_submarine/other") as response:
        assert response.status == 404
    assert gateway.upstream.seen == []


@pytest.mark.parametrize(
    "wanted", ["lab/tree/a%20b.ipynb", "lab?reset", "notebooks/a.ipynb#cell-1", "lab/tree/ä b"]
)
def test_next_within_the_session_is_followed(wanted: str) -> None:
    assert safe_next(wanted) == quote(wanted, safe="/%?#")


TRICKS = [
    "//evil.test",
    "/evil.test",
    "\\evil.test",
    "/\\evil.test",
    "/\t/evil.test",
    "\t//evil.test",
    "%09//evil.test",
    "../x",
    "..%2fx",
    "%2e%2e/x",
    "lab\r\nSet-Cookie: a=b",
    "\x00",
    "_submarine/enter?code=x",
]


@pytest.mark.parametrize("wanted", ["", *(each for each in TRICKS if each[0] != "%"), "%2e%2e/x"])
def test_next_that_leads_elsewhere_is_the_default(wanted: str) -> None:
    assert safe_next(wanted) == "lab"


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [*TRICKS, "//", "\\", "@", "https:", "javascript:", ":", ".", "?", "#"]
            ),
            st.text(max_size=5),
        )
    ).map("".join)
)
@example("javascript:alert(1)")
@example("https://evil.test")
@example("user@evil.test")
@example("%2509//evil.test")
def test_next_never_leaves_the_session(wanted: str) -> None:
    base = "https://nb.test/session/1/"
    location = base + safe_next(wanted)
    assert location.isascii()
    assert location.isprintable()
    there = urlsplit(urljoin("https://elsewhere.test/", location))
    assert (there.scheme, there.netloc) == ("https", "nb.test")
    assert there.path.startswith("/session/1/")
