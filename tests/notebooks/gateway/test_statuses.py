import base64
import hashlib
import re

import pytest

from tests.notebooks.gateway.conftest import PAGES, Running

PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@pytest.mark.parametrize(
    ("status", "code", "title", "refresh"),
    [
        ("requested", "session_starting", "analysis is starting", "3"),
        ("starting", "session_starting", "analysis is starting", "3"),
        ("stopping", "session_stopping", "analysis is stopping", None),
        ("stopped", "session_stopped", "analysis is stopped", None),
        ("failed", "session_failed", "analysis has failed", None),
    ],
)
async def test_session_that_does_not_run_says_what_it_does(
    gateway: Running, status: str, code: str, title: str, refresh: str | None
) -> None:
    gateway.authority.change(gateway.session_id, status=status, address="", message="")
    async with gateway.fetch("api") as response:
        assert response.status == 503
        assert response.headers.get("Retry-After") == refresh
        assert (await response.json())["code"] == code
    async with gateway.fetch("lab", headers=gateway.ticket | PAGE) as response:
        assert response.status == 503
        assert response.headers.get("Retry-After") == refresh
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        page = await response.text()
    assert f"<h1>{title}</h1>" in page
    assert f'href="{PAGES}/sessions/{gateway.session_id}"' in page
    assert ('http-equiv="refresh"' in page) == (refresh is not None)


async def test_reason_is_told_in_the_sessions_own_words(gateway: Running) -> None:
    gateway.authority.change(
        gateway.session_id, status="failed", message="<b>The image</b> is missing."
    )
    async with gateway.fetch("lab", headers=gateway.ticket | PAGE) as response:
        assert "&lt;b&gt;The image&lt;/b&gt; is missing." in await response.text()


async def test_page_allows_its_own_style_and_nothing_else(gateway: Running) -> None:
    gateway.authority.change(gateway.session_id, status="stopped")
    async with gateway.fetch("lab", headers=gateway.ticket | PAGE) as response:
        policy = response.headers["Content-Security-Policy"]
        page = await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    assert "<script" not in page


async def test_session_that_is_gone_is_not_found(gateway: Running) -> None:
    del gateway.authority.where[gateway.session_id]
    async with gateway.fetch("api") as response:
        assert response.status == 404
