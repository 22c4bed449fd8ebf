"""What there is for sessions in all: looked at now and then and kept, so that no page asks the
cluster.
"""

from collections import defaultdict

import msgspec

from notebooks.backends.contract import Capacity
from notebooks.wiring import backend
from quotas.amounts import CPU, MEMORY, Amounts, gpu
from quotas.limits import Bound
from quotas.models import ResourceProfile
from quotas.overview import Standing
from submarine_site.core.redis import client

LOOK_SECONDS = 60
KEPT_SECONDS = 15 * 60

_GIB = 1024

_LOOKED = "capacity:looked"
_KEPT = "capacity:kept"


def look() -> None:
    """Ask the backend what there is, unless that was done a minute ago."""
    if not client().set(_LOOKED, 1, nx=True, ex=LOOK_SECONDS):
        return
    found = backend().capacity()
    if found is None:
        client().delete(_KEPT)
    else:
        client().set(_KEPT, msgspec.json.encode(found), ex=KEPT_SECONDS)


def known() -> Capacity | None:
    """Return what there was at the last look; None if it was not to be seen, or was long ago.
    Raises `RedisError`.
    """
    kept = client().get(_KEPT)
    return msgspec.json.decode(kept, type=Capacity) if isinstance(kept, bytes) else None


def against(there: Capacity, used: Amounts) -> list[Standing]:
    """Set what is held against what there is. Of GPUs those that some size has: the cluster knows
    them by the name of their resource, which may be of several classes.
    """
    classes: dict[str, set[str]] = defaultdict(set)
    sizes = ResourceProfile.objects.filter(gpus__gt=0).order_by()
    for name, accelerator in sizes.values_list("gpu_resource", "accelerator"):
        classes[name].add(accelerator)
    rows = [
        (CPU, there.cpu_milli, used.get(CPU, 0)),
        # Machines have a little less than whole GiB, which nobody reads.
        (MEMORY, max(there.memory_mib // _GIB, 1) * _GIB, used.get(MEMORY, 0)),
    ]
    for name, of_it in sorted(classes.items()):
        held = sum(used.get(gpu(each), 0) for each in of_it)
        called = gpu(min(of_it) if len(of_it) == 1 else "gpu")
        rows.append((called, there.gpus.get(name, 0), held))
    return [
        Standing(resource=resource, used=held, bound=Bound(amount=amount))
        for resource, amount, held in rows
    ]
