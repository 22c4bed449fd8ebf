"""What a user may ask about their own account."""

import secrets
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import ApiToken, SignIn, User
from accounts.scopes import DEFAULT_SCOPES, Scope, grantable, in_order
from audit.services import entry, record, record_all
from submarine_site.core.asked import Asked
from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.text import clean_name

USUAL_LIFE = timedelta(days=90)
KEPT_AFTER_END = timedelta(days=90)
MAX_TOKENS = 100
TOKEN_PREFIX = "subnb_"  # noqa: S105
_HINT_LENGTH = len(TOKEN_PREFIX) + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token just made. `secret` is shown this once and is nowhere kept."""

    record: ApiToken
    secret: str = field(repr=False)


def longest_life() -> timedelta:
    """How long the site lets a token live."""
    life: timedelta = settings.TOKENS_LONGEST_LIFE
    return life


def default_life() -> timedelta:
    """How long a token lives for which nobody chose."""
    return min(USUAL_LIFE, longest_life())


def create_token(
    *,
    user: User,
    name: str,
    scopes: Collection[str] | None = None,
    life: timedelta | None = None,
    by: ApiToken | None = None,
) -> NewToken:
    """Make a token that acts as `user` within `scopes` for `life`; None: what is usual.

    Nobody grants more than they have: what is made `by` a token has none but its scopes, and ends
    when it ends at the latest.

    Raises `InvalidInput` for a bad name, scopes that are none, or a life that is not above 0 and
    at most the longest; and `DomainError` with `beyond_your_scopes`, `too_many_tokens`, or with
    `bad_token` where the one that makes it has ended meanwhile.
    """
    life = default_life() if life is None else life
    if not timedelta(0) < life <= longest_life():
        raise InvalidInput.field(
            "expires_in_days", f"A token lasts 1 to {longest_life().days} days."
        )
    given = chosen_scopes(user, scopes, by=by)
    if ApiToken.objects.live().filter(user=user).count() >= MAX_TOKENS:
        raise DomainError(
            f"You have {MAX_TOKENS} API tokens. Revoke one that nobody uses.",
            code="too_many_tokens",
        )
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires_at = timezone.now() + life
    with transaction.atomic():
        _hold_tokens(user)
        if by and not ApiToken.objects.live().filter(pk=by.pk).exists():
            raise DomainError(
                "The token that makes it has been revoked.", code="bad_token", status=401
            )
        token = ApiToken.objects.create(
            user=user,
            name=clean_name(name),
            hint=secret[:_HINT_LENGTH],
            digest=digest(secret),
            scopes=given,
            expires_at=min(expires_at, by.expires_at) if by else expires_at,
        )
        record(
            "token.created",
            token,
            actor=user,
            after={
                "scopes": token.scopes,
                "expires_at": token.expires_at.isoformat(),
                **({"made_by": by.name} if by else {}),
            },
        )
    return NewToken(record=token, secret=secret)


def chosen_scopes(
    user: User, scopes: Collection[str] | None, *, by: ApiToken | None = None
) -> list[Scope]:
    """The scopes that a token of the user gets; None: what is usual.

    Raises what `create_token` raises about them.
    """
    own = grantable(user, by.scopes) if by else grantable(user)
    if scopes is None:
        return [each for each in DEFAULT_SCOPES if each in own]
    try:
        asked = in_order(scopes)
    except ValueError as error:
        raise InvalidInput.field("scopes", f"The scopes are {', '.join(Scope)}.") from error
    if not asked:
        raise InvalidInput.field("scopes", "Choose one at least.")
    if beyond := [each for each in asked if each not in own]:
        raise _beyond(beyond, by)
    return asked


def _beyond(scopes: list[Scope], by: ApiToken | None) -> DomainError:
    named = ", ".join(f"“{each}”" for each in scopes)
    why = "The token that makes it has not got it" if by else "Operators alone give it"
    message = f"This token cannot get {named}: nobody grants more than they have. {why}."
    return DomainError(message, code="beyond_your_scopes", status=403, fields={"scopes": message})


@Asked
def _live_tokens(*, digest: str, at: datetime) -> QuerySet[ApiToken]:
    return ApiToken.objects.live(at).select_related("user").filter(digest=digest)


def find_token(secret: str) -> ApiToken | None:
    """The live token with this secret, with its user."""
    if not secret.startswith(TOKEN_PREFIX):
        return None
    found = _live_tokens(digest=digest(secret), at=timezone.now())
    return found[0] if found else None


def revoke_token(*, token: ApiToken) -> None:
    """End a token. Ending it again changes nothing."""
    revoke_tokens(ApiToken.objects.filter(pk=token.pk))


def revoke_all_tokens(*, user: User) -> int:
    """End all tokens of the user, also one that another is making right now; returns how many."""
    with transaction.atomic():
        _hold_tokens(user)
        return revoke_tokens(ApiToken.objects.visible_to(user))


def _hold_tokens(user: User) -> None:
    """Of making and of revoking all, one comes after the other: no token slips through."""
    list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))


def revoke_tokens(tokens: QuerySet[ApiToken]) -> int:
    """End these tokens; returns how many had not ended before."""
    with transaction.atomic():
        # In one order: of two that end the same, none waits for the other.
        held = tokens.filter(revoked_at=None).order_by("pk").select_related("user")
        found = list(held.select_for_update(of=("self",)))
        ApiToken.objects.filter(pk__in=[token.pk for token in found]).revoke()
        record_all(*[entry("token.revoked", token) for token in found])
    return len(found)


def sign_out_everywhere(*, user: User) -> int:
    """End every sign-in of the user; returns how many there were."""
    return end_sign_ins(SignIn.objects.filter(user=user))


def end_sign_ins(sign_ins: QuerySet[SignIn]) -> int:
    """End these sign-ins; returns how many had not ended before."""
    with transaction.atomic():
        held = sign_ins.filter(ended_at=None).order_by("pk").select_related("user")
        found = list(held.select_for_update(of=("self",)))
        SignIn.objects.filter(pk__in=[sign_in.pk for sign_in in found]).end()
        ended = Counter(sign_in.user for sign_in in found)
        record_all(
            *[
                entry(
                    "user.signed_out",
                    user,
                    after={"sign_ins": count},
                )
                for user, count in ended.items()
            ]
        )
    return len(found)


def forget_ended() -> None:
    """Remove the records of sign-ins and tokens that have been over for `KEPT_AFTER_END`."""
    since = timezone.now() - KEPT_AFTER_END
    ApiToken.objects.filter(Q(revoked_at__lt=since) | Q(expires_at__lt=since)).delete()
    SignIn.objects.filter(Q(ended_at__lt=since) | Q(last_seen_at__lt=since)).delete()
