"""The service's manners: addresses, credentials, errors, retries, pages."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from submarine_client.errors import (
    OTHER_VERSION,
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
from submarine_client.transport import NotConnected, Pause, Reply, Request, TimedOut

T = TypeVar("T")

LONGEST_ASKED_PAUSE = 60.0
PATIENCE = 120.0
"""How long a call pauses in all because the service asks for it."""
_LONGEST_SAID = 10**7
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
_FIXED = frozenset(
    f"{part}/"
    for part in (
        *("me", "sessions", "profiles", "environments", "volumes", "volume-classes", "secrets"),
        *("git-credentials", "bookmarks", "tokens", "tokens/revoke-all", "login"),
        *("quota", "quota/check", "quota/requests"),
    )
)
"""What a service has whatever there is of a user's."""
_SIGN_IN = "Sign in with `subnb login`, or set SUBMARINE_TOKEN to a token of your account's page."


@dataclass(frozen=True)
class Site:
    """Where the service is, as whom it is asked, and how often."""

    url: str
    token: str
    retries: int
    watches: set[object] = field(default_factory=set, compare=False, repr=False)
    """What is looked at time and again, at present."""

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
    ends: float | None = None,
    patience: float = PATIENCE,
) -> Steps[Any]:
    """Call the API; the answer, read from JSON. `path` is below `/api/v2/`.

    What fails for a while is asked again if it is safe to, or `repeatable` says so, but not after
    `ends`.
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
        ends=ends,
    )
    reply: Reply = yield from persist(
        request, request, retries=site.retries, repeatable=repeatable, patience=patience
    )
    if reply.status == 405 or (reply.status == 404 and path in _FIXED):
        return _lacking(reply, request)
    return read(reply, request.url)


def _lacking(reply: Reply, request: Request) -> Any:
    """What an older service does not have, as such, unless something else answers."""
    try:
        return read(reply, request.url)
    except Refused as error:
        raise UnexpectedAnswer(
            f"The service does not know {request.method} {urlsplit(request.url).path}.",
            code="not_offered",
            advice=OTHER_VERSION,
        ) from error


def create(site: Site, path: str, body: Any, *, key: str | None = None) -> Steps[Any]:
    """Have something made; the answer, read from JSON.

    However often it has to be sent, it is made once: each call has a key of its own, by which the
    service knows it again, unless it is given one.
    """
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return (yield from ask(site, "POST", path, body=body, headers=headers, repeatable=True))


def persist(
    request: Request,
    effect: Effect,
    *,
    retries: int,
    repeatable: bool | None = None,
    patience: float = PATIENCE,
) -> Steps[Reply]:
    """Do `effect`, which sends `request`, until it goes well or `retries` are used up.

    Whether it may be heard twice follows from its method, unless `repeatable` says so. A service
    that asks for a pause gets it, up to `patience` in all.
    """
    may_repeat = request.method in _REPEATABLE if repeatable is None else repeatable
    may_be_done = False
    for left in range(retries, -1, -1):
        pause = _FIRST_PAUSE * 2 ** (retries - left) * random.uniform(0.75, 1.25)  # noqa: S311
        try:
            reply: Reply = yield effect
        except Unreachable as error:
            unsent = isinstance(error, NotConnected) and error.code != "bad_address"
            if not left or not (unsent or may_repeat) or _is_over(request, pause):
                raise
            if isinstance(error, TimedOut) and left < retries:
                # Each takes long enough.
                raise
            may_be_done = may_be_done or not unsent
        else:
            if reply.status == 404 and may_be_done and request.method == "DELETE":
                return Reply(204, reply.headers, b"")
            asked = _retry_after(reply)
            patience -= asked
            pause = max(pause, asked)
            is_too_long = asked > LONGEST_ASKED_PAUSE or patience < 0 or _is_over(request, pause)
            if not left or is_too_long or not _passes(reply, asked, may_repeat=may_repeat):
                return reply
        yield Pause(pause)
    raise AssertionError


def _is_over(request: Request, pause: float) -> bool:
    return request.ends is not None and time.monotonic() + pause > request.ends


def _passes(reply: Reply, asked: float, *, may_repeat: bool) -> bool:
    """Whether to ask again is of use, and does no harm."""
    if reply.status == 429:
        return True
    # Of 409: the first sending of the same is not done yet.
    return may_repeat and (reply.status in (502, 503, 504) or bool(reply.status == 409 and asked))


def _retry_after(reply: Reply) -> float:
    """For how many seconds the service asks, by their number or a date."""
    said = reply.headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return min(float(said), _LONGEST_SAID)
    if not said:
        return 0.0
    from email.utils import mktime_tz, parsedate_tz

    until, now = parsedate_tz(said), parsedate_tz(reply.headers.get("Date", ""))
    if until is None:
        return 0.0
    try:
        # By the service's own clock, if it tells that.
        return min(
            max(mktime_tz(until) - (mktime_tz(now) if now else time.time()), 0.0), _LONGEST_SAID
        )
    except (ValueError, OverflowError):
        return 0.0


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
    asked = _retry_after(reply)
    return kind(
        str(said["message"]),
        code=str(said["code"]),
        status=reply.status,
        fields=fields if isinstance(fields, dict) else None,
        details=details if isinstance(details, dict) else None,
        retry_after=asked or None,
        advice=_advice(kind, asked),
    )


def _advice(kind: type[Refused], asked: float) -> str:
    if kind is NotSignedIn:
        return _SIGN_IN
    when = f"in {asked:.0f} s" if asked else "in a moment"
    if kind is TooMany:
        return f"Nothing was done. Try again {when}, and ask less often."
    return f"Try again {when}." if kind is Unavailable else ""


def _not_json(reply: Reply, place: str) -> Exception:
    if reply.status == 429:
        message = f"The service at {place} was asked too often."
        return refusal(reply, {"code": "throttled", "message": message})
    if reply.status >= 500:
        asked = _retry_after(reply)
        away = Unreachable(
            f"The service at {place} cannot answer now (status {reply.status}).",
            code="unreachable",
            advice=_advice(Unavailable, asked),
        )
        away.retry_after = asked or None
        return away
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
            raise UnexpectedAnswer("The service's answer is no list.", advice=OTHER_VERSION)
        for row in rows:
            yield Item(item(row))
        following = page.get("next") if isinstance(page, dict) else None
        if not following:
            return
        # Only its cursor: the address may be one that proxies have, not the client.
        asked = parse_qsl(urlsplit(str(following)).query)
