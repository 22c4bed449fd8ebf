"""How much somebody may have, and by which rule.

For each resource a user's own limit decides, else the largest of their groups', else that for each
user; where there is none it is unlimited. A limit with an end stands before one without. Beside
this, a group's pool has its own limit for all that is charged to it, and the site has one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from quotas.amounts import OTHER_GPUS, is_gpu
from quotas.models import Limit, Scope
from submarine_site.core.asked import Asked
from submarine_site.core.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How much of a resource somebody may have; None: unlimited. `rule` decided it, of all the
    limits that have a word on it, those first that stand before others. No rule: none has.
    """

    amount: int | None = None
    rule: Limit | None = None
    considered: tuple[Limit, ...] = ()


UNLIMITED = Bound()


@dataclass(frozen=True)
class Bounds:
    """The limits that are in force for one user, those of their groups' pools and the site's."""

    limits: tuple[Limit, ...]
    now: datetime = field(default_factory=timezone.now)

    @cached_property
    def pools(self) -> Mapping[int, str]:
        """The groups whose pool the user's sessions can be charged to, by name."""
        rows = [each for each in self._live if each.scope == Scope.POOL]
        named = {each.group_id: str(each.group) for each in rows if each.group_id}
        return dict(sorted(named.items(), key=lambda item: item[1]))

    @cached_property
    def has_site(self) -> bool:
        return any(each.scope == Scope.SITE for each in self._live)

    @cached_property
    def resources(self) -> frozenset[str]:
        """Those that are named by a limit."""
        return frozenset(each.resource for each in self._live) - {OTHER_GPUS}

    def of_user(self, resource: str) -> Bound:
        own = self._rules(resource, Scope.USER)
        groups = self._rules(resource, Scope.GROUP)
        # What is unlimited is the largest.
        largest = sorted(groups, key=_size, reverse=True)
        considered = (*own, *largest, *self._rules(resource, Scope.DEFAULT))
        return _bound(considered)

    def of_pool(self, group_id: int, resource: str) -> Bound:
        return _bound(self._rules(resource, Scope.POOL, group_id))

    def of_site(self, resource: str) -> Bound:
        return _bound(self._rules(resource, Scope.SITE))

    def _rules(self, resource: str, scope: Scope, group_id: int | None = None) -> tuple[Limit, ...]:
        """The one limit of each whom the scope is for."""
        wanted = (resource, OTHER_GPUS) if is_gpu(resource) else (resource,)
        found: dict[int | None, Limit] = {}
        for name in wanted:
            for each in self._by_scope.get((scope, name), ()):
                if group_id is None or each.group_id == group_id:
                    found.setdefault(each.group_id, each)
        return tuple(found.values())

    @cached_property
    def _live(self) -> tuple[Limit, ...]:
        return tuple(
            each for each in self.limits if each.expires_at is None or each.expires_at > self.now
        )

    @cached_property
    def _by_scope(self) -> Mapping[tuple[str, str], list[Limit]]:
        """Those with an end first."""
        by_scope = defaultdict(list)
        for each in sorted(self._live, key=lambda each: each.expires_at is None):
            by_scope[each.scope, each.resource].append(each)
        return by_scope


def bounds_of(user_id: int) -> Bounds:
    """Read what is in force for a user, with one question: enough to come through the gate."""
    return Bounds(tuple(_limits(user_id=user_id)))


def explained_bounds_of(user_id: int) -> Bounds:
    """The same with whom each limit is for and who set it, so that it can be said why."""
    return Bounds(tuple(_explained_limits(user_id=user_id)))


def named_pool(bounds: Bounds, name: str) -> int:
    """Return which pool this is. Raises `InvalidInput` (`charge_to`) for one that the user may not
    charge.
    """
    for pk, each in bounds.pools.items():
        if each == name:
            return pk
    raise InvalidInput.field("charge_to", "There is no such pool that you may charge.")


def site_bounds() -> Bounds:
    """Read what is in force for the site as a whole."""
    return Bounds(tuple(Limit.objects.filter(scope=Scope.SITE)))


def _limits_for(*, user_id: int) -> QuerySet[Limit]:
    memberships = User.groups.through.objects.filter(user_id=user_id).values("group_id")
    return Limit.objects.filter(
        Q(scope__in=[Scope.DEFAULT.value, Scope.SITE.value])
        | Q(user_id=user_id)
        | Q(group_id__in=memberships)
    ).select_related("group")


_limits = Asked(_limits_for)


@Asked
def _explained_limits(*, user_id: int) -> QuerySet[Limit]:
    return _limits_for(user_id=user_id).select_related("group", "user", "set_by")


def _size(limit: Limit) -> tuple[bool, int]:
    return limit.amount is None, limit.amount or 0


def _bound(considered: Iterable[Limit]) -> Bound:
    considered = tuple(considered)
    if not considered:
        return UNLIMITED
    return Bound(amount=considered[0].amount, rule=considered[0], considered=considered)
