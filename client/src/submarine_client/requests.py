"""The service's manners: addresses, credentials, errors, retries, pages."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from submarine_client.errors import (
    Conflict,
    Forbidden,
    NotFound,
    NotSignedIn,
    Refused,
    TooMany,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from submarine_client.steps import Effect, Item, Items, Steps
from submarine_client.transport import NotConnected, Pause, Reply, Request

T = TypeVar("T")

LONGEST_ASKED_PAUSE = 60.0
_FIRST_PAUSE = 0.25
_MOST_SAID = 300
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_REFUSALS: Mapping[int, type[Refused]] = {
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: TooMany,
    503: Unavailable,
}
_SIGN_IN = "Sign in with `subnb login`, or set SUBMARINE_TOKEN to a token of your account's page."


@dataclass(frozen=True)
class Site:
    """Where the service is, as whom it is asked, and how often."""

    url: str
    token: str
    retries: int

    def credentials(self) -> dict[str, str]:
        if not self.token:
            raise NotSignedIn("There is no token.", code="no_token", advice=_SIGN_IN)
        return {"Authorization": f"Bearer {self.token}"}


def ask(
    site: Site,
    method: str,
    path: str,
    *,
    body: Any = None,
    params: Any = None,
    headers: Mapping[str, str] | None = None,
    repeatable: bool | None = None,
    anonymous: bool = False,
) -> Steps[Any]:
    """Call the API; the answer, read from JSON. `path` is below `/api/v2/`.

    What fails for a while is asked again if it is safe to, or `repeatable` says so.
    """
    sent = dict(headers or {})
    if not anonymous:
        sent.update(site.credentials())
    if body is not None:
        sent["Content-Type"] = "application/json"
    request = Request(
        method,
        f"{site.url}/api/v2/{path}",
        headers=sent,
        params=params,
        content=None if body is None else json.dumps(body).encode(),
    )
    reply: Reply = yield from persist(request, request, retries=site.retries, repeatable=repeatable)
    return read(reply, request.url)


def persist(
    request: Request,
    effect: Effect,
    *,
    retries: int,
    repeatable: bool | None = None,
) -> Steps[Reply]:
    """Do `effect`, which sends `request`, until it goes well or `retries` are used up.

    Whether it may be heard twice follows from its method, unless `repeatable` says so.
    """
    may_repeat = request.method in _REPEATABLE if repeatable is None else repeatable
    may_be_done = False
    for left in range(retries, -1, -1):
        pause = _FIRST_PAUSE * 2 ** (retries - left) * random.uniform(0.75, 1.25)  # noqa: S311
        try:
            reply: Reply = yield effect
        except Unreachable as error:
            unsent = isinstance(error, NotConnected) and error.code != "bad_address"
            if not left or not (unsent or may_repeat):
                raise
            may_be_done = may_be_done or not unsent
        else:
            if reply.status == 404 and may_be_done and request.method == "DELETE":
                return Reply(204, reply.headers, b"")
            asked = _retry_after(reply)
            refused_unheard = reply.status == 429
            troubled = reply.status in (502, 503, 504) and may_repeat
            if not left or not (refused_unheard or troubled) or asked > LONGEST_ASKED_PAUSE:
                return reply
            pause = max(pause, asked)
        yield Pause(pause)
    raise AssertionError


def _retry_after(reply: Reply) -> float:
    said = reply.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else 0.0


def read(reply: Reply, url: str, *, of_jupyter: bool = False) -> Any:
    """What an answer says. Raises what it refuses. Jupyter's refusals have no code."""
    if reply.status == 204 or (200 <= reply.status < 300 and not reply.body):
        return None
    where = urlsplit(url)
    place = f"{where.scheme}://{where.netloc}"
    if 300 <= reply.status < 400:
        raise UnexpectedAnswer(
            f"{place} sends elsewhere: to {reply.headers.get('Location', 'nowhere')}.",
            code="redirected",
            advice="Use the address that the service's pages have in a browser.",
        )
    try:
        said = json.loads(reply.body)
    except ValueError:
        if not of_jupyter or reply.status >= 500 or reply.body.lstrip()[:1] == b"<":
            raise _not_json(reply, place) from None
        said = {"message": reply.body.decode(errors="replace")[:_MOST_SAID].strip()}
    if 200 <= reply.status < 300:
        return said
    if of_jupyter and isinstance(said, dict) and said.get("message"):
        said = {"code": "jupyter", **said}
    if not isinstance(said, dict) or "code" not in said or "message" not in said:
        raise _not_json(reply, place)
    raise refusal(reply, said)


def refusal(reply: Reply, said: Mapping[str, Any]) -> Refused:
    """What the service refused, as it said it."""
    kind = _REFUSALS.get(reply.status, Unavailable if reply.status >= 500 else Refused)
    fields, details = said.get("fields"), said.get("details")
    return kind(
        str(said["message"]),
        code=str(said["code"]),
        status=reply.status,
        fields=fields if isinstance(fields, dict) else None,
        details=details if isinstance(details, dict) else None,
        retry_after=_retry_after(reply) or None,
        advice=_SIGN_IN if kind is NotSignedIn else "",
    )


def _not_json(reply: Reply, place: str) -> Exception:
    if reply.status == 429:
        return TooMany("There are too many requests.", code="too_many_requests", status=429)
    if reply.status >= 500:
        return Unreachable(
            f"The service at {place} cannot answer now (status {reply.status}).",
            code="unreachable",
            advice="Try again in a moment.",
        )
    kind = reply.headers.get("Content-Type", "").partition(";")[0] or "something unknown"
    return UnexpectedAnswer(
        f"What answers at {place} is not Submarine Notebooks: it sends {kind} "
        f"with status {reply.status}.",
        advice="Check the address. A page of a proxy or of a network's sign-in may be in between.",
    )


def pages(site: Site, path: str, item: Callable[[Any], T], params: Any = None) -> Items[T]:
    """Everything on a list, page by page as it is taken."""
    asked = list(params or ())
    while True:
        page = yield from ask(site, "GET", path, params=asked)
        rows = page.get("results") if isinstance(page, dict) else page
        if not isinstance(rows, list):
            raise UnexpectedAnswer("The service's answer is no list.")
        for row in rows:
            yield Item(item(row))
        following = page.get("next") if isinstance(page, dict) else None
        if not following:
            return
        # Only its cursor: the address may be one that proxies have, not the client.
        asked = parse_qsl(urlsplit(str(following)).query)
