"""Tricks that would lead a browser away from the gateway, tried at each of its own answers."""

import re
from urllib.parse import quote, urljoin, urlsplit

import pytest

from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import PAGES, Running, Upstream, serving

EVIL = "evil.example"
HOSTILE = [
    f"https://{EVIL}/",
    f"//{EVIL}/",
    f"/\\{EVIL}/",
    f"\\\\{EVIL}/",
    f"/%09/{EVIL}/",
    f"%2f%2f{EVIL}/",
    f"%5c%5c{EVIL}/",
    f"@{EVIL}/",
    f":80@{EVIL}/",
    f".{EVIL}/",
    f"../../..//{EVIL}/",
    f"%2e%2e/%2e%2e//{EVIL}/",
    f"lab/../../../{EVIL}",
    "javascript:alert(1)",
    f"lab\r\nLocation: https://{EVIL}/",
    "lab%0d%0aSet-Cookie:%20submarine-ticket=planted",
    "_submarine/enter?code=c0de",
    f"lab?next=//{EVIL}/#//{EVIL}",
]
NAMES = ("next", "url", "redirect", "return_to", "originalUrl", "continue", "path")
STRIPPED = str.maketrans({"\t": None, "\n": None, "\r": None, "\\": "/"})
PAGE = ("Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")


def heads(answer: bytes) -> list[tuple[str, str]]:
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    return [
        (name.lower(), value.strip())
        for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
    ]


def stays(gateway: Running, location: str) -> bool:
    """Whether a browser that follows this comes to the session, or to its page."""
    # What browsers make of dots, too: `urljoin` resolves them.
    seen = urljoin(gateway.origin + gateway.base, location.translate(STRIPPED))
    opens = f"{PAGES}/sessions/{gateway.session_id}/open"
    inside = seen.startswith(f"{gateway.origin}{gateway.base}")
    return inside or seen.partition("?")[0] == opens


async def ask(gateway: Running, target: str, *headers: str, host: str = "") -> bytes:
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {host or urlsplit(gateway.origin).netloc}",
        "Connection: close",
        *headers,
    ]
    return await gateway.raw(("\r\n".join(lines) + "\r\n\r\n").encode())


def locations(answer: bytes) -> list[str]:
    return [value for name, value in heads(answer) if name == "location"]


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_code_leads_into_its_session_and_nowhere_else(gateway: Running, value: str) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    query = "&".join(f"{name}={quote(value, safe='')}" for name in NAMES)
    answer = await ask(gateway, f"{gateway.base}_submarine/enter?code=c0de&{query}", *PAGE)
    assert answer.startswith(b"HTTP/1.1 303 ")
    [location] = locations(answer)
    assert stays(gateway, location)
    assert location.startswith(f"{gateway.origin}{gateway.base}")
    assert "_submarine" not in location
    [cookie] = [given for name, given in heads(answer) if name == "set-cookie"]
    assert cookie.startswith("submarine-ticket=ticket-of-c0de;")


@pytest.mark.parametrize("value", HOSTILE)
async def test_whoever_must_come_by_the_pages_is_led_to_the_sessions_own(
    gateway: Running, value: str
) -> None:
    raw = quote(value, safe="%/@:?=#\\")
    within = ["", "lab", "_submarine/limits", "_submarine/none", "_submarine/enter"]
    targets = [
        *(f"{gateway.base}{each}{'?' if each else ''}{raw}" for each in within),
        *(f"{gateway.base}{each}?next={quote(value, safe='')}" for each in within),
        f"{gateway.base}{raw}",
        f"{gateway.base.rstrip('/')}{raw}",
        f"/{raw}",
        raw,
        f"//{EVIL}{gateway.base}lab",
        f"http://{EVIL}{gateway.base}lab",
        f"{gateway.origin}{gateway.base}lab?{raw}",
    ]
    led = 0
    for target in targets:
        answer = await ask(gateway, target, *PAGE)
        status = int(re.match(rb"HTTP/1\.[01] (\d+)", answer)[1])  # type: ignore[index]
        assert status < 500, target
        assert not [1 for name, _ in heads(answer) if name == "set-cookie"], target
        for location in locations(answer):
            led += 1
            assert stays(gateway, location), target
            [following] = re.findall(r"\?next=([^&#]*)$", location)
            assert not set(following) & set("/\\:@?#&")
        body = answer.partition(b"\r\n\r\n")[2].decode()
        for href in re.findall(r"(?:href|action|src)=\"([^\"]*)\"", body):
            assert EVIL not in href, target
    assert led
    assert gateway.upstream.seen == []


@pytest.mark.parametrize("host", [EVIL, f"127.0.0.1@{EVIL}", f"127.0.0.1.{EVIL}"])
async def test_no_address_is_made_of_another_host_name(gateway: Running, host: str) -> None:
    for target in (f"{gateway.base}lab", f"{gateway.base}_submarine/enter?code=c0de"):
        gateway.authority.add_code(gateway.session_id, "c0de")
        answer = await ask(gateway, target, *PAGE, host=host)
        assert not answer.startswith(b"HTTP/1.1 30")
        assert locations(answer) == []
        forwarded = (f"X-Forwarded-Host: {host}", f"Forwarded: host={host}")
        answer = await ask(gateway, target, *PAGE, *forwarded)
        [location] = locations(answer)
        assert stays(gateway, location)
        assert EVIL not in location


async def test_with_a_name_each_nothing_leads_out_either(
    authority: MemoryAuthority, upstream: Upstream
) -> None:
    async with serving(authority, upstream, gateway_url="http://nb.test", subdomains=True) as run:
        host = f"{run.session_id.hex}.nb.test"
        for value in HOSTILE:
            authority.add_code(run.session_id, "c0de")
            query = f"code=c0de&next={quote(value, safe='')}"
            entered = await ask(run, f"/_submarine/enter?{query}", *PAGE, host=host)
            [location] = locations(entered)
            landed = urlsplit(urljoin("http://x/", location.translate(STRIPPED)))
            assert landed.netloc == host
            answer = await ask(run, f"/{quote(value, safe='%/@:?=')}", *PAGE, host=host)
            for location in locations(answer):
                assert location.startswith(f"{PAGES}/sessions/{run.session_id}/open?next=")


async def test_a_ticket_that_was_planted_is_not_the_one_that_lets_in(gateway: Running) -> None:
    gateway.authority.add_code(gateway.session_id, "c0de")
    planted = "Cookie: submarine-ticket=planted"
    target = f"{gateway.base}_submarine/enter?code=c0de"
    answer = await ask(gateway, target, planted, *PAGE)
    [cookie] = [given for name, given in heads(answer) if name == "set-cookie"]
    assert cookie.startswith("submarine-ticket=ticket-of-c0de;")
    async with gateway.fetch("api", headers={"Cookie": "submarine-ticket=planted"}) as response:
        assert response.status == 401
