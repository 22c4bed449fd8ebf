"""May this request pass? One answer for HTTP and for WebSocket upgrades alike."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import hdrs, web

from notebooks.gateway.addresses import Place
from notebooks.gateway.authorization import Authorization, Kind, Pass
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.failed_sign_ins import FailedSignIns
from notebooks.gateway.headers import HeaderPolicy
from notebooks.gateway.pages import wants_page
from notebooks.gateway.query_tokens import query_tokens, without_tokens
from notebooks.gateway.refusals import Refusal
from notebooks.gateway.token_uses import TokenUses

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# More cookies than browsers keep for a host and its parents. A page of a session can set any number
# with the ticket's name, and a browser may send all of them before the ticket. To try them costs no
# more than as many requests.
_MAX_TICKETS = 200
_MAX_QUERY_TOKENS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """An admitted request: its pass, and its place without the API tokens in its query."""

    access: Pass
    place: Place


class Admission:
    """Finds the pass of a request, or refuses it."""

    def __init__(
        self,
        *,
        config: GatewayConfig,
        authorization: Authorization,
        policy: HeaderPolicy,
        token_uses: TokenUses,
        failed_sign_ins: FailedSignIns,
    ) -> None:
        self._pages_url = config.pages_url
        self._token_prefix = config.token_prefix
        self._authorization = authorization
        self._policy = policy
        self._token_uses = token_uses
        self._failed_sign_ins = failed_sign_ins

    async def admit(self, request: web.BaseRequest, place: Place) -> Admitted:
        """Admit this request, or raise a `Refusal`.

        JupyterLab sends its own server's token along with the ticket, so a token that is not
        known does not spoil a good ticket. A page's address with a token of ours in it is answered
        with a redirect to the same address without it.
        """
        known = await self._known_in_query(place)
        bare = replace(place, within=without_tokens(place.within, self._is_ours(known)))
        if bare != place and _is_navigation(request):
            raise _without_token(request, bare)
        ticket = await self._by_ticket(request, place)
        if ticket is not None and _is_own(request, place):
            return Admitted(access=ticket, place=bare)
        # Found anew: one that was revoked during the look-ups in between must not be used.
        token = await self._by_header(request, place) or await self._authorization.find_any(
            place.session_id, Kind.TOKEN, known
        )
        if token is not None:
            self._token_uses.stamp(token.grant, request.remote or "")
            if token.grant.lacks:
                raise _insufficient(token.grant.lacks)
            return Admitted(access=token, place=bare)
        if ticket is not None:
            raise _foreign()
        if sent := self._attempt(request, place):
            await self._failed_sign_ins.add(sent, request.remote or "")
        raise self._unknown(request, bare)

    async def _by_ticket(self, request: web.BaseRequest, place: Place) -> Pass | None:
        tickets = self._policy.tickets(request.headers.getall(hdrs.COOKIE, ()))
        distinct = list(dict.fromkeys(tickets))[:_MAX_TICKETS]
        return await self._authorization.find_any(place.session_id, Kind.TICKET, distinct)

    async def _by_header(self, request: web.BaseRequest, place: Place) -> Pass | None:
        token = _header_token(request)
        if token is None:
            return None
        return await self._authorization.find(place.session_id, Kind.TOKEN, token)

    async def _known_in_query(self, place: Place) -> list[str]:
        """The tokens in the query that give a pass."""
        tokens = list(dict.fromkeys(query_tokens(place.within)))[:_MAX_QUERY_TOKENS]
        find = self._authorization.find
        return [token for token in tokens if await find(place.session_id, Kind.TOKEN, token)]

    def _is_ours(self, known: Container[str]) -> Callable[[str], bool]:
        """Whether a token in a query is an API token, also one that has ended. An application in
        the session may have tokens of its own, which are for it.
        """
        return lambda token: token.startswith(self._token_prefix) or token in known

    def _attempt(self, request: web.BaseRequest, place: Place) -> str | None:
        """The bad API token by which the sender of a request tries to get in.

        What pages have a browser send is none: JupyterLab's own go on to send the token of a run
        that has ended, each in an open tab, and another site's page can send any number.
        """
        if request.headers.get("Sec-Fetch-Site") not in {None, "none"}:
            return None
        tokens = [_header_token(request) or "", *query_tokens(place.within)]
        # On plain http browsers do not say who sent it, but a run's token does not begin so.
        return next((token for token in tokens if token.startswith(self._token_prefix)), None)

    def _unknown(self, request: web.BaseRequest, place: Place) -> Refusal:
        """The same for a stranger as for a session that does not exist."""
        return Refusal(
            status=HTTPStatus.SEE_OTHER if wants_page(request) else HTTPStatus.UNAUTHORIZED,
            code="not_authenticated",
            title="Open this session from its page",
            message="This needs a session opened from its page, or an API token.",
            headers={
                "Location": f"{self._pages_url}/sessions/{place.session_id}/open"
                f"?next={quote(place.within, safe='')}"
            }
            if wants_page(request)
            else {hdrs.WWW_AUTHENTICATE: "Bearer"},
        )


def _header_token(request: web.BaseRequest) -> str | None:
    """The API token in a request's header."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() in {"bearer", "token"} else None


def _is_own(request: web.BaseRequest, place: Place) -> bool:
    """Whether a request with a cookie was made by the session's own pages, or by its user.

    Pages of other sessions can be same-site, so `SameSite` cookies alone do not tell. What only
    reads may also be a link somebody followed; what changes something must show its origin.
    """
    headers = request.headers
    origin = headers.get(hdrs.ORIGIN)
    site = headers.get("Sec-Fetch-Site")
    if origin == "null" and hdrs.UPGRADE not in headers:
        # A form of a page with the referrer policy `no-referrer`, if the browser says that the page
        # is of this origin; a sandboxed page, or one of another site, is not.
        return site == "same-origin"
    if origin is not None and origin.lower() != place.origin:
        return False
    if request.method in _SAFE and hdrs.UPGRADE not in headers:
        return site in {None, "same-origin", "none"} or (
            headers.get("Sec-Fetch-Mode") == "navigate"
            and headers.get("Sec-Fetch-Dest") == "document"
        )
    return site == "same-origin" or (site is None and origin is not None)


def _is_navigation(request: web.BaseRequest) -> bool:
    """Whether the response may be shown as a page, with the gateway's origin as its own."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    # Browsers leave it out on plain http.
    return "text/html" in request.headers.get(hdrs.ACCEPT, "") and hdrs.UPGRADE not in (
        request.headers
    )


def _without_token(request: web.BaseRequest, place: Place) -> Refusal:
    """The answer to a navigation by an API token in its address.

    Whoever makes up such an address would otherwise choose whose pages a browser shows on an origin
    that its own sessions may share; and those pages could read the token.
    """
    is_safe = request.method in _SAFE
    return Refusal(
        status=HTTPStatus.SEE_OTHER if is_safe else HTTPStatus.FORBIDDEN,
        code="token_in_address",
        title="A token in an address opens no page",
        message="A token in the address opens no page. Programs send it as a header.",
        headers={"Location": place.url + place.within} if is_safe else {},
    )


def _insufficient(scope: str) -> Refusal:
    return Refusal(
        status=HTTPStatus.FORBIDDEN,
        code="insufficient_scope",
        title="This token does not open sessions",
        message=f"This takes a token with the scope “{scope}”.",
    )


def _foreign() -> Refusal:
    return Refusal(
        status=HTTPStatus.FORBIDDEN,
        code="cross_origin",
        title="This request came from another site",
        message="Only the session's own pages may do this. Programs use an API token.",
    )
