"""What a user has and may have, and what of more would fit.

Read without a lock, so that it may be otherwise by the time of a click: only `ledger` lets in.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias
from uuid import UUID

from django.db.models import Sum

from quotas import holders, ledger
from quotas.amounts import CPU, FIXED, MEMORY, SESSIONS, Amounts, gpu, is_gpu, label, of, ordered
from quotas.holders import Holder
from quotas.ledger import Shortage, Usage
from quotas.limits import Bound, Bounds, explained_bounds_of
from quotas.models import Reservation

Wanted: TypeAlias = Mapping[str, Amounts]
"""By a name of whoever asks: what it would hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much of a limit is in use; None: there is none."""

    resource: str
    used: int
    limit: int | None

    @property
    def label(self) -> str:
        return label(self.resource)

    @property
    def text(self) -> str:
        """The numbers: `6 of 8`, `24 of 64 GiB`, `4 CPU`."""
        return of(self.resource, self.used, self.limit)

    @property
    def most(self) -> int:
        """What a full bar is: of a limit of 0, anything is more than full."""
        return self.limit or 1

    @property
    def is_over(self) -> bool:
        return self.limit is not None and self.used > self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A session or volume of the user's, and what it holds. No holder: it is gone, and about to be
    given back.
    """

    kind: str
    id: UUID
    amounts: Amounts
    pool: str = ""
    holder: Holder | None = None

    @property
    def name(self) -> str:
        return self.holder.name if self.holder else ""

    @property
    def can_stop(self) -> bool:
        return self.holder is not None and self.holder.can_stop

    @property
    def is_ending(self) -> bool:
        return self.holder is None or self.holder.is_ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A group's pool that the user can charge, and how much all who do use of it."""

    name: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Standing:
    """One user's, at one moment."""

    user_id: int
    bounds: Bounds
    reservations: Sequence[Reservation]

    @cached_property
    def used(self) -> Amounts:
        used: Counter[str] = Counter()
        for each in self.reservations:
            used.update(each.amounts)
        return used

    @cached_property
    def resources(self) -> list[str]:
        """All that are counted: those that are named by a limit or in use among the GPUs."""
        return ordered({*FIXED, *self.bounds.resources, *self.used})

    def bound(self, resource: str) -> Bound:
        return self.bounds.of_user(resource)

    def bar(self, resource: str, *, more: int = 0) -> Bar:
        """How it is, or would be with so much `more`."""
        return Bar(
            resource=resource,
            used=self.used.get(resource, 0) + more,
            limit=self.bound(resource).amount,
        )

    def bars(self, resources: Iterable[str] | None = None) -> list[Bar]:
        """Of these resources or all, those that have a limit or are in use."""
        bars = map(self.bar, self.resources if resources is None else resources)
        return [bar for bar in bars if bar.limit is not None or bar.used]

    @property
    def of_sessions(self) -> list[Bar]:
        """Of what sessions hold."""
        wanted = {SESSIONS, CPU, MEMORY}
        return self.bars(name for name in self.resources if name in wanted or is_gpu(name))

    def holdings(self) -> list[Holding]:
        """All that holds, by name: with a question for the sessions and one for the volumes."""
        known = holders.described(self.reservations)
        amounts: defaultdict[UUID, Counter[str]] = defaultdict(Counter)
        for each in self.reservations:
            amounts[each.holder].update(each.amounts)
        found = {
            each.holder: Holding(
                kind=each.kind,
                id=each.holder,
                amounts=amounts[each.holder],
                pool=self.bounds.pools.get(each.pool_id or 0, ""),
                holder=known.get(each.holder),
            )
            for each in self.reservations
        }
        return sorted(found.values(), key=lambda holding: (holding.kind, holding.name))

    def pools(self) -> list[Pool]:
        """The pools that the user can charge, with one question for all."""
        if not self.bounds.pools:
            return []
        used = _used_of_pools(self.bounds.pools)
        pools = []
        for pk, name in self.bounds.pools.items():
            bars = [
                Bar(
                    resource=resource,
                    used=used[pk][resource],
                    limit=self.bounds.of_pool(pk, resource).amount,
                )
                for resource in ordered({*FIXED, *self.bounds.resources, *used[pk]})
            ]
            shown = [bar for bar in bars if bar.limit is not None or bar.used]
            pools.append(Pool(name=name, bars=shown))
        return pools


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether something would be let in. `to_stop`: of the user's own sessions those that would
    make room; none where no stop does. `waits_for`: those that are stopping already.
    """

    after: Sequence[Bar]
    shortages: Sequence[Shortage] = ()
    to_stop: Sequence[Holding] = ()
    waits_for: Sequence[Holding] = ()
    one_is_enough: bool = field(default=False)

    @property
    def fits(self) -> bool:
        return not self.shortages

    @property
    def message(self) -> str:
        """All that is in the way."""
        return " ".join(each.message for each in self.shortages)


def standing_of(user_id: int) -> Standing:
    """Read it, with two questions."""
    held = Reservation.objects.held().filter(user_id=user_id).order_by("pk")
    return Standing(user_id=user_id, bounds=explained_bounds_of(user_id), reservations=tuple(held))


def fits(
    standing: Standing, wanted: Wanted, *, pool_id: int | None, beside: UUID | None = None
) -> dict[str, Fit]:
    """Return for each that is wanted whether it would fit if it were charged to the pool, without
    what the one `beside` holds, which is to hold it. Three questions, however many are wanted.
    """
    usage = ledger.usage_beside(
        beside, user_id=standing.user_id, pool_id=pool_id, site=standing.bounds.has_site
    )
    found = {
        name: ledger.shortages(standing.bounds, usage, amounts, pool_id=pool_id)
        for name, amounts in wanted.items()
    }
    holdings = standing.holdings() if any(found.values()) else []
    return {
        name: _fit(standing, amounts, found[name], holdings, usage)
        for name, amounts in wanted.items()
    }


def _fit(
    standing: Standing,
    amounts: Amounts,
    shortages: Sequence[Shortage],
    holdings: Collection[Holding],
    usage: Usage,
) -> Fit:
    after = [
        Bar(resource=name, used=usage.user.get(name, 0) + amount, limit=limit)
        for name, amount in amounts.items()
        if (limit := standing.bound(name).amount) is not None
    ]
    if not shortages or any(each.asked > each.limit for each in shortages):
        # Where more is asked for than there may be, no stop makes room for it.
        return Fit(after=after, shortages=shortages)
    helps = [
        (holding, freed)
        for holding in holdings
        if (freed := [_freed(holding, shortage) for shortage in shortages]) and any(freed)
    ]
    enough = [
        holding
        for holding, freed in helps
        if holding.can_stop
        and all(
            each.used - free + each.asked <= each.limit
            for each, free in zip(shortages, freed, strict=True)
        )
    ]
    return Fit(
        after=after,
        shortages=shortages,
        to_stop=enough or [holding for holding, _ in helps if holding.can_stop],
        waits_for=[
            holding
            for holding, _ in helps
            if holding.is_ending and holding.kind == Reservation.Kind.SESSION
        ],
        one_is_enough=bool(enough),
    )


def _freed(holding: Holding, shortage: Shortage) -> int:
    """How much of what is short its end would give back."""
    if shortage.pool and holding.pool != shortage.pool:
        return 0
    return holding.amounts.get(shortage.resource, 0)


def _used_of_pools(pools: Collection[int]) -> Mapping[int, Counter[str]]:
    used: defaultdict[int, Counter[str]] = defaultdict(Counter)
    rows: Iterable[Mapping[str, Any]] = (
        Reservation.objects.held()
        .filter(pool__in=list(pools))
        .order_by()
        .values("pool", "accelerator")
        .annotate(gpu_sum=Sum("gpus"), **{f"{name}_sum": Sum(name) for name in FIXED})
    )
    for row in rows:
        amounts = {name: row[f"{name}_sum"] for name in FIXED}
        if row["gpu_sum"]:
            amounts[gpu(row["accelerator"])] = row["gpu_sum"]
        used[row["pool"]].update(amounts)
    return used
