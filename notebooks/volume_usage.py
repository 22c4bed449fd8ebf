"""How full volumes are, as the sessions that have them say, by way of the gateway."""

from collections.abc import Mapping
from uuid import UUID

from notebooks.models import Run
from volumes import lifecycle
from volumes.contract import VolumeSeen
from volumes.models import Volume


def record_usage(seen: Mapping[UUID, Mapping[UUID, VolumeSeen]]) -> None:
    """Keep what these runs say of volumes; what is not of their owner's is ignored."""
    owners = dict(Run.objects.filter(pk__in=seen).values_list("pk", "session__owner"))
    said = {volume for volumes in seen.values() for volume in volumes}
    owned = set(Volume.objects.filter(pk__in=said).values_list("pk", "owner"))
    lifecycle.record_usage(
        {
            volume: each
            for run_id, volumes in seen.items()
            for volume, each in volumes.items()
            if (volume, owners.get(run_id)) in owned
        }
    )
