"""How volumes are shown with sessions: what one can have, and what one has."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from accounts.models import User
from notebooks.attached import Holder, holders_of
from notebooks.models import NotebookSession, SessionEvent
from notebooks.mounts import Mount
from notebooks.setup import Setup
from volumes.host import host
from volumes.models import Volume, VolumeKind
from volumes.querysets import VolumeQuerySet
from volumes.selectors import can_grow


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A volume that a session can have, and the sessions in whose way it would be."""

    volume: Volume
    holders: Sequence[Holder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a session can be started with. `home` None: its first start makes it, where the site
    keeps homes.
    """

    keeps_homes: bool
    home: Choice | None
    data: Sequence[Choice]

    @property
    def ids(self) -> set[str]:
        """Of the volumes beside the home."""
        return {str(choice.volume.pk) for choice in self.data}


@dataclass(frozen=True, slots=True, kw_only=True)
class MountShown:
    """A volume at its path; None: it was removed for good."""

    mount: Mount
    volume: Volume | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumesShown:
    """What a session has. `home` None: its next start makes it, where the site keeps homes."""

    keeps_homes: bool
    home: Volume | None
    mounts: Sequence[MountShown]

    @property
    def home_can_grow(self) -> bool:
        """Whether its owner may make the home larger."""
        return self.home is not None and can_grow(self.home)


def choices_for(owner: User, *, session: NotebookSession | None = None) -> Choices:
    """What the owner can choose from for a new session, or for this one."""
    found = list(_live(owner))
    holders = holders_of(found, but=session)
    choices = {
        volume.pk: Choice(volume=volume, holders=holders.get(volume.pk, ())) for volume in found
    }
    home = _home_among(found, session)
    return Choices(
        keeps_homes=_keeps_homes(session),
        home=choices.get(home.pk) if home else None,
        data=[
            choice
            for choice in choices.values()
            if choice.volume.kind == VolumeKind.DATA and choice.volume != home
        ],
    )


def volumes_of(session: NotebookSession) -> VolumesShown:
    """What the session's present run has, or else its next one will."""
    run = session.current_run if session.is_launched else None
    mounts = Setup.from_json(run.setup if run else session.setup).mounts
    mine = Volume.objects.visible_to(session.owner)
    # The home is found on the way.
    wanted = Q(pk__in=[mount.volume for mount in mounts]) | Q(kind=VolumeKind.HOME)
    found = {
        volume.pk: volume
        for volume in mine.filter(wanted | Q(pk=session.home_id)).select_related("volume_class")
    }
    return VolumesShown(
        keeps_homes=_keeps_homes(session),
        home=_home_among(list(found.values()), session),
        mounts=[MountShown(mount=each, volume=found.get(each.volume)) for each in mounts],
    )


def full_home_of(session: NotebookSession) -> SessionEvent | None:
    """Why the session was started in rescue by itself: what was said of its home."""
    run = session.current_run
    if run is None or not run.is_rescue:
        return None
    return session.events.filter(run=run, code="home_full").first()


def _live(owner: User) -> VolumeQuerySet:
    return Volume.objects.visible_to(owner).live()


def _keeps_homes(session: NotebookSession | None) -> bool:
    return bool(session and session.home_id) or host().home_terms() is not None


def _home_among(found: Sequence[Volume], session: NotebookSession | None) -> Volume | None:
    """What is the home of the session, or of a new one."""
    if session and session.home_id:
        return next((each for each in found if each.pk == session.home_id), None)
    if host().home_terms() is None:
        return None
    return next((each for each in found if each.kind == VolumeKind.HOME and each.is_live), None)
