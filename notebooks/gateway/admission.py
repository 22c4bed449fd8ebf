"""May this request pass? One answer for HTTP and for WebSocket upgrades alike."""

from http import HTTPStatus
from urllib.parse import quote

from aiohttp import hdrs, web

from notebooks.gateway.addresses import Place
from notebooks.gateway.authorization import Authorization, Kind, Pass
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.failed_sign_ins import FailedSignIns
from notebooks.gateway.headers import HeaderPolicy
from notebooks.gateway.pages import wants_page
from notebooks.gateway.refusals import Refusal
from notebooks.gateway.token_uses import TokenUses

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_TICKETS = 4


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
        self._authorization = authorization
        self._policy = policy
        self._token_uses = token_uses
        self._failed_sign_ins = failed_sign_ins

    async def admit(self, request: web.BaseRequest, place: Place) -> Pass:
        """The pass of this request.

        JupyterLab sends its own server's token along with the ticket, so a token that is not
        known does not spoil a good ticket.
        """
        ticket = await self._by_ticket(request, place)
        if ticket is not None and _is_own(request, place):
            return ticket
        if token := await self._by_token(request, place):
            return token
        if ticket is not None:
            raise _foreign()
        if sent := _token(request):
            await self._failed_sign_ins.add(sent, request.remote or "")
        raise self._unknown(request, place)

    async def _by_ticket(self, request: web.BaseRequest, place: Place) -> Pass | None:
        values = self._policy.tickets(request.headers.getall(hdrs.COOKIE, ()))
        for value in values[:_MAX_TICKETS]:
            found = await self._authorization.find(place.session_id, Kind.TICKET, value)
            if found is not None:
                return found
        return None

    async def _by_token(self, request: web.BaseRequest, place: Place) -> Pass | None:
        token = _token(request)
        if token is None:
            return None
        found = await self._authorization.find(place.session_id, Kind.TOKEN, token)
        if found is not None:
            self._token_uses.stamp(found.grant, request.remote or "")
            if found.grant.lacks:
                raise _insufficient(found.grant.lacks)
        return found

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


def _token(request: web.BaseRequest) -> str | None:
    """The API token that a request shows."""
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
    if origin is not None and origin.lower() != place.origin:
        return False
    if request.method in _SAFE and hdrs.UPGRADE not in headers:
        return site in {None, "same-origin", "none"} or (
            headers.get("Sec-Fetch-Mode") == "navigate"
            and headers.get("Sec-Fetch-Dest") == "document"
        )
    return site == "same-origin" or (site is None and origin is not None)


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
