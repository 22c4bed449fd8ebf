"""The one gate for all that raises what somebody holds, and the way back.

Whoever comes through holds the accounts it is counted by, in one order, to the end of its
transaction; sums the reservations that hold; compares; and inserts its own, in the transaction
that makes what it is for. Nothing is counted anywhere else.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg.errors
from django.db import OperationalError, connection

from quotas.amounts import FIXED, Amounts, gpu, show
from quotas.limits import Bound, Bounds
from quotas.models import Account, Limit, Reservation, Scope
from submarine_site.core.errors import DomainError

FOUND = "found by the look at everything"
"""The note of what the ledger lacked, or had too long."""

WAIT = "5s"
"""How long one waits for others at the same account."""

# The time to wait is set before the first row is held: they are sorted between the two.
_HOLD = """
SELECT FROM quotas_account, set_config('lock_timeout', %s, true) WHERE (kind, subject) IN (
    SELECT * FROM unnest(%s::smallint[], %s::bigint[])
) ORDER BY kind, subject FOR NO KEY UPDATE OF quotas_account
"""

_SUM = """
SELECT %s::text, accelerator, {sums} FROM quotas_reservation
WHERE released_at IS NULL AND {whose} GROUP BY accelerator
""".format(sums=", ".join(f"SUM({name})" for name in (*FIXED, "gpus")), whose="{whose}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A limit that leaves no room for what was asked. `scope` is `user`, `pool` or `site`."""

    scope: Scope
    resource: str
    limit: int
    used: int
    asked: int
    pool: str = ""
    rule: Limit | None = None

    @property
    def message(self) -> str:
        """The fact, with its numbers."""
        asked, limit, used = (
            show(self.resource, amount) for amount in (self.asked, self.limit, self.used)
        )
        match self.scope:
            case Scope.POOL:
                whose = f"the pool of {self.pool} has {limit}"
            case Scope.SITE:
                whose = f"the site has {limit} for everybody"
            case _:
                whose = f"you may have {limit}"
        has = f", with {used} in use" if self.used else ""
        return f"This needs {asked}; {whose}{has}."

    def as_json(self) -> dict[str, str | int]:
        """What programs are told."""
        return {
            "scope": self.scope.value,
            "resource": self.resource,
            "limit": self.limit,
            "used": self.used,
            "asked": self.asked,
            "pool": self.pool,
            "message": self.message,
        }


class QuotaExceeded(DomainError):
    """It is more than somebody may have: all the reasons at once."""

    code = "over_quota"

    def __init__(self, shortages: Sequence[Shortage], *, field: str) -> None:
        message = " ".join(each.message for each in shortages)
        details = {"shortages": [each.as_json() for each in shortages]}
        super().__init__(message, fields={field: message}, details=details)
        self.shortages = shortages


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is held: of the user, of the pool and of the whole site, all but what one holder has,
    which is `own`.
    """

    user: Amounts = field(default_factory=dict)
    pool: Amounts = field(default_factory=dict)
    site: Amounts = field(default_factory=dict)
    own: Amounts = field(default_factory=dict)


def admit(reservation: Reservation, *, bounds: Bounds, field: str) -> None:
    """Let a reservation in that is about to be saved. Requires a transaction, which has to save it.

    What its holder has already is not counted: it is had in its place, and no shortage is asked of
    what is not raised by it. Raises `QuotaExceeded`, naming the input `field`, or `DomainError`
    with `busy` where others are at the same account for too long.
    """
    assert reservation.user_id is not None
    hold_accounts(reservation.user_id, reservation.pool_id, site=bounds.has_site)
    usage = usage_beside(
        reservation.holder,
        user_id=reservation.user_id,
        pool_id=reservation.pool_id,
        site=bounds.has_site,
    )
    found = shortages(bounds, usage, reservation.amounts, pool_id=reservation.pool_id)
    if found:
        raise QuotaExceeded(found, field=field)


def shortages(
    bounds: Bounds, usage: Usage, asked: Amounts, *, pool_id: int | None
) -> list[Shortage]:
    """Return all that is in the way of having these amounts. Pure."""
    found = []
    for resource, amount in asked.items():
        if amount <= usage.own.get(resource, 0):
            continue
        for scope, bound, used, pool in _asked_of(bounds, usage, resource, pool_id):
            has = used.get(resource, 0)
            if bound.amount is not None and has + amount > bound.amount:
                found.append(
                    Shortage(
                        scope=scope,
                        resource=resource,
                        limit=bound.amount,
                        used=has,
                        asked=amount,
                        pool=pool,
                        rule=bound.rule,
                    )
                )
    return found


def _asked_of(
    bounds: Bounds, usage: Usage, resource: str, pool_id: int | None
) -> list[tuple[Scope, Bound, Amounts, str]]:
    asked = [(Scope.USER, bounds.of_user(resource), usage.user, "")]
    if pool_id is not None:
        pool = bounds.of_pool(pool_id, resource)
        asked.append((Scope.POOL, pool, usage.pool, bounds.pools.get(pool_id, "")))
    asked.append((Scope.SITE, bounds.of_site(resource), usage.site, ""))
    return asked


def hold_accounts(user_id: int, pool_id: int | None = None, *, site: bool = False) -> None:
    """Hold the accounts to the end of the transaction. Raises `DomainError` with `busy`."""
    wanted = [(Account.Kind.USER.value, user_id)]
    if pool_id is not None:
        wanted.append((Account.Kind.POOL.value, pool_id))
    if site:
        wanted.append((Account.Kind.SITE.value, 0))
    kinds, subjects = (list(column) for column in zip(*wanted, strict=True))
    try:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, [WAIT, kinds, subjects])
            held = cursor.rowcount
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise DomainError(
                "Too much is asked for at once. Try again in a moment.", code="busy", status=503
            ) from error
        raise
    if held != len(wanted):
        raise LookupError(f"not all of these accounts are there: {wanted}")


def usage_beside(
    holder: UUID | None, *, user_id: int, pool_id: int | None = None, site: bool = False
) -> Usage:
    """Sum what is held beside the `holder`'s own, with one question."""
    parts: list[tuple[str, str, list[int | UUID]]] = [("user", "user_id = %s", [user_id])]
    if pool_id is not None:
        parts.append(("pool", "pool_id = %s", [pool_id]))
    if site:
        parts.append(("site", "TRUE", []))
    if holder is not None:
        parts = [
            (of, f"{whose} AND holder <> %s", [*values, holder]) for of, whose, values in parts
        ]
        parts.append(("own", "holder = %s", [holder]))
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(_SUM.format(whose=whose) for _, whose, _ in parts),
            [each for of, _, values in parts for each in (of, *values)],
        )
        rows = cursor.fetchall()
    sums: dict[str, defaultdict[str, int]] = {of: defaultdict(int) for of, _, _ in parts}
    for of, accelerator, *amounts in rows:
        *fixed, gpus = (int(amount) for amount in amounts)
        for name, amount in zip(FIXED, fixed, strict=True):
            sums[of][name] += amount
        if gpus:
            sums[of][gpu(accelerator)] += gpus
    return Usage(**sums)


def held_in_all() -> Amounts:
    """Sum what the whole site holds."""
    return usage_beside(None, user_id=0, site=True).site


def replace_holdings(reservation: Reservation) -> None:
    """Have the holder hold this and nothing else. Requires the reservation to be admitted, or to
    ask for no more than the holder has; and a transaction.
    """
    Reservation.objects.filter(holder=reservation.holder).release()
    reservation.save(force_insert=True)
