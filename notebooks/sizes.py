"""Sizes as they are chosen from: which would start now, and what is in the way of the others."""

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.models import User
from notebooks.holdings import default_pool, pool_of
from notebooks.models import NotebookSession
from quotas.limits import named_pool
from quotas.models import ResourceProfile
from quotas.standing import Bar, Fit, fits, standing_of
from submarine_site.core.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A profile, and whether a session of it would be let in."""

    profile: ResourceProfile
    fit: Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a new session can be. `charge_to` is which of the `pools` is charged; empty: none."""

    choices: Sequence[Size]
    pools: Sequence[str]
    charge_to: str
    bars: Sequence[Bar]

    @property
    def usual(self) -> str:
        """The name of the first that fits, or else of the first."""
        fitting = [size for size in self.choices if size.fit.fits] or self.choices
        return fitting[0].profile.name if fitting else ""

    @property
    def waits(self) -> bool:
        """Whether one will fit by itself, when something has stopped."""
        return any(size.fit.waits_for for size in self.choices)

    def fit_of(self, name: str) -> Fit | None:
        return next((size.fit for size in self.choices if size.profile.name == name), None)


def sizes_for(user: User, *, charge_to: str = "") -> Sizes:
    """Return the sizes that are offered to the user. Where the pool named cannot be charged it is
    as if none were.
    """
    profiles = list(ResourceProfile.objects.offered_to(user).select_related("successor"))
    standing = standing_of(user.pk)
    try:
        pool = named_pool(standing.bounds, charge_to)
    except InvalidInput:
        pool = default_pool(user.pk, standing.bounds) or 0
    wanted = {profile.name: profile.amounts for profile in profiles}
    found = fits(standing, wanted, pool_id=pool or None)
    return Sizes(
        choices=[Size(profile=profile, fit=found[profile.name]) for profile in profiles],
        pools=list(standing.bounds.pools.values()),
        charge_to=standing.bounds.pools.get(pool, ""),
        bars=standing.of_sessions,
    )


def fit_of_start(session: NotebookSession) -> Fit:
    """Return whether the session would be let in if it were started."""
    standing = standing_of(session.owner_id)
    pool = pool_of(session, standing.bounds)
    wanted = {session.profile.name: session.profile.amounts}
    return fits(standing, wanted, pool_id=pool, beside=session.pk)[session.profile.name]
