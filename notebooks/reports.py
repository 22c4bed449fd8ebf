"""What operators look at: who holds most, who holds what nobody uses, and what was out of order.

The questions to the database are the same few, however much there is.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db.models import F
from django.utils import timezone

from accounts.models import User
from notebooks.attached import attachments
from notebooks.holdings import Drift
from notebooks.models import NotebookSession
from notebooks.querysets import NotebookSessionQuerySet
from notebooks.states import SessionStatus
from quotas.amounts import label, ordered, show
from quotas.overview import held_by
from submarine_site.core.redis import client
from submarine_site.core.sizes import size
from volumes.models import Volume
from volumes.states import VolumeState

TOP = 10
LARGEST = 200
"""How many of the largest volumes are looked at for such as nobody uses."""
SHOWN = 50

_FOUND = "ledger:found"
_FOUND_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """Who holds most of a resource: each with how much."""

    resource: str
    users: Sequence[tuple[User, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the last look at the ledger that was asked for has found."""

    at: datetime
    lacking: int
    left: int


def top_users() -> list[Top]:
    """Return who holds most of each resource."""
    held = held_by("user")
    most = {
        resource: sorted(
            ((used[resource], user_id) for user_id, used in held.items() if used.get(resource)),
            key=lambda each: (-each[0], each[1]),
        )[:TOP]
        for resource in ordered({name for used in held.values() for name in used})
    }
    users = User.objects.in_bulk({user_id for rows in most.values() for _, user_id in rows})
    return [
        Top(
            resource=label(resource),
            users=[
                (users[user_id], show(resource, amount))
                for amount, user_id in rows
                if user_id in users
            ],
        )
        for resource, rows in most.items()
    ]


def idle_gpu_holders() -> NotebookSessionQuerySet:
    """Return the running sessions that have GPUs: first where nothing happened for longest."""
    return (
        NotebookSession.objects.filter(status=SessionStatus.RUNNING, current_run__gpus__gt=0)
        .select_related("owner", "current_run")
        .order_by(F("last_activity_at").asc(nulls_first=True))[:SHOWN]
    )


def unused_volumes() -> list[tuple[Volume, str]]:
    """Return those of the largest volumes that no session has, each with its size."""
    largest = list(
        Volume.objects.filter(state=VolumeState.READY)
        .select_related("owner")
        .order_by(F("size_mib").desc(nulls_last=True), "pk")[:LARGEST]
    )
    attached = attachments(largest)
    unused = [volume for volume in largest if not attached.get(volume.pk)][:SHOWN]
    return [(volume, size(volume.size_mib) if volume.size_mib else "") for volume in unused]


def keep_found(drift: Drift) -> None:
    """Keep what a look at the ledger has found, for a day."""
    found = json.dumps({"at": timezone.now().isoformat(), **asdict(drift)})
    client().set(_FOUND, found, ex=_FOUND_SECONDS)


def last_found() -> Found | None:
    """Return what the last one has. Raises `RedisError`."""
    kept = client().get(_FOUND)
    if not isinstance(kept, bytes):
        return None
    found = json.loads(kept)
    return Found(
        at=datetime.fromisoformat(found["at"]), lacking=found["lacking"], left=found["left"]
    )
