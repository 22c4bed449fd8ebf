import pytest

from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.headers import HeaderPolicy, RawHeaders

BASE = "/session/0f8fad5b-d9cb-469f-a165-70867728950e/"
PATHS = GatewayConfig(pages_url="https://app.test", gateway_url="https://nb.test", subdomains=False)
POLICY = HeaderPolicy(PATHS)


def upstream(*headers: tuple[bytes, bytes]) -> list[bytes]:
    """What is sent of these, without what is always added."""
    lines = POLICY.upstream(headers, token="t0ken", client="192.0.2.1", host="nb.test")
    assert lines[-1] == (
        b"Authorization: token t0ken\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\n"
        b"X-Forwarded-Host: nb.test\r\n"
        b"X-Forwarded-Proto: https\r\n"
    )
    return lines[:-1]


def downstream(*headers: tuple[bytes, bytes], base: str = BASE) -> list[bytes]:
    lines = POLICY.downstream(headers, base=base)
    assert lines[-1] == (
        b"Content-Security-Policy: frame-ancestors 'self'\r\n"
        b"Referrer-Policy: strict-origin-when-cross-origin\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
    )
    return lines[:-1]


def test_ordinary_headers_pass_as_they_are_written() -> None:
    headers: RawHeaders = (
        (b"HOST", b"nb.test"),
        (b"X-XSRFToken", b"a\xe9"),
        (b"Range", b"bytes=0-1"),
    )
    assert upstream(*headers) == [
        b"HOST: nb.test\r\n",
        b"X-XSRFToken: a\xe9\r\n",
        b"Range: bytes=0-1\r\n",
    ]


@pytest.mark.parametrize(
    "name",
    [
        b"Authorization",
        b"Proxy-Authorization",
        b"X-Forwarded-For",
        b"x-forwarded-user",
        b"X-Real-IP",
        b"X-Scheme",
        b"Forwarded",
        b"Keep-Alive",
        b"TE",
        b"Trailer",
        b"Upgrade",
        b"Transfer-Encoding",
        b"Content-Length",
        b"Expect",
        b"Proxy-Connection",
        b"Sec-WebSocket-Extensions",
    ],
)
def test_credentials_and_what_is_for_this_hop_do_not_reach_the_session(name: bytes) -> None:
    assert upstream((name, b"x")) == []


def test_what_connection_lists_is_for_this_hop() -> None:
    assert upstream((b"Connection", b"close, X-Mine"), (b"X-Mine", b"1"), (b"X-Other", b"2")) == [
        b"X-Other: 2\r\n"
    ]


def test_connection_cannot_take_away_the_host() -> None:
    assert upstream((b"Connection", b"Host"), (b"Host", b"nb.test")) == [b"Host: nb.test\r\n"]


def test_cookies_of_the_site_and_the_gateway_do_not_reach_the_session() -> None:
    cookie = (
        b"sessionid=1; _xsrf=2|a|b; csrftoken=3; __Secure-submarine-ticket=4;"
        b" __Host-submarine-ticket=5; submarine-ticket=6; SessionID=7; username-nb=x=y"
    )
    assert upstream((b"Cookie", cookie)) == [b"Cookie: _xsrf=2|a|b; username-nb=x=y\r\n"]


def test_several_cookie_headers_become_one() -> None:
    assert upstream((b"Cookie", b"a=1; sessionid=2"), (b"cookie", b"b=3")) == [
        b"Cookie: a=1; b=3\r\n"
    ]


def test_no_cookie_header_is_left_when_none_may_pass() -> None:
    assert upstream((b"Cookie", b"sessionid=1")) == []


def test_tickets_are_read_from_the_cookie_of_this_configuration_only() -> None:
    cookies = [
        "a=1; __Secure-submarine-ticket=x",
        "submarine-ticket=y; __Secure-submarine-ticket=z",
    ]
    assert POLICY.tickets(cookies) == ["x", "z"]


@pytest.mark.parametrize(
    "name",
    [
        b"Connection",
        b"Keep-Alive",
        b"Transfer-Encoding",
        b"Alt-Svc",
        b"Clear-Site-Data",
        b"Strict-Transport-Security",
        b"NEL",
        b"Report-To",
        b"Referrer-Policy",
        b"Accept-CH",
        b"Critical-CH",
        b"Expect-CT",
        b"Public-Key-Pins",
        b"Set-Cookie2",
    ],
)
def test_what_acts_on_the_whole_origin_does_not_reach_the_browser(name: bytes) -> None:
    assert downstream((name, b"x")) == []


@pytest.mark.parametrize(
    "name",
    [
        b"X-Accel-Redirect",
        b"x-accel-redirect",
        b"X-ACCEL-EXPIRES",
        b"X-Accel-Buffering",
        b"X-Accel-Limit-Rate",
        b"X_Accel_Redirect",
        b"X-Archive-Files",
        b"X-Sendfile",
        b"X-SENDFILE",
        b"X-Sendfile2",
        b"X-Sendfile-Temporary",
        b"X-LIGHTTPD-send-file",
        b"X-LIGHTTPD-send-tempfile",
        b"X-LiteSpeed-Location",
        b"X-LiteSpeed-Cache-Control",
        b"X-REPROXY-URL",
        b"X-Reproxy-File",
        b"X-Envoy-Immediate-Health-Check-Fail",
        b"Surrogate-Control",
        b"Surrogate-Key",
        b"CDN-Cache-Control",
        b"Cloudflare-CDN-Cache-Control",
        b"Edge-Control",
        b"Cache-Tag",
        b"xkey",
    ],
)
def test_session_does_not_command_the_proxy_in_front(name: bytes) -> None:
    kept = (b"X-Accelerated", b"yes")
    assert downstream((name, b"/protected/x"), kept) == [b"X-Accelerated: yes\r\n"]


@pytest.mark.parametrize(
    "name",
    [
        b"Cache-Control",
        b"Expires",
        b"Vary",
        b"Location",
        b"Refresh",
        b"Via",
        b"X-Send",
        b"X-Access",
    ],
)
def test_what_is_said_to_the_browser_reaches_it(name: bytes) -> None:
    assert downstream((name, b"x")) == [name + b": x\r\n"]


def test_connection_cannot_smuggle_a_command_to_the_proxy() -> None:
    headers = ((b"Connection", b"X-Accel-Redirect, keep-alive"), (b"X-Accel-Redirect", b"/x"))
    assert downstream(*headers) == []


def test_the_sessions_own_policy_is_kept() -> None:
    assert downstream((b"Content-Security-Policy", b"frame-ancestors *")) == [
        b"Content-Security-Policy: frame-ancestors *\r\n"
    ]


@pytest.mark.parametrize(
    "cookie",
    [
        b"sessionid=evil",
        b"csrftoken=evil; Path=/",
        b" SessionId = evil",
        b"submarine-ticket=evil",
        b"__Secure-submarine-ticket=evil; Secure",
        b"__Host-submarine-ticket=evil; Secure; Path=/",
        b"__host-other=evil; Secure; Path=/",
        b"=sessionid=evil",
        b"sessionid",
    ],
)
def test_session_cannot_set_a_cookie_of_the_site_or_the_gateway(cookie: bytes) -> None:
    assert downstream((b"Set-Cookie", cookie)) == []


@pytest.mark.parametrize(
    ("cookie", "path"),
    [
        (b"a=1", BASE),
        (b"a=1; Path=/", BASE),
        (b"a=1; path=/session/other/", BASE),
        (b"a=1; Path=" + BASE.encode() + b"lab", BASE + "lab"),
        (b"a=1; Path=" + BASE.encode() + b"../", BASE),
        (b"a=1; Domain=nb.test; Path=/", BASE),
        (b"a=1; DOMAIN = .test", BASE),
        (b"a=1; Path=/; Path=/", BASE),
    ],
)
def test_cookies_of_the_session_stay_in_it(cookie: bytes, path: str) -> None:
    assert downstream((b"Set-Cookie", cookie)) == [
        b"Set-Cookie: a=1; Path=" + path.encode() + b"\r\n"
    ]


def test_other_attributes_of_a_cookie_are_kept() -> None:
    cookie = b"_xsrf=2; expires=Wed, 22 Dec 2027 00:00:00 GMT; HttpOnly; Path=/"
    assert downstream((b"Set-Cookie", cookie)) == [
        b"Set-Cookie: _xsrf=2; expires=Wed, 22 Dec 2027 00:00:00 GMT; HttpOnly; Path="
        + BASE.encode()
        + b"\r\n"
    ]


@pytest.mark.parametrize("scope", [b"/", b"/session/", BASE.encode() + b"..", b"https://nb.test/"])
def test_service_workers_do_not_reach_beyond_the_session(scope: bytes) -> None:
    assert downstream((b"Service-Worker-Allowed", scope)) == []


def test_service_workers_may_have_all_of_the_session() -> None:
    assert downstream((b"Service-Worker-Allowed", BASE.encode())) == [
        b"Service-Worker-Allowed: " + BASE.encode() + b"\r\n"
    ]


@pytest.mark.parametrize(
    ("gateway_url", "subdomains", "name"),
    [
        ("http://nb.test", False, "submarine-ticket"),
        ("http://nb.test", True, "submarine-ticket"),
        ("https://nb.test", False, "__Secure-submarine-ticket"),
        ("https://nb.test", True, "__Host-submarine-ticket"),
    ],
)
def test_ticket_cookie_has_the_strongest_prefix_it_can(
    gateway_url: str,
    subdomains: bool,  # noqa: FBT001
    name: str,
) -> None:
    config = GatewayConfig(
        pages_url="http://app.test", gateway_url=gateway_url, subdomains=subdomains
    )
    assert config.ticket_cookie == name


@pytest.mark.parametrize("url", ["nb.test", "http://nb.test/", "http://nb.test/x", "ftp://nb.test"])
def test_urls_of_the_configuration_are_origins(url: str) -> None:
    with pytest.raises(ValueError, match="scheme"):
        GatewayConfig(pages_url=url, gateway_url="http://nb.test", subdomains=False)
