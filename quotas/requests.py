"""What users may ask for beyond their limits, and what operators answer. Pages, API and admin all
call these.

Who is concerned is told by mail, where mail is configured.
"""

import unicodedata
from datetime import datetime
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from audit.services import record
from quotas import tasks
from quotas.amounts import MAX_AMOUNT, OTHER_GPUS, is_resource, show
from quotas.limits import Bound, Bounds, bounds_of
from quotas.models import Limit, QuotaRequest, Scope
from quotas.services import set_limits
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.queue import enqueue_on_commit
from submarine_site.core.responses import NOT_FOUND

MAX_WORDS = 500


def ask(
    *, user: User, resource: str, amount: int | None, until: datetime | None, why: str
) -> QuotaRequest:
    """Ask operators for more of a resource, until a time or for good (None).

    Raises `InvalidInput`, or `DomainError` with `request_open` while one for it is undecided.
    """
    refuse_resource(resource)
    if amount is None:
        raise InvalidInput.field("amount", "An amount is needed: nobody is given no limit at all.")
    _refuse_amount(resource, amount)
    has = lasting(bounds_of(user.pk)).of_user(resource).amount
    if has is None:
        raise InvalidInput.field("resource", "You have no limit on this.")
    if amount <= has:
        raise InvalidInput.field("amount", f"You may have {show(resource, has)} already.")
    _refuse_past(until)
    clean = _clean_words(why, field="why")
    if not clean:
        raise InvalidInput.field("why", "Say what you need it for.")
    try:
        with transaction.atomic():
            request = QuotaRequest.objects.create(
                user=user, resource=resource, amount=amount, until=until, why=clean
            )
            record("quota_request.created", request, actor=user, after=_said(request))
            enqueue_on_commit(partial(tasks.tell_operators.delay, str(request.pk)))
    except IntegrityError:
        raise DomainError(
            "You have asked for more of this already. Withdraw that request to ask otherwise.",
            code="request_open",
        ) from None
    return request


def withdraw(*, request: QuotaRequest, by: User) -> QuotaRequest:
    """Take an open request back; to do so again changes nothing.

    Raises `DomainError` with `request_decided` once an operator has decided.
    """
    with transaction.atomic():
        if QuotaRequest.objects.decide(request.pk, QuotaRequest.State.WITHDRAWN, by=by):
            record("quota_request.withdrawn", request, actor=by)
        else:
            _refuse_decided(request, but=QuotaRequest.State.WITHDRAWN)
    request.refresh_from_db()
    return request


def grant(
    *, request: QuotaRequest, by: User, amount: int, until: datetime | None, word: str = ""
) -> Limit:
    """Give the user this much as a limit of their own, until a time or for good (None): what was
    asked for or other than that. In the place of what was given so before.

    Raises `InvalidInput`, or `DomainError` with `request_decided` unless the request is open.
    """
    clean = _clean_words(word, field="word")
    _refuse_amount(request.resource, amount)
    _refuse_past(until)
    has = _beside(bounds_of(request.user_id), request, until=until).amount
    if has is None or amount < has:
        without = "no limit" if has is None else show(request.resource, has)
        raise InvalidInput.field("amount", f"Without this, the user has {without}.")
    with transaction.atomic():
        _decide(request, QuotaRequest.State.GRANTED, by=by, word=clean)
        wanted = Limit(
            scope=Scope.USER,
            user=request.user,
            resource=request.resource,
            amount=amount,
            expires_at=until,
            reason=(clean or request.why)[:200],
        )
        set_limits([wanted], actor=by)
        record("quota_request.granted", request, actor=by, after={"limit": wanted.shown})
    request.refresh_from_db()
    return Limit.objects.get(
        scope=Scope.USER,
        user=request.user,
        resource=request.resource,
        expires_at__isnull=until is None,
    )


def refuse(*, request: QuotaRequest, by: User, word: str) -> QuotaRequest:
    """Say no, and why.

    Raises `InvalidInput`, or `DomainError` with `request_decided` unless the request is open.
    """
    clean = _clean_words(word, field="word")
    if not clean:
        raise InvalidInput.field("word", "Say why: the user is told.")
    with transaction.atomic():
        _decide(request, QuotaRequest.State.REFUSED, by=by, word=clean)
        record("quota_request.refused", request, actor=by, after={"word": clean})
    request.refresh_from_db()
    return request


def refuse_resource(name: str) -> None:
    """Raise `InvalidInput` for what no more can be asked of."""
    if not is_resource(name) or name == OTHER_GPUS:
        raise InvalidInput.field("resource", "There is no such resource.")


def lasting(bounds: Bounds) -> Bounds:
    """Those of the limits that have no end."""
    return Bounds(tuple(each for each in bounds.limits if each.expires_at is None), bounds.now)


def _beside(bounds: Bounds, request: QuotaRequest, *, until: datetime | None) -> Bound:
    """What the user may have without the limit that is about to be set."""
    kept = bounds if until else lasting(bounds)
    others = (
        each
        for each in kept.limits
        if each.scope != Scope.USER
        or each.resource != request.resource
        or (each.expires_at is None) != (until is None)
    )
    return Bounds(tuple(others), bounds.now).of_user(request.resource)


def _said(request: QuotaRequest) -> dict[str, str]:
    return {
        "amount": show(request.resource, request.amount),
        "until": request.until.isoformat() if request.until else "",
        "why": request.why,
    }


def _decide(request: QuotaRequest, state: QuotaRequest.State, *, by: User, word: str) -> None:
    if not QuotaRequest.objects.decide(request.pk, state, by=by, word=word):
        _refuse_decided(request)
    enqueue_on_commit(partial(tasks.tell_user.delay, str(request.pk)))


def _refuse_decided(request: QuotaRequest, *, but: QuotaRequest.State | None = None) -> None:
    found = QuotaRequest.objects.filter(pk=request.pk).first()
    if found is None:
        # Its user is gone, and it with them.
        raise DomainError(NOT_FOUND, code="not_found", status=404)
    if found.state != but:
        raise DomainError(f"This request is {found.state} already.", code="request_decided")


def _refuse_amount(resource: str, amount: int) -> None:
    if not 0 <= amount <= MAX_AMOUNT:
        raise InvalidInput.field("amount", f"At most {show(resource, MAX_AMOUNT)}, and 0 at least.")


def _refuse_past(until: datetime | None) -> None:
    if until is not None and until <= timezone.now():
        raise InvalidInput.field("until", "A time to come is needed.")


def _clean_words(raw: str, *, field: str) -> str:
    """Return text of one or more lines, trimmed."""
    words = raw.replace("\r\n", "\n").strip()
    if any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in words):
        raise InvalidInput.field(field, "It holds a character that cannot be shown.")
    if len(words) > MAX_WORDS:
        raise InvalidInput.field(field, f"It has {len(words)} characters; {MAX_WORDS} is the most.")
    return words
