"""The gateway's own answers: a page for a person who navigates, JSON for a program."""

import base64
import hashlib
import re

from aiohttp import hdrs, web
from django.template.loader import render_to_string

from notebooks.gateway.refusals import Refusal

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def wants_page(request: web.BaseRequest) -> bool:
    """Whether a person is navigating, rather than a script fetching."""
    return (
        request.method == hdrs.METH_GET
        and request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        and "text/html" in request.headers.get(hdrs.ACCEPT, "")
        and hdrs.UPGRADE not in request.headers
    )


def answer(refusal: Refusal, *, page: bool) -> web.Response:
    """The refusal as a response."""
    if page:
        response = _page(refusal)
    else:
        response = web.json_response(
            {"code": refusal.code, "message": refusal.message}, status=refusal.status
        )
        response.headers["Content-Security-Policy"] = "default-src 'none'"
    if refusal.refresh is not None:
        response.headers[hdrs.RETRY_AFTER] = str(refusal.refresh)
    response.headers.update(own_headers())
    response.headers.update(refusal.headers)
    return response


def raw_answer(refusal: Refusal) -> bytes:
    """The refusal as the bytes of a response that ends its connection."""
    response = answer(refusal, page=False)
    body = response.body
    assert isinstance(body, bytes)
    response.headers.update({hdrs.CONTENT_LENGTH: str(len(body)), hdrs.CONNECTION: "close"})
    lines = [f"HTTP/1.1 {refusal.status} {refusal.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def own_headers() -> dict[str, str]:
    """What all of the gateway's own answers carry."""
    return {
        hdrs.CACHE_CONTROL: "no-store",
        "Referrer-Policy": "strict-origin",
        hdrs.SERVER: "submarine",
        "X-Content-Type-Options": "nosniff",
    }


def _page(refusal: Refusal) -> web.Response:
    text = render_to_string("gateway/message.html", {"refusal": refusal})
    response = web.Response(
        text=text, status=refusal.status, content_type="text/html", charset="utf-8"
    )
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {_style_source(text)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return response


def _style_source(page: str) -> str:
    """The hash of the page's one inline stylesheet."""
    style = _STYLE.search(page)
    digest = hashlib.sha256(style[1].encode() if style else b"").digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
