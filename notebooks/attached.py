"""Which sessions have which volumes: now, or at their next start. Reads only.

An active session has what its run was started with; any other has what it is to start with.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from notebooks.models import NotebookSession
from notebooks.mounts import Mount
from notebooks.setup import Setup
from notebooks.states import ACTIVE
from volumes.contract import AccessMode
from volumes.host import Attachment, Attachments, host
from volumes.models import Volume, VolumeKind

_APART = frozenset({AccessMode.ONE_MACHINE, AccessMode.ONE_SESSION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """An active session that has a volume which one machine or one session alone may have."""

    volume: Volume
    session_id: UUID
    session: str

    @property
    def excludes(self) -> bool:
        """Whether no other session can start with the volume meanwhile."""
        return self.volume.access_mode == AccessMode.ONE_SESSION

    @property
    def message(self) -> str:
        """What a person is told before a start."""
        if self.excludes:
            return (
                f"The volume “{self.volume}” is in use by the session “{self.session}”, and one "
                f"session alone may have it. Stop “{self.session}” first."
            )
        return (
            f"The volume “{self.volume}” is in use by the session “{self.session}”, and one "
            "machine alone may have it: a session with it starts on the same machine."
        )


def attachments(volumes: Collection[Volume]) -> Attachments:
    """Which sessions have these volumes, in one query."""
    sessions = NotebookSession.objects.filter(
        Q(deleted_at=None) | Q(status__in=sorted(ACTIVE)),
        owner__in={volume.owner_id for volume in volumes},
    )
    rows = sessions.select_related("current_run").only(
        "name", "owner_id", "home_id", "status", "deleted_at", "setup", "current_run__setup"
    )
    homes = _homes(volumes)
    found: defaultdict[UUID, list[Attachment]] = defaultdict(list)
    for session in rows.order_by("name"):
        for volume_id, attachment in _of(session, homes):
            found[volume_id].append(attachment)
    return {
        volume.pk: sorted(found[volume.pk], key=lambda each: not each.is_active)
        for volume in volumes
    }


def holders_of(
    volumes: Collection[Volume], *, but: NotebookSession | None = None
) -> dict[UUID, list[Holder]]:
    """Which active sessions, `but` this one, stand in the way of these volumes' being had
    elsewhere; of those that all may have, none do.
    """
    # The local backend has one machine alone.
    kept_apart = _APART - ({AccessMode.ONE_MACHINE} if settings.BACKEND == "local" else set())
    exclusive = [each for each in volumes if each.access_mode in kept_apart]
    if not exclusive:
        return {}
    attached = attachments(exclusive)
    return {
        volume.pk: [
            Holder(volume=volume, session_id=each.session_id, session=each.session)
            for each in attached[volume.pk]
            if each.is_active and (but is None or each.session_id != but.pk)
        ]
        for volume in exclusive
    }


def _homes(volumes: Collection[Volume]) -> dict[int, UUID]:
    """Those of them that the site keeps for their owners, by the owner's id."""
    if host().home_terms() is None:
        return {}
    return {
        volume.owner_id: volume.pk
        for volume in volumes
        if volume.kind == VolumeKind.HOME and volume.is_live
    }


def _of(session: NotebookSession, homes: Mapping[int, UUID]) -> Iterator[tuple[UUID, Attachment]]:
    is_active = session.status in ACTIVE
    if home := session.home_id or homes.get(session.owner_id):
        yield home, _attachment(session, is_active=is_active)
    run = session.current_run if is_active else None
    now = _mounts(run.setup) if run else {}
    later = _mounts(session.setup) if session.deleted_at is None else {}
    for volume_id, mount in (later | now).items():
        yield volume_id, _attachment(session, mount, is_active=volume_id in now)


def _mounts(setup: dict[str, Any]) -> dict[UUID, Mount]:
    return {mount.volume: mount for mount in Setup.from_json(setup).mounts}


def _attachment(
    session: NotebookSession, mount: Mount | None = None, *, is_active: bool
) -> Attachment:
    return Attachment(
        session_id=session.pk,
        session=session.name,
        status=session.status,
        path=mount.path if mount else "",
        read_only=mount.read_only if mount else False,
        is_active=is_active,
    )
