"""What the cluster itself is to refuse, should the ledger ever let too much in: the site's limits,
with some slack, so that the ledger is what people meet.
"""

from collections.abc import Mapping
from math import ceil

from django.conf import settings

from environments.lifecycle import AT_ONCE as BUILDS_AT_ONCE
from notebooks.backends.contract import BUILD_CPU_MILLI, Ceiling
from quotas.amounts import CPU, MEMORY, SESSIONS, gpu
from quotas.limits import Bounds, site_bounds
from quotas.models import ResourceProfile

SLACK_PERCENT = 10
MORE_PODS = 2
"""Those that end while others take their place."""


def site_ceiling() -> Ceiling:
    """Return the most that pods of sessions and builds may have together, by the site's limits."""
    bounds = site_bounds()
    builds_mib = BUILDS_AT_ONCE * settings.BUILDS["memory_mib"]
    return Ceiling(
        pods=_most(bounds, SESSIONS, more=MORE_PODS + BUILDS_AT_ONCE),
        cpu_milli=_most(bounds, CPU, more=BUILDS_AT_ONCE * BUILD_CPU_MILLI),
        memory_mib=_most(bounds, MEMORY, more=builds_mib),
        gpus=_gpus(bounds),
    )


def _most(bounds: Bounds, resource: str, *, more: int = 0) -> int | None:
    amount = bounds.of_site(resource).amount
    return None if amount is None else amount + ceil(amount * SLACK_PERCENT / 100) + more


def _gpus(bounds: Bounds) -> Mapping[str, int]:
    """By what the cluster calls them: a resource has several classes, each of which is bounded."""
    classes = ResourceProfile.objects.filter(gpus__gt=0).order_by()
    most: dict[str, int | None] = {}
    for name, accelerator in set(classes.values_list("gpu_resource", "accelerator")):
        of_class, others = _most(bounds, gpu(accelerator)), most.get(name, 0)
        most[name] = None if of_class is None or others is None else others + of_class
    return {name: amount for name, amount in most.items() if amount is not None}
