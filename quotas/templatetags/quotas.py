"""What templates ask of quotas."""

from collections.abc import Sequence

from django import template

from quotas.amounts import SIZES, label, show
from quotas.limits import Bound
from quotas.models import Limit, QuotaRequest, Scope
from quotas.standing import Holding

register = template.Library()


@register.filter
def derivation(bound: Bound) -> Sequence[Limit]:
    """Return the limits that have a word on it, from the most general to the one that decides."""
    return bound.considered[::-1]


@register.filter
def rule_of(limit: Limit) -> str:
    """Say whom a limit is for, to one whom it is for."""
    match limit.scope:
        case Scope.USER:
            return "Your own, for a time" if limit.expires_at else "Your own"
        case Scope.GROUP:
            return f"Each member of {limit.group}"
        case _:
            return "Each user"


@register.filter
def amounts_of(holding: Holding) -> str:
    """Say what something holds: `1 session · 4 CPU · 16 GiB`."""
    return " · ".join(show(name, amount) for name, amount in holding.amounts.items())


@register.filter
def asked_of(request: QuotaRequest) -> str:
    """Say what was asked for, with the name of the resource where its amount does not say it."""
    amount = show(request.resource, request.amount)
    return f"{amount} of {label(request.resource)}" if request.resource in SIZES else amount
