"""What would come of somebody's start of a size, and the rule that decides, for operators."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from accounts.models import User
from quotas import ledger
from quotas.amounts import ordered, show
from quotas.holders import described
from quotas.ledger import Shortage
from quotas.limits import Bound, bounds_of, explained_bounds_of
from quotas.models import Limit, Reservation, ResourceProfile, Scope
from quotas.overview import Standing

_PAGES = {
    Reservation.Kind.SESSION.value: "admin:notebooks_notebooksession_change",
    Reservation.Kind.VOLUME.value: "admin:volumes_volume_change",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One limit that is asked: whose it is, of what, and what it says."""

    whose: str
    resource: str
    asked: str
    standing: Standing
    shortage: Shortage | None

    @property
    def rule(self) -> Limit | None:
        return self.standing.bound.rule

    @property
    def others(self) -> Sequence[Limit]:
        """The limits that have a word on it and did not decide."""
        return self.standing.bound.considered[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What somebody holds, and by what."""

    name: str
    address: str
    text: str
    pool: str
    is_ending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether somebody may start a session of a size now. `barred`: why the size is not theirs to
    choose, whatever the limits say.
    """

    user: User
    profile: ResourceProfile
    pool: str
    barred: str
    lines: Sequence[Line]
    held: Sequence[Held]

    @property
    def refusals(self) -> list[str]:
        """All that is in the way, in the words that the user gets."""
        found = [line.shortage.message for line in self.lines if line.shortage]
        return [self.barred, *found] if self.barred else found


def inspect(user: User, profile: ResourceProfile, pool_id: int | None = None) -> Verdict:
    """Ask what the gate would say, without going through it."""
    bounds = explained_bounds_of(user.pk)
    usage = ledger.usage_beside(None, user_id=user.pk, pool_id=pool_id, site=True)
    asked = profile.amounts
    short = {
        (each.scope, each.resource): each
        for each in ledger.shortages(bounds, usage, asked, pool_id=pool_id)
    }
    pool = bounds.pools.get(pool_id, "") if pool_id is not None else ""
    lines = []
    for resource in ordered(asked):
        asked_of: list[tuple[Scope, str, Bound, int]] = [
            (Scope.USER, "the user", bounds.of_user(resource), usage.user.get(resource, 0))
        ]
        if pool_id is not None:
            of_pool = bounds.of_pool(pool_id, resource)
            asked_of.append(
                (Scope.POOL, f"the pool of {pool}", of_pool, usage.pool.get(resource, 0))
            )
        asked_of.append(
            (Scope.SITE, "the site", bounds.of_site(resource), usage.site.get(resource, 0))
        )
        lines += [
            Line(
                whose=whose,
                resource=resource,
                asked=show(resource, asked[resource]),
                standing=Standing(resource=resource, used=used, bound=bound),
                shortage=short.get((scope, resource)),
            )
            for scope, whose, bound, used in asked_of
            # The user's line is there always: that no limit is set is an answer too.
            if scope == Scope.USER or bound.rule
        ]
    return Verdict(
        user=user,
        profile=profile,
        pool=pool,
        barred=_barred(user, profile),
        lines=lines,
        held=holdings_of(user),
    )


def _barred(user: User, profile: ResourceProfile) -> str:
    if not user.is_active:
        return "The account is disabled."
    if not profile.enabled:
        return "The size is not enabled."
    granted = ResourceProfile.objects.filter(
        ResourceProfile.objects.granted_to(user), pk=profile.pk
    )
    if not granted.exists():
        return "The size is for groups that the user is not in."
    return ""


def holdings_of(user: User) -> list[Held]:
    """Return all that a user holds, with where to look at it."""
    rows = list(Reservation.objects.held().filter(user=user).select_related("pool"))
    names = described(rows)
    return [
        Held(
            name=names[row.holder].name if row.holder in names else str(row.holder),
            address=reverse(_PAGES[row.kind], args=[row.holder]) if row.holder in names else "",
            text=str(row),
            pool=str(row.pool or ""),
            is_ending=row.holder in names and names[row.holder].is_ending,
        )
        for row in rows
    ]


def pools_of(user: User) -> dict[int, str]:
    """Return the pools that the user may charge, by name."""
    return dict(bounds_of(user.pk).pools)
