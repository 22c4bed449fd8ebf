"""API tokens in the query, where Jupyter's own clients put them when they can set no header."""

import asyncio
from uuid import UUID

import aiohttp
import pytest

from notebooks.gateway.contract import Grant
from notebooks.gateway.query_tokens import query_tokens, without_tokens
from tests.notebooks.gateway.authority import MALLORY
from tests.notebooks.gateway.conftest import PAGES, Running

SECRET = "subnb_s3cret"
NAVIGATION = {"Accept": "text/html,*/*", "Sec-Fetch-Mode": "navigate"}


def is_ours(token: str) -> bool:
    return token.startswith("subnb_")


@pytest.fixture
def token(gateway: Running) -> str:
    gateway.authority.add_token(gateway.session_id, SECRET)
    return SECRET


@pytest.mark.parametrize(
    ("address", "tokens", "bare"),
    [
        ("api", [], "api"),
        ("api?", [], "api?"),
        ("api?x=%74oken", [], "api?x=%74oken"),
        ("api?token=subnb_1", ["subnb_1"], "api"),
        ("api?token=subnb_1&", ["subnb_1"], "api?"),
        ("api?a=%20+&token=subnb_1&&b", ["subnb_1"], "api?a=%20+&&b"),
        ("api?%74ok%65n=%73ubnb_1&b=2", ["subnb_1"], "api?b=2"),
        (
            "api?token=subnb_1&token=app&token=subnb_2",
            ["subnb_1", "app", "subnb_2"],
            "api?token=app",
        ),
        ("api?token=app", ["app"], "api?token=app"),
        ("api?token", [""], "api?token"),
        ("api?Token=subnb_1", [], "api?Token=subnb_1"),
        ("api?a=token=subnb_1", [], "api?a=token=subnb_1"),
        ("files/token=subnb_1", [], "files/token=subnb_1"),
        ("x?a?token=subnb_1", [], "x?a?token=subnb_1"),
        ("https://h/x?token=subnb_1&y=2#f", ["subnb_1"], "https://h/x?y=2#f"),
        ("https://h/x#?token=subnb_1", [], "https://h/x#?token=subnb_1"),
    ],
)
def test_only_tokens_of_ours_are_taken_out(address: str, tokens: list[str], bare: str) -> None:
    assert query_tokens(address) == tokens
    assert without_tokens(address, is_ours) == bare


async def test_websocket_opens_with_the_token_in_its_query(gateway: Running, token: str) -> None:
    within = f"channels?session_id=1&token={token}"
    async with gateway.connect(within, headers={}) as ws:
        await ws.send_str("x")
        assert await ws.receive_str() == "x"
    (seen,) = gateway.upstream.seen
    assert seen.target == f"{gateway.base}channels?session_id=1"
    assert seen.header("Authorization") == "token the-run's-token"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_program_is_admitted_by_the_token_in_its_query(
    gateway: Running, token: str, method: str
) -> None:
    within = f"api?a=%2F+&token={token}&1764520000000"
    async with gateway.fetch(within, method=method, headers={}) as response:
        assert response.status == 200
    assert gateway.upstream.seen[0].target == f"{gateway.base}api?a=%2F+&1764520000000"


@pytest.mark.parametrize(
    "query",
    ["token=subnb_forged", "token=", "token", "token=subnb_mallorys", "Token=subnb_s3cret"],
)
async def test_bad_token_in_the_query_admits_nobody(
    gateway: Running, token: str, query: str
) -> None:
    assert token
    mallorys = gateway.authority.add_session(gateway.upstream.address)
    gateway.authority.add_token(mallorys, "subnb_mallorys")
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": gateway.origin}
    for headers in ({}, upgrade):
        async with gateway.fetch(f"ws?{query}", headers=headers) as response:
            assert response.status == 401
            assert (await response.json())["code"] == "not_authenticated"
    assert gateway.upstream.seen == []


@pytest.mark.parametrize(
    ("query", "headers", "counted"),
    [
        ("token=subnb_forged", {}, [("subnb_forged", "127.0.0.1")]),
        ("token=subnb_forged", {"Sec-Fetch-Site": "cross-site"}, []),
        ("token=the-applications-own", {}, []),
    ],
)
async def test_bad_token_in_the_query_counts_as_a_failed_sign_in_unless_another_site_sends_it(
    gateway: Running, query: str, headers: dict[str, str], counted: list[tuple[str, str]]
) -> None:
    async with gateway.fetch(f"api?{query}", headers=headers) as response:
        assert response.status == 401
    assert gateway.authority.bad_tokens == counted


async def test_token_in_the_query_without_the_scope_is_told_so(gateway: Running) -> None:
    gateway.authority.add_token(gateway.session_id, "subnb_ci", lacks="access")
    async with gateway.fetch("api?token=subnb_ci", headers={}) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "insufficient_scope"
    assert gateway.upstream.seen == []


async def test_websocket_under_a_revoked_token_of_the_query_is_closed(
    gateway: Running, token: str
) -> None:
    async with gateway.connect(f"ws?token={token}", headers={}) as ws:
        await ws.send_str("x")
        assert await ws.receive_str() == "x"
        gateway.authority.tokens.clear()
        message = await ws.receive(timeout=5)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)


async def test_token_that_is_revoked_while_another_is_looked_up_admits_nobody(
    gateway: Running, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = gateway.authority
    by_token = authority.by_token

    async def slow(session_id: UUID, secret: str) -> Grant | None:
        if secret == "subnb_slow":
            authority.tokens.clear()
            swept = authority.asked.count("still_valid")
            while authority.asked.count("still_valid") < swept + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return await by_token(session_id, secret)

    monkeypatch.setattr(authority, "by_token", slow)
    headers = {"Authorization": "token subnb_slow"}
    async with gateway.fetch(f"api?token={token}", headers=headers) as response:
        assert response.status == 401
    assert gateway.upstream.seen == []


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("?token=subnb_s3cret", ""),
        ("?token=subnb_ended&a", "?a"),
        ("?token=the-applications-own", "?token=the-applications-own"),
        ("?token=subnb_1&token=subnb_2&token=3&token=4&token=subnb_5", "?token=3&token=4"),
    ],
)
async def test_ticket_admits_and_no_token_of_ours_reaches_the_session(
    gateway: Running, token: str, query: str, rest: str
) -> None:
    assert token
    async with gateway.fetch(f"proxy/8080/{query}") as response:
        assert response.status == 200
    assert gateway.upstream.seen[0].target == f"{gateway.base}proxy/8080/{rest}"


async def test_any_good_token_admits_however_many_are_sent(gateway: Running, token: str) -> None:
    for headers, query in (
        ({"Authorization": "token subnb_forged"}, token),
        ({"Authorization": f"token {token}"}, "subnb_forged"),
    ):
        async with gateway.fetch(f"api?token={query}", headers=headers) as response:
            assert response.status == 200
    assert [seen.target for seen in gateway.upstream.seen] == [f"{gateway.base}api"] * 2


async def test_token_in_the_query_works_from_anywhere(gateway: Running, token: str) -> None:
    headers = {"Origin": "https://tool.test", "Sec-Fetch-Site": "cross-site"}
    async with gateway.connect(f"ws?token={token}", headers=headers) as ws:
        await ws.send_str("x")
        assert await ws.receive_str() == "x"


@pytest.mark.parametrize("headers", [NAVIGATION, {"Accept": "text/html,*/*"}])
@pytest.mark.parametrize("secret", [SECRET, "subnb_forged"])
@pytest.mark.parametrize("with_ticket", [True, False])
async def test_page_is_opened_at_its_address_without_the_token(
    gateway: Running,
    token: str,
    headers: dict[str, str],
    secret: str,
    with_ticket: bool,  # noqa: FBT001
) -> None:
    assert token
    headers = headers | (gateway.ticket if with_ticket else {})
    async with gateway.fetch(f"lab/tree/a%20b?token={secret}&reset", headers=headers) as response:
        assert response.status == 303
        assert response.headers["Location"] == f"{gateway.origin}{gateway.base}lab/tree/a%20b?reset"
        assert response.headers["Cache-Control"] == "no-store"
    assert gateway.upstream.seen == []


async def test_form_with_a_token_in_its_address_shows_no_page(gateway: Running, token: str) -> None:
    headers = NAVIGATION | {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    async with gateway.fetch(f"api?token={token}", method="POST", headers=headers) as response:
        assert response.status == 403
        assert await response.json() == {
            "code": "token_in_address",
            "message": "A token in the address opens no page. Programs send it as a header.",
        }
    assert gateway.upstream.seen == []


async def test_tokens_do_not_go_along_to_the_pages(gateway: Running) -> None:
    gateway.authority.add_token(gateway.session_id, "of-an-older-form", lacks="access")
    async with gateway.fetch("lab?token=mine&a=1", headers=NAVIGATION) as response:
        assert response.headers["Location"] == (
            f"{PAGES}/sessions/{gateway.session_id}/open?next=lab%3Ftoken%3Dmine%26a%3D1"
        )
    async with gateway.fetch("lab?token=of-an-older-form&a=1", headers=NAVIGATION) as response:
        assert response.headers["Location"] == f"{gateway.origin}{gateway.base}lab?a=1"


async def test_session_does_not_see_the_token_in_other_headers(
    gateway: Running, token: str
) -> None:
    address = f"{gateway.origin}{gateway.base}lab?token={token}&a=1"
    headers = gateway.ticket | {"Referer": address, "X-Original-URI": address}
    async with gateway.fetch("api", headers=headers) as response:
        assert response.status == 200
    (seen,) = gateway.upstream.seen
    assert seen.header("Referer") == f"{gateway.origin}{gateway.base}lab?a=1"
    assert all(token not in value for _, value in seen.headers)


async def test_token_in_the_query_is_not_logged(
    gateway: Running, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"), caplog.at_level("INFO", "notebooks.gateway.access"):
        for session, headers in (
            (gateway.session_id, {}),
            (gateway.session_id, NAVIGATION),
            (MALLORY, {}),
        ):
            address = f"{gateway.origin}/session/{session}/api?token={token}"
            async with gateway.client.get(address, headers=headers, allow_redirects=False):
                pass
        gateway.authority.down = True
        gateway.authority.change(gateway.session_id, address="unix:/nowhere")
        async with gateway.fetch(f"api?token={token}", headers={}):
            pass
        await gateway.raw(f"GET {gateway.base}a b?token={token} HTTP/1.1\r\n\r\n".encode())
    assert f"GET {gateway.base}api 200" in "\n".join(caplog.messages)
    assert token not in caplog.text
