"""Where a one-time code becomes a ticket cookie."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlsplit

from aiohttp import hdrs, web

from notebooks.gateway.addresses import OWN_PREFIX, Place, leaves
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.contract import Authority, Ticket
from notebooks.gateway.pages import own_headers
from notebooks.gateway.refusals import Link, Refusal, unavailable

ENTER = f"{OWN_PREFIX}enter"
DEFAULT_NEXT = "lab"

_MAX_CODE = 512


class Entrance:
    """Redeems codes."""

    def __init__(self, *, config: GatewayConfig, authority: Authority) -> None:
        self._config = config
        self._authority = authority

    async def enter(self, request: web.BaseRequest, place: Place) -> web.Response:
        """Spend the code of this request, which must be a navigation that the user began."""
        if request.method != hdrs.METH_GET:
            raise _get_only()
        if "prefetch" in request.headers.get("Sec-Purpose", "").lower():
            raise _not_ahead()
        if not self._is_welcome(request.headers, place):
            raise self._refusal(
                place,
                code="cross_origin",
                title="Open this session yourself",
                message="Another site sent you here. Continue if you meant to come.",
            )
        query = parse_qs(place.within.partition("?")[2])
        ticket = await self._redeem(place, query.get("code", [""])[0])
        if ticket is None:
            raise self._refusal(
                place,
                code="code_invalid",
                title="This link has been used or is too old",
                message="A link into a session works once, for half a minute.",
            )
        return self._admitted(place, ticket, query.get("next", [""])[0])

    async def _redeem(self, place: Place, code: str) -> Ticket | None:
        if not code or len(code) > _MAX_CODE:
            return None
        try:
            return await self._authority.redeem(place.session_id, code)
        except Exception as error:  # whatever the source raises, it cannot answer
            raise unavailable() from error

    def _admitted(self, place: Place, ticket: Ticket, wanted: str) -> web.Response:
        response = web.Response(status=HTTPStatus.SEE_OTHER)
        response.headers.update(own_headers())
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers[hdrs.LOCATION] = place.url + safe_next(wanted)
        response.set_cookie(
            self._config.ticket_cookie,
            ticket.value,
            max_age=max(0, int(ticket.grant.expires_at.timestamp() - time.time())),
            path=place.base,
            secure=self._config.secure,
            httponly=True,
            samesite="Lax",
        )
        return response

    def _is_welcome(self, headers: Mapping[str, str], place: Place) -> bool:
        """Whether nothing shows that a third party sent the user here.

        Otherwise it could make somebody work in a session of its choice, as a user of its choice.
        """
        referer = headers.get(hdrs.REFERER)
        if referer is not None:
            return _origin(referer) in {
                self._config.pages_url,
                self._config.gateway_url,
                place.origin,
            }
        return headers.get("Sec-Fetch-Site") != "cross-site"

    def _refusal(self, place: Place, *, code: str, title: str, message: str) -> Refusal:
        return Refusal(
            status=HTTPStatus.FORBIDDEN,
            code=code,
            title=title,
            message=message,
            link=Link(
                url=f"{self._config.pages_url}/sessions/{place.session_id}/open",
                text="Open the session",
            ),
        )


def safe_next(wanted: str) -> str:
    """Where to go within the session: what is wanted if it stays inside, else the default.

    The result follows a base that ends with a slash, so it can be neither a scheme nor a host.
    """
    if (
        not wanted
        or wanted[0] in "/\\"
        or not wanted.isprintable()
        or wanted.startswith(OWN_PREFIX)
        or leaves(wanted)
    ):
        return DEFAULT_NEXT
    return quote(wanted, safe="/%?#[]@!$&'()*+,;=:~")


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()


def _get_only() -> Refusal:
    return Refusal(
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        code="method_not_allowed",
        title="This is a link",
        message="A code is spent by following its link.",
        headers={hdrs.ALLOW: hdrs.METH_GET},
    )


def _not_ahead() -> Refusal:
    return Refusal(
        status=HTTPStatus.TOO_EARLY,
        code="prefetch",
        title="This is a link",
        message="A code is spent by following its link, not ahead of it.",
    )
