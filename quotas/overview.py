"""Who stands how with their limits: for many at once, as they are and as they would be.

However many there are, the questions to the database are the same few.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from django.contrib.auth.models import Group
from django.db.models import Q, Sum
from django.utils import timezone

from accounts.models import User
from quotas.amounts import FIXED, SESSIONS, VOLUMES, Amounts, gpu, ordered, show
from quotas.limits import Bound, Bounds
from quotas.models import Limit, Reservation, Scope

FIRST = 5
"""How many are named of those that a change would put over their limits."""

Key: TypeAlias = tuple[str, int | None, int | None, str, bool]

_NO_GROUPS: frozenset[int] = frozenset()


def key_of(limit: Limit) -> Key:
    """Return what there is one limit for."""
    return (
        limit.scope,
        limit.group_id,
        limit.user_id,
        limit.resource,
        limit.expires_at is not None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How much is held of a resource, and how much may be."""

    resource: str
    used: int
    bound: Bound

    @property
    def is_over(self) -> bool:
        return self.bound.amount is not None and self.used > self.bound.amount

    @property
    def text(self) -> str:
        """Both, the unit once where it is the same: `2 of 5 sessions`, `512 MiB of 10 GiB`."""
        used = show(self.resource, self.used)
        if self.bound.amount is None:
            return f"{used}, unlimited"
        limit = show(self.resource, self.bound.amount)
        number, _, unit = used.partition(" ")
        same = not self.used or limit.endswith(unit) or self.resource in {SESSIONS, VOLUMES}
        return f"{number if same else used} of {limit}"


class Standings:
    """Users, or all of them that hold anything, with the limits that are for them."""

    def __init__(
        self,
        limits: Iterable[Limit],
        *,
        groups: Mapping[int, frozenset[int]],
        used: Mapping[int, Amounts],
    ) -> None:
        self.groups = groups
        self.used = used
        self._now = timezone.now()
        self._shared: list[Limit] = []
        self._of_group: dict[int, list[Limit]] = defaultdict(list)
        self._of_user: dict[int, list[Limit]] = defaultdict(list)
        for limit in limits:
            if limit.scope == Scope.DEFAULT:
                self._shared.append(limit)
            elif limit.scope == Scope.GROUP and limit.group_id:
                self._of_group[limit.group_id].append(limit)
            elif limit.scope == Scope.USER and limit.user_id:
                self._of_user[limit.user_id].append(limit)
        self._alike: dict[frozenset[int], _Memo] = {}

    def of(self, user_id: int) -> list[Standing]:
        """Return what a user holds, and what there is a limit of."""
        memo, used = self._memo(user_id), self.used.get(user_id, {})
        return _stand(memo.bounds.resources | used.keys(), used, memo)

    def over(self) -> set[int]:
        """Return the users who hold more than they may."""
        return {
            user_id
            for user_id, used in self.used.items()
            if any(_exceeds(self._memo(user_id).of(name), held) for name, held in used.items())
        }

    def _memo(self, user_id: int) -> "_Memo":
        """Those who have no limit of their own and the same groups have the same bounds."""
        groups = self.groups.get(user_id, _NO_GROUPS).intersection(self._of_group)
        own = self._of_user.get(user_id)
        if own is None and groups in self._alike:
            return self._alike[groups]
        of_groups = [limit for group in groups for limit in self._of_group[group]]
        memo = _Memo(Bounds((*self._shared, *of_groups, *(own or ())), now=self._now))
        if own is None:
            self._alike[groups] = memo
        return memo


@dataclass(frozen=True, slots=True)
class _Memo:
    bounds: Bounds
    known: dict[str, Bound] = field(default_factory=dict)

    def of(self, resource: str) -> Bound:
        if resource not in self.known:
            self.known[resource] = self.bounds.of_user(resource)
        return self.known[resource]


def _exceeds(bound: Bound, held: int) -> bool:
    return bound.amount is not None and held > bound.amount


def _stand(resources: Iterable[str], used: Amounts, memo: _Memo) -> list[Standing]:
    return [
        Standing(resource=name, used=used.get(name, 0), bound=memo.of(name))
        for name in ordered(resources)
    ]


def standings(users: Collection[int] | None = None) -> Standings:
    """Read how these users stand, or all that hold anything."""
    rows = Limit.objects.filter(scope__in=_OF_USERS).order_by()
    if users is not None:
        rows = rows.filter(Q(user=None) | Q(user__in=users))
    limits = list(rows)
    return Standings(limits, groups=_groups(limits, users), used=held_by("user", users))


_OF_USERS = [Scope.DEFAULT.value, Scope.GROUP.value, Scope.USER.value]


def _groups(limits: Iterable[Limit], users: Collection[int] | None) -> Mapping[int, frozenset[int]]:
    wanted = {limit.group_id for limit in limits if limit.scope == Scope.GROUP}
    return members(wanted, users) if wanted else {}


def members(
    groups: Collection[int | None], users: Collection[int] | None = None
) -> Mapping[int, frozenset[int]]:
    """Return which of these groups the users are in."""
    rows = User.groups.through.objects.filter(group__in=groups)
    if users is not None:
        rows = rows.filter(user__in=users)
    found: dict[int, set[int]] = defaultdict(set)
    for user_id, group_id in rows.values_list("user_id", "group_id"):
        found[user_id].add(group_id)
    return {user_id: frozenset(ids) for user_id, ids in found.items()}


def held_by(whom: str, ids: Collection[int] | None = None) -> Mapping[int, Amounts]:
    """Sum what is held, by `user` or `pool`."""
    rows = Reservation.objects.held().exclude(**{whom: None})
    if ids is not None:
        rows = rows.filter(**{f"{whom}__in": ids})
    sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    parts = rows.order_by().values_list(whom, "accelerator")
    for one, accelerator, *amounts in parts.annotate(
        *(Sum(name, default=0) for name in (*FIXED, "gpus"))
    ):
        names = (*FIXED, gpu(accelerator))
        for name, amount in zip(names, amounts, strict=True):
            if amount:
                sums[one][name] += amount
    return sums


def pools(groups: Collection[int] | None = None) -> Mapping[int, list[Standing]]:
    """Read how the pools of these groups stand, or all of them, by the group."""
    limits = Limit.objects.filter(scope=Scope.POOL).order_by()
    if groups is not None:
        limits = limits.filter(group__in=groups)
    return _pools(limits, held_by("pool", groups))


def _pools(limits: Iterable[Limit], used: Mapping[int, Amounts]) -> Mapping[int, list[Standing]]:
    by_group: dict[int, list[Limit]] = defaultdict(list)
    for limit in limits:
        assert limit.group_id is not None
        by_group[limit.group_id].append(limit)
    return {
        group: [
            Standing(
                resource=name,
                used=used.get(group, {}).get(name, 0),
                bound=bounds.of_pool(group, name),
            )
            for name in ordered(bounds.resources | used.get(group, {}).keys())
        ]
        for group in by_group.keys() | used.keys()
        for bounds in [Bounds(tuple(by_group[group]))]
    }


def site() -> list[Standing]:
    """Read how the whole site stands."""
    return _site(Limit.objects.filter(scope=Scope.SITE).order_by(), _held_by_all())


def _site(limits: Iterable[Limit], used: Amounts) -> list[Standing]:
    bounds = Bounds(tuple(limits))
    return [
        Standing(resource=name, used=used.get(name, 0), bound=bounds.of_site(name))
        for name in ordered(bounds.resources | used.keys())
    ]


def _held_by_all() -> Amounts:
    sums: dict[str, int] = defaultdict(int)
    rows = Reservation.objects.held().order_by().values_list("accelerator")
    for accelerator, *amounts in rows.annotate(
        *(Sum(name, default=0) for name in (*FIXED, "gpus"))
    ):
        for name, amount in zip((*FIXED, gpu(accelerator)), amounts, strict=True):
            if amount:
                sums[name] += amount
    return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Who would hold more than they may by a change, and did not before: by name, in order."""

    users: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    site: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What would be, for whoever is about to decide."""
        said = []
        if self.users:
            said.append(f"{_count(self.users, 'user')} would be over: {_names(self.users)}.")
        if self.pools:
            said.append(f"{_count(self.pools, 'pool')} would be over: {_names(self.pools)}.")
        if self.site:
            said.append(f"The site would be over: {', '.join(self.site)}.")
        if not said:
            return "Nobody would be over."
        return " ".join((*said, "Nothing is stopped; whoever is over can add nothing."))


def _count(names: Collection[str], what: str) -> str:
    return f"{len(names)} {what}" + ("" if len(names) == 1 else "s")


def _names(names: tuple[str, ...]) -> str:
    more = len(names) - FIRST
    first = ", ".join(names[:FIRST])
    return f"{first} and {more} more" if more > 0 else first


def foresee(changed: Iterable[Limit], *, removed: Collection[int] = ()) -> Foreseen:
    """Return what would come of having these limits, in the place of those for the same, and
    without those that are removed.
    """
    present = {key_of(limit): limit for limit in Limit.objects.order_by()}
    kept = {key: limit for key, limit in present.items() if limit.pk not in removed}
    wanted = kept | {key_of(limit): limit for limit in changed}
    return Foreseen(
        users=_newly_over(present.values(), wanted.values()),
        pools=_pools_over(present.values(), wanted.values()),
        site=_site_over(present.values(), wanted.values()),
    )


def _newly_over(before: Collection[Limit], after: Collection[Limit]) -> tuple[str, ...]:
    used = held_by("user")
    groups = _groups([*before, *after], None)
    was, would = (Standings(limits, groups=groups, used=used).over() for limits in (before, after))
    names = User.objects.filter(pk__in=would - was).order_by("username")
    return tuple(names.values_list("username", flat=True))


def _pools_over(before: Collection[Limit], after: Collection[Limit]) -> tuple[str, ...]:
    used = held_by("pool")
    was, would = (
        {
            group
            for group, all_of in _pools(
                [limit for limit in limits if limit.scope == Scope.POOL], used
            ).items()
            if any(each.is_over for each in all_of)
        }
        for limits in (before, after)
    )
    names = Group.objects.filter(pk__in=would - was).order_by("name")
    return tuple(names.values_list("name", flat=True))


def _site_over(before: Collection[Limit], after: Collection[Limit]) -> tuple[str, ...]:
    used = _held_by_all()
    was, would = (
        {
            each.resource: each.text
            for each in _site([limit for limit in limits if limit.scope == Scope.SITE], used)
            if each.is_over
        }
        for limits in (before, after)
    )
    return tuple(text for resource, text in would.items() if resource not in was)
