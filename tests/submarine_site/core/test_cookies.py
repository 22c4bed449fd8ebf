from typing import Any

import pytest

from submarine_site.core.cookies import MAX_COOKIE, PlainCookies


async def passed_on(*headers: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope: Any, *_: object) -> None:
        seen.extend(scope["headers"])

    scope = {"type": "http", "headers": list(headers)}
    await PlainCookies(app)(scope, app, app)  # type: ignore[arg-type]
    return seen


async def test_plain_cookies_pass() -> None:
    headers = [(b"host", b"a\\b"), (b"cookie", b'sessionid=a; csrftoken="b"'), (b"cookie", b"c=d")]
    assert await passed_on(*headers) == headers


@pytest.mark.parametrize(
    ("cookie", "kept"),
    [
        (rb'a=1; x="\""; b=2', b"a=1; b=2"),
        (rb'messages="\"a\""; b=2', rb'messages="\"a\""; b=2'),
        (rb'messages="\"a\""; messages="\"b\""', rb'messages="\"a\""'),
        (b"messages=" + b"\\" * MAX_COOKIE + b"; b=2", b" b=2"),
        (rb"\\\\", b""),
    ],
)
async def test_of_cookies_with_backslashes_the_messages_alone_pass(
    cookie: bytes, kept: bytes
) -> None:
    assert await passed_on((b"cookie", cookie), (b"a", rb"\b")) == [
        (b"cookie", kept),
        (b"a", rb"\b"),
    ]


async def test_one_passes_over_all_headers() -> None:
    one, other = rb'messages="\"a\""', rb'messages="\"b\""'
    assert await passed_on((b"cookie", one), (b"cookie", other)) == [
        (b"cookie", one),
        (b"cookie", b""),
    ]
