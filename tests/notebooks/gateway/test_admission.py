from uuid import uuid4

import pytest

from notebooks.gateway.failed_sign_ins import FailedSignIns
from notebooks.gateway.refusals import Refusal
from tests.notebooks.gateway.authority import MALLORY, MemoryAuthority
from tests.notebooks.gateway.conftest import PAGES, Running, Upstream, serving

PAGE = {"Accept": "text/html,*/*", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("scheme", ["Bearer", "token", "BEARER"])
async def test_api_token_admits(gateway: Running, scheme: str) -> None:
    gateway.authority.add_token(gateway.session_id, "ada-api")
    headers = {"Authorization": f"{scheme} ada-api"}
    async with gateway.fetch("api", headers=headers, method="DELETE") as response:
        assert response.status == 200
    assert gateway.upstream.seen[0].header("Authorization") == "token the-run's-token"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer forged"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YWRhOmFkYQ=="},
        {"Authorization": "token " + "x" * 5000},
        {"Authorization": "token the-run's-token"},
        {"Cookie": "submarine-ticket=forged"},
        {"Cookie": "submarine-ticket="},
        {"Cookie": "submarine-ticket"},
        {"Cookie": "__Host-submarine-ticket=adas"},
        {"Cookie": "sessionid=adas"},
        {"Cookie": "submarine-ticket=mallorys"},
        {"Authorization": "token mallory-api"},
    ],
)
async def test_without_a_good_credential_nothing_passes(
    gateway: Running, headers: dict[str, str]
) -> None:
    mallorys = gateway.authority.add_session(gateway.upstream.address)
    gateway.authority.add_ticket(mallorys, "mallorys", user=MALLORY)
    gateway.authority.add_token(mallorys, "mallory-api")
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert await response.json() == {
            "code": "not_authenticated",
            "message": "This needs a session opened from its page, or an API token.",
        }
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": gateway.origin}
    async with gateway.fetch("ws", headers=headers | upgrade) as response:
        assert response.status == 401
    assert gateway.upstream.seen == []


async def test_token_without_the_scope_is_told_so_and_passes_nothing(gateway: Running) -> None:
    gateway.authority.add_token(gateway.session_id, "ci", lacks="access")
    headers = {"Authorization": "Bearer ci"}
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": gateway.origin}
    for within, more in (("api", {}), ("api", {}), ("ws", upgrade)):
        async with gateway.fetch(within, headers=headers | more) as response:
            assert response.status == 403
            assert await response.json() == {
                "code": "insufficient_scope",
                "message": "This takes a token with the scope “access”.",
            }
    assert gateway.upstream.seen == []


async def test_use_of_a_token_is_noted_with_its_address(
    authority: MemoryAuthority, upstream: Upstream
) -> None:
    async with serving(authority, upstream) as gateway:
        authority.add_token(gateway.session_id, "ada-api")
        headers = {"Authorization": "Bearer ada-api"}
        async with gateway.fetch("api", headers=headers) as response:
            assert response.status == 200
    [(grant_id, use)] = authority.token_uses.items()
    assert grant_id == authority.tokens[gateway.session_id, "ada-api"].id
    assert use.address == "127.0.0.1"


async def test_a_bad_token_is_counted_and_refused_while_there_are_too_many(
    gateway: Running,
) -> None:
    gateway.authority.add_token(gateway.session_id, "ada-api")
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": gateway.origin}
    async with gateway.fetch("api", headers={"Authorization": "token subnb_one"}) as response:
        assert response.status == 401
    gateway.authority.refuses_bad_tokens_for = 90
    for more in ({}, {}, upgrade):
        headers = {"Authorization": "token subnb_other", **more}
        async with gateway.fetch("api", headers=headers) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) in {89, 90}
            assert await response.json() == {
                "code": "too_many_attempts",
                "message": "Too many failed sign-ins from your network address. "
                "Try again in 2 minutes.",
            }
    # While its address is refused, nothing more is asked about it.
    assert gateway.authority.bad_tokens == [
        ("subnb_one", "127.0.0.1"),
        ("subnb_other", "127.0.0.1"),
    ]
    for headers in (gateway.ticket, {"Authorization": "Bearer ada-api"}):
        async with gateway.fetch("api", headers=headers) as response:
            assert response.status == 200


async def test_jupyters_own_token_beside_a_ticket_is_no_failure(gateway: Running) -> None:
    headers = {**gateway.own, "Authorization": "token the-run's-token"}
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 200
    async with gateway.fetch("api", headers={}) as response:
        assert response.status == 401
    assert gateway.authority.bad_tokens == []


@pytest.mark.parametrize(
    ("token", "site", "counted"),
    [
        ("20b0f3c4", None, False),
        ("20b0f3c4", "same-origin", False),
        ("subnb_forged", "same-origin", False),
        ("subnb_forged", "same-site", False),
        ("subnb_forged", "cross-site", False),
        ("subnb_forged", "none", True),
        ("subnb_forged", None, True),
    ],
)
async def test_tabs_whose_session_has_ended_do_not_close_sign_in_for_their_network(
    gateway: Running,
    token: str,
    site: str | None,
    counted: bool,  # noqa: FBT001
) -> None:
    of_browser = {"Sec-Fetch-Site": site} if site else {}
    for scheme in ("token", "Bearer"):
        headers = {"Authorization": f"{scheme} {token}", **of_browser}
        async with gateway.fetch("api/kernels", headers=headers) as response:
            assert response.status == 401
    assert gateway.authority.bad_tokens == [(token, "127.0.0.1")] * 2 * counted


async def test_a_network_that_sent_too_many_bad_tokens_is_known_by_all_its_addresses(
    authority: MemoryAuthority,
) -> None:
    failed_sign_ins = FailedSignIns(authority)
    authority.refuses_bad_tokens_for = 90
    for address in (
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:0:1::1",
        "192.0.2.1",
        "::ffff:c000:201",
    ):
        with pytest.raises(Refusal) as refusal:
            await failed_sign_ins.add("subnb_one", address)
        assert refusal.value.status == 429
    assert [address for _, address in authority.bad_tokens] == [
        "2001:db8::1",
        "2001:db8:0:1::1",
        "192.0.2.1",
    ]


async def test_a_bad_token_is_refused_also_where_it_cannot_be_counted(gateway: Running) -> None:
    async def fail(*_: object) -> None:
        raise OSError

    gateway.authority.record_bad_token = fail  # type: ignore[method-assign,assignment]
    headers = {"Authorization": "token subnb_one"}
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 401


async def test_expired_ticket_is_refused(gateway: Running) -> None:
    gateway.authority.add_ticket(gateway.session_id, "old", seconds=-1)
    headers = {"Cookie": "submarine-ticket=old"}
    for _ in range(2):
        async with gateway.fetch("api", headers=headers) as response:
            assert response.status == 401


async def test_person_without_a_ticket_is_sent_to_the_pages_and_back(gateway: Running) -> None:
    async with gateway.fetch("lab/tree/a%20b.ipynb?reset&x=1", headers=PAGE) as response:
        assert response.status == 303
        assert response.headers["Location"] == (
            f"{PAGES}/sessions/{gateway.session_id}/open"
            "?next=lab%2Ftree%2Fa%2520b.ipynb%3Freset%26x%3D1"
        )
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("headers", [{}, PAGE])
async def test_unknown_session_looks_like_a_strangers(
    gateway: Running, headers: dict[str, str]
) -> None:
    answers = []
    for session_id in (gateway.session_id, uuid4()):
        async with gateway.client.get(
            f"{gateway.origin}/session/{session_id}/lab", headers=headers, allow_redirects=False
        ) as response:
            location = response.headers.get("Location", "").replace(str(session_id), "…")
            names = sorted(response.headers)
            answers.append((response.status, location, names, await response.text()))
    assert answers[0] == answers[1]


async def test_unknown_token_does_not_spoil_a_good_ticket(gateway: Running) -> None:
    headers = gateway.ticket | {"Authorization": "token the-run's-token"}
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 200


async def test_second_ticket_cookie_does_not_hide_the_good_one(gateway: Running) -> None:
    headers = {"Cookie": "submarine-ticket=tossed; submarine-ticket=adas"}
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 200


def planted(count: int) -> str:
    """Cookies of the ticket's name, each with a value of its own, as a session's page can set."""
    return "; ".join(f"submarine-ticket={uuid4()}" for _ in range(count))


@pytest.mark.parametrize("count", [5, 180])
async def test_planted_tickets_do_not_lock_a_browser_out(gateway: Running, count: int) -> None:
    for cookie in (
        f"{planted(count)}; submarine-ticket=adas",
        f"submarine-ticket=adas; {planted(count)}",
        f"submarine-ticket; submarine-ticket=; {planted(count)}; submarine-ticket=adas",
    ):
        async with gateway.fetch("api", headers={"Cookie": cookie}) as response:
            assert response.status == 200
    assert all(seen.header("Cookie") is None for seen in gateway.upstream.seen)


async def test_browser_with_planted_tickets_gets_in_anew(gateway: Running) -> None:
    gateway.authority.tickets.clear()
    gateway.authority.add_code(gateway.session_id, "c0de")
    cookie = planted(100)
    async with gateway.fetch("lab", headers=PAGE | {"Cookie": cookie}) as response:
        assert response.headers["Location"].startswith(f"{PAGES}/sessions/")
    async with gateway.fetch("_submarine/enter?code=c0de", headers={"Cookie": cookie}) as response:
        assert response.status == 303
        ticket = response.cookies["submarine-ticket"].value
    headers = PAGE | {"Cookie": f"{cookie}; submarine-ticket={ticket}"}
    async with gateway.fetch("lab", headers=headers) as response:
        assert response.status == 200


async def test_ticket_in_use_is_found_without_asking_about_planted_ones(gateway: Running) -> None:
    async with gateway.fetch("api") as response:
        assert response.status == 200
    asked = gateway.authority.asked.count("by_ticket")
    cookie = f"{planted(100)}; submarine-ticket=adas"
    async with gateway.fetch("api", headers={"Cookie": cookie}) as response:
        assert response.status == 200
    assert gateway.authority.asked.count("by_ticket") == asked


async def test_no_more_tickets_are_tried_than_browsers_keep(gateway: Running) -> None:
    cookie = "; ".join(f"submarine-ticket={n}" for n in range(300))
    async with gateway.fetch("api", headers={"Cookie": cookie}) as response:
        assert response.status == 401
    assert gateway.authority.asked.count("by_ticket") == 200


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Origin": "OWN"}, 200),
        ("POST", {"Origin": "OWN", "Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", {}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ("PUT", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", {"Origin": "null", "Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Origin": "null", "Sec-Fetch-Site": "none"}, 403),
        (
            "POST",
            {
                "Origin": "null",
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "document",
            },
            403,
        ),
        (
            "POST",
            {"Origin": "null", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
            403,
        ),
        ("GET", {"Origin": "null"}, 403),
        ("GET", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", {"Origin": "https://evil.test"}, 403),
        ("POST", {"Origin": PAGES}, 403),
        ("POST", {"Origin": "OWN.evil.test"}, 403),
        ("POST", {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "none"}, 403),
        ("POST", {"Origin": "OWN", "Sec-Fetch-Site": "same-site"}, 403),
        ("PUT", {}, 403),
        ("PATCH", {}, 403),
        ("DELETE", {}, 403),
        ("GET", {}, 200),
        ("HEAD", {}, 200),
        ("GET", {"Sec-Fetch-Site": "none"}, 200),
        ("GET", {"Origin": "https://evil.test"}, 403),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        (
            "GET",
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "document",
            },
            200,
        ),
        (
            "GET",
            {
                "Sec-Fetch-Site": "same-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "iframe",
            },
            403,
        ),
        ("GET", {"Connection": "Upgrade", "Upgrade": "websocket"}, 403),
        ("GET", {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": "null"}, 403),
        (
            "GET",
            {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Origin": "null",
                "Sec-Fetch-Site": "same-origin",
            },
            403,
        ),
        (
            "GET",
            {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": "https://evil.test"},
            403,
        ),
    ],
)
async def test_ticket_works_for_the_sessions_own_pages_only(
    gateway: Running, method: str, headers: dict[str, str], status: int
) -> None:
    headers = {name: value.replace("OWN", gateway.origin) for name, value in headers.items()}
    async with gateway.fetch("api", method=method, headers=gateway.ticket | headers) as response:
        assert response.status == status
    assert len(gateway.upstream.seen) == (status == 200)


async def test_token_works_from_anywhere(gateway: Running) -> None:
    gateway.authority.add_token(gateway.session_id, "ada-api")
    headers = {"Authorization": "token ada-api", "Origin": "https://tool.test"}
    async with gateway.fetch("api", method="POST", headers=headers) as response:
        assert response.status == 200


async def test_foreign_origin_is_told_so(gateway: Running) -> None:
    async with gateway.fetch("api", method="POST", headers=gateway.ticket) as response:
        assert (await response.json())["code"] == "cross_origin"
