"""The volumes that sessions pick: whether their owners may have them, and what a run is given."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from accounts.models import User
from notebooks.attached import Holder, holders_of
from notebooks.backends.contract import VolumeMount
from notebooks.models import NotebookSession
from notebooks.mounts import Mount
from notebooks.picked_secrets import Withheld
from notebooks.setup import Setup
from submarine_site.core.errors import DomainError, InvalidInput
from volumes import services as volumes
from volumes.contract import AccessMode, VolumeSpec
from volumes.host import host
from volumes.lifecycle import LOST
from volumes.models import Volume, VolumeKind
from volumes.selectors import overlapping
from volumes.states import VolumeState

_TO_DO = "Restore it, or take it out of what the session starts with."
_NO_HOME = "The session's home is in the trash. Restore it to start the session."


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What a run keeps files on. `beside` are those of it that another run has, and one machine
    alone may have. `to_make` are those that may not be there yet.
    """

    home: VolumeSpec | None
    mounts: tuple[VolumeMount, ...]
    beside: frozenset[UUID]
    to_make: tuple[VolumeSpec, ...]


def refuse_others(owner: User, mounts: Sequence[Mount], *, home: UUID | None = None) -> None:
    """Raise `InvalidInput` unless the owner may have each of them in a session, beside this
    `home`; None: the one that the site keeps for them.
    """
    if not mounts:
        return
    found = Volume.objects.visible_to(owner).in_bulk([mount.volume for mount in mounts])
    _refuse_problems(mounts, found, home)


def hold(session: NotebookSession, mounts: Sequence[Mount]) -> None:
    """Hold the volumes that the session is about to start with to the end of the transaction, so
    that none goes into the trash meanwhile. A home that the site keeps is for the worker to find.

    Raises `InvalidInput` or, of a home, `DomainError` with `volume_gone` for what cannot be had any
    more, and with `volume_busy` where one session alone may have it and another one does.
    """
    home = _home_to_hold(session)
    wanted = {mount.volume for mount in mounts} | ({home} if home else set())
    if not wanted:
        return
    held = volumes.held(session.owner, wanted)
    if wanted - held.keys():
        if home and home not in held:
            raise DomainError(_NO_HOME, code="volume_gone")
        refuse_others(session.owner, mounts, home=session.home_id)
        # It was brought back between the two looks.
        hold(session, mounts)
        return
    # One may be its home by now, if the session's own was removed.
    _refuse_problems(mounts, held, session.home_id)
    exclusive = [each for each in held.values() if each.access_mode == AccessMode.ONE_SESSION]
    for holder in chain(*holders_of(exclusive, but=session).values()):
        raise DomainError(holder.message, code="volume_busy")


def give(sessions: Sequence[NotebookSession]) -> dict[UUID, Storage | Withheld]:
    """What the runs of these sessions keep files on, by the session's id; or why they cannot have
    it. Requires current runs.
    """
    mounts = {session.pk: _mounts_of(session) for session in sessions}
    wanted = {mount.volume for of_one in mounts.values() for mount in of_one}
    wanted |= {session.home_id for session in sessions if session.home_id}
    found = Volume.objects.in_bulk(list(wanted)) if wanted else {}
    homeless = [session.owner for session in sessions if not session.home_id]
    keeps_homes = homeless and host().home_terms() is not None
    homes = volumes.homes_of(homeless) if keeps_homes else {}
    volumes_of_all = (*found.values(), *homes.values())
    _try_again(volumes_of_all)
    holders = holders_of(
        [each for each in volumes_of_all if each.access_mode == AccessMode.ONE_MACHINE]
    )
    refused = overlapping(volumes_of_all)
    given: dict[UUID, Storage | Withheld] = {}
    for session in sessions:
        home = found[session.home_id] if session.home_id else homes.get(session.owner_id)
        if keeps_homes and home is None:
            # It was trashed at this moment. Nobody's session runs without a home unnoticed.
            given[session.pk] = Withheld(code="volume_gone", message=_NO_HOME)
        else:
            given[session.pk] = _storage(
                session, home, mounts[session.pk], found, holders, refused=refused
            )
    return given


def _refuse_problems(
    mounts: Sequence[Mount], found: Mapping[UUID, Volume], home: UUID | None
) -> None:
    for n, mount in enumerate(mounts):
        if problem := _problem(found.get(mount.volume), home):
            raise InvalidInput.field(f"mounts.{n}.volume", problem)


def _problem(volume: Volume | None, home: UUID | None) -> str:
    if volume is None:
        return "You have no such volume."
    if not volume.is_live:
        return f"The volume “{volume}” is in the trash. {_TO_DO}"
    # Where the site keeps homes no more, those that it kept are volumes like others.
    is_kept = volume.kind == VolumeKind.HOME and host().home_terms() is not None
    if volume.pk == home or (home is None and is_kept):
        return f"The volume “{volume}” is the session's home: it is there already."
    return ""


def _home_to_hold(session: NotebookSession) -> UUID | None:
    """A home of the session's own, or the site's where one session alone may have it."""
    if session.home_id:
        return session.home_id
    terms = host().home_terms()
    if terms is None or terms.access_mode is not AccessMode.ONE_SESSION:
        return None
    return volumes.homes_of([session.owner])[session.owner_id].pk


def _mounts_of(session: NotebookSession) -> tuple[Mount, ...]:
    assert session.current_run is not None
    return Setup.from_json(session.current_run.setup).mounts


def _try_again(volumes_of_all: Iterable[Volume]) -> None:
    """Have those made that could not be: whatever was in the way may be gone."""
    failed = [
        volume.pk
        for volume in volumes_of_all
        if volume.state == VolumeState.FAILED and volume.reason_code != LOST
    ]
    if failed:
        Volume.objects.filter(pk__in=failed, state=VolumeState.FAILED).request()


def _storage(
    session: NotebookSession,
    home: Volume | None,
    mounts: Sequence[Mount],
    found: Mapping[UUID, Volume],
    holders: Mapping[UUID, Sequence[Holder]],
    *,
    refused: Collection[UUID],
) -> Storage | Withheld:
    has = [home] if home else []
    for mount in mounts:
        volume = found.get(mount.volume)
        if volume is None or volume.owner_id != session.owner_id:
            what = f"The volume that was at “{mount.path}” is gone."
            return Withheld(code="volume_gone", message=what)
        has.append(volume)
    for volume in has:
        if not volume.is_live:
            return Withheld(code="volume_gone", message=f"The volume “{volume}” is in the trash.")
        if volume.state == VolumeState.FAILED and volume.reason_code == LOST:
            return Withheld(code="volume_lost", message=f"The volume “{volume}”: {volume.reason}")
        if volume.pk in refused:
            message = f"The folder of the volume “{volume}” overlaps the folder of another volume."
            return Withheld(code="volume_refused", message=message)
    specs = {volume.pk: _spec(volume, session.owner) for volume in has}
    return Storage(
        home=specs[home.pk] if home else None,
        mounts=tuple(
            VolumeMount(volume=specs[mount.volume], path=mount.path, read_only=mount.read_only)
            for mount in mounts
        ),
        beside=frozenset(
            pk
            for pk in specs
            if any(holder.session_id != session.pk for holder in holders.get(pk, ()))
        ),
        to_make=tuple(specs[volume.pk] for volume in has if volume.state != VolumeState.READY),
    )


def _spec(volume: Volume, owner: User) -> VolumeSpec:
    # Known already: it takes no query.
    volume.owner = owner
    return volume.spec
