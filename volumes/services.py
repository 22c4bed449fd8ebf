"""What people may ask of volumes. Pages, API and admin all call these.

Each is one short transaction with no call to what keeps volumes in it; the work is enqueued when
it commits. A volume's row is held by whoever attaches it and by whoever changes it.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from audit.services import record
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.etags import refuse_changed
from submarine_site.core.locks import AdvisoryLock, hold_lock
from submarine_site.core.object_names import is_own_name
from submarine_site.core.pod_shapes import DNS_SUBDOMAIN
from submarine_site.core.queue import enqueue_on_commit
from submarine_site.core.responses import NOT_FOUND
from submarine_site.core.sizes import size
from submarine_site.core.text import clean_name
from volumes import holdings, tasks
from volumes.folders import overlaps_any
from volumes.host import HomeTerms, host, largest_mib
from volumes.lifecycle import LOST
from volumes.models import MAX_CLAIM, Volume, VolumeClass, VolumeKind
from volumes.querysets import VolumeQuerySet
from volumes.states import VolumeState

MAX_VOLUMES = 100
"""How many one user may have, those in the trash among them: they take up room as well."""

HOME = "home"
"""What the home is called that the site keeps for a user."""


def create_volume(*, owner: User, name: str, volume_class: str, size_mib: int) -> Volume:
    """Make a volume; it is there when a worker has made it, or a session starts with it.

    `volume_class` is a name from the catalogue. Raises `InvalidInput`, or `DomainError` with
    `name_taken`, `too_many_volumes` or `over_quota`.
    """
    clean = clean_name(name)
    chosen = VolumeClass.objects.visible_to(owner).called(volume_class)
    if chosen is None:
        raise InvalidInput.field("volume_class", "There is no such class that you may choose.")
    if not 1 <= size_mib <= chosen.largest_mib:
        raise InvalidInput.field(
            "size_mib", f"A size from 1 MiB to {size(chosen.largest_mib)} is needed."
        )
    volume = Volume(
        owner=owner,
        name=clean,
        volume_class=chosen,
        size_mib=size_mib,
        storage_class=chosen.storage_class,
        access_mode=chosen.access_mode,
    )
    with transaction.atomic():
        # Of all that make one at once, each counts what those before it have made.
        holdings.hold(volume, size_mib=size_mib)
        _refuse_too_many(owner)
        _insert(volume)
        record(
            "volume.created",
            volume,
            actor=owner,
            after={"class": chosen.name, "size_mib": size_mib},
        )
    return volume


def require_operator(actor: User) -> None:
    """Raise `DomainError` with `not_allowed` for who may not make volumes of what is there."""
    if not (actor.is_staff and actor.has_perm("volumes.add_volume")):
        raise DomainError("Volumes are adopted by operators.", code="not_allowed", status=403)


def adopt_volume(*, actor: User, owner: User, name: str, claim: str, as_home: bool) -> Volume:
    """Make a volume of what is there already. For operators.

    Raises `InvalidInput`, or `DomainError` with `not_allowed`, `name_taken`, `claim_taken` or
    `home_exists`.
    """
    require_operator(actor)
    volume = Volume(
        owner=owner,
        name=clean_name(name),
        kind=VolumeKind.HOME if as_home else VolumeKind.DATA,
        claim=_clean_claim(claim),
    )
    with transaction.atomic():
        # The unique constraint covers equal claims alone. Of two that overlap, the later adoption
        # has to see the earlier one.
        hold_lock(AdvisoryLock.ADOPTION)
        _refuse_overlapping(volume.claim)
        _insert(volume)
        record("volume.adopted", volume, actor=actor, after={"claim": volume.claim})
    return volume


def hold_volume(*, volume: Volume, expected: str = "") -> Volume:
    """The volume as it is now, held to the end of the transaction for a change.

    `expected` is the etag of what the user saw. Raises `DomainError` with `changed_meanwhile`, or
    `not_found` once it is in the trash.
    """
    volume = _held(volume)
    if not volume.is_live:
        raise DomainError(NOT_FOUND, code="not_found", status=404)
    refuse_changed("volume", volume.etag, expected)
    return volume


def rename_volume(*, volume: Volume, name: str) -> Volume:
    """Give it another name.

    Raises `InvalidInput`, or `DomainError` with `name_taken`, or `not_found` once it is in the
    trash.
    """
    clean = clean_name(name)
    with transaction.atomic():
        volume = hold_volume(volume=volume)
        if clean != volume.name:
            was = volume.name
            _write(volume, name=clean, updated_at=timezone.now())
            record("volume.renamed", volume, before={"name": was}, after={"name": clean})
    return volume


def grow_volume(*, volume: Volume, size_mib: int, expected: str = "") -> Volume:
    """Have it grow, which a worker does; to its own size it is left as it is.

    Raises `InvalidInput` (`size_mib`) for less than it has or more than may be, or `DomainError`
    with `not_growable`, `over_quota`, `changed_meanwhile` or `not_found`.
    """
    with transaction.atomic():
        volume = hold_volume(volume=volume, expected=expected)
        # What it is to grow to already may have been given to it by now.
        has = volume.wanted_mib or volume.size_mib
        if size_mib == has:
            return volume
        largest = largest_mib(volume)
        if has is None or largest is None:
            raise DomainError(
                "This volume cannot grow. Create a larger one, and copy to it what this one holds.",
                code="not_growable",
            )
        if size_mib < has:
            raise InvalidInput.field(
                "size_mib", f"The volume has {size(has)}. A volume cannot be made smaller."
            )
        if size_mib > largest:
            raise InvalidInput.field("size_mib", f"{size(largest)} is the most it may have.")
        holdings.hold(volume, size_mib=size_mib)
        _write(volume, wanted_mib=size_mib, reason_code="", reason="", updated_at=timezone.now())
        record("volume.grown", volume, before={"size_mib": has}, after={"size_mib": size_mib})
        enqueue_on_commit(tasks.settle.delay)
    return volume


def trash_volume(*, volume: Volume) -> Volume:
    """Put it into the trash, from which it can be brought back for a time. Doing so again changes
    nothing.

    Raises `DomainError` with `volume_in_use` while a session that is active has it or, of a home,
    with `too_many_volumes`.
    """
    with transaction.atomic():
        volume = _held(volume)
        if not volume.is_live:
            return volume
        # Whoever starts with it holds its row as well: they are seen here, or find it in the trash.
        attached = host().attachments([volume]).get(volume.pk, ())
        if active := [each for each in attached if each.is_active]:
            raise DomainError(_in_use([each.session for each in active]), code="volume_in_use")
        if volume.kind == VolumeKind.HOME:
            # The next start makes another one in its place.
            _refuse_too_many(volume.owner)
        now = timezone.now()
        _this(volume).transition(VolumeState.TRASHED, trashed_at=now, updated_at=now)
        record("volume.trashed", volume)
        volume.refresh_from_db()
    return volume


def restore_volume(*, volume: Volume, name: str = "") -> Volume:
    """Bring it back from the trash, under another name if one is given. A home comes back as data
    if its owner has another one by now. One that is not in the trash is left as it is.

    Raises `InvalidInput`, or `DomainError` with `name_taken`, or `not_found` once it is being
    removed.
    """
    clean = clean_name(name) if name else ""
    with transaction.atomic():
        volume = _held(volume)
        if volume.is_live:
            return volume
        _bring_back(volume, clean or volume.name)
        enqueue_on_commit(tasks.settle.delay)
        volume.refresh_from_db()
        record("volume.restored", volume)
    return volume


def remove_volume(*, volume: Volume) -> None:
    """Have what is in the trash removed now, with what it holds.

    Raises `DomainError` with `not_in_trash`.
    """
    with transaction.atomic():
        if not _this(volume).transition(VolumeState.REMOVING):
            if _this(volume).live().exists():
                raise DomainError(
                    "The volume is not in the trash. Delete it first.", code="not_in_trash"
                )
            return
        record("volume.removed", volume)
        enqueue_on_commit(tasks.settle.delay)


def retry_volume(*, volume: Volume) -> Volume:
    """Have one that could not be made tried again; any other is left as it is.

    Raises `DomainError` with `not_found` once it is being removed.
    """
    with transaction.atomic():
        volume = _held(volume)
        if volume.state == VolumeState.FAILED:
            _this(volume).request()
            record("volume.retried", volume)
            enqueue_on_commit(tasks.settle.delay)
            volume.refresh_from_db()
    return volume


def held(owner: User, ids: Collection[UUID]) -> dict[UUID, Volume]:
    """Hold these volumes of the owner's to the end of the transaction, so that none goes into the
    trash meanwhile; those that are not theirs, or in the trash, are left out. Requires a
    transaction.
    """
    # In one order: of two that want the same, none waits for the other.
    rows = Volume.objects.filter(owner=owner, pk__in=ids).live().order_by("pk")
    return {volume.pk: volume for volume in rows.select_for_update(no_key=True)}


def homes_of(owners: Collection[User]) -> dict[int, Volume]:
    """Return the homes that the site keeps for these users, by the user's id, making those that
    are not there; empty where the site keeps none. May be called by several at once.
    """
    terms = host().home_terms()
    if terms is None or not owners:
        return {}
    homes = _homes(owners)
    # Under another name where the user has a volume of this one.
    for name in (HOME, f"{HOME}-{uuid4().hex[:8]}"):
        missing = {owner.pk for owner in owners} - homes.keys()
        if not missing:
            break
        Volume.objects.bulk_create(
            # In one order, as above.
            [_home(pk, name, terms) for pk in sorted(missing)],
            # A rival was first: it is the same home.
            ignore_conflicts=True,
        )
        # Whoever starts with it makes it; that it is there is recorded by this.
        enqueue_on_commit(tasks.settle.delay)
        homes = _homes(owners)
    return homes


def _homes(owners: Collection[User]) -> dict[int, Volume]:
    rows = Volume.objects.live().filter(kind=VolumeKind.HOME, owner__in=owners).order_by("pk")
    # One that is just going into the trash is waited for, and is no home then: who put it there has
    # not seen the session that asks.
    with transaction.atomic(savepoint=False):
        held = rows.select_related("owner").select_for_update(no_key=True, of=("self",))
        return {volume.owner_id: volume for volume in held}


def _home(owner_id: int, name: str, terms: HomeTerms) -> Volume:
    return Volume(
        owner_id=owner_id,
        name=name,
        kind=VolumeKind.HOME,
        size_mib=terms.size_mib,
        storage_class=terms.storage_class,
        access_mode=terms.access_mode,
    )


def _refuse_too_many(owner: User) -> None:
    has = Volume.objects.visible_to(owner).count()
    if has >= MAX_VOLUMES:
        raise DomainError(
            f"There are {has} volumes of yours, those in the trash among them; {MAX_VOLUMES} is "
            "the most there may be. Remove one that you do not need.",
            code="too_many_volumes",
        )


def _this(volume: Volume) -> VolumeQuerySet:
    return Volume.objects.filter(pk=volume.pk)


def _held(volume: Volume) -> Volume:
    """The volume as it is now, held to the end of the transaction."""
    rows = _this(volume).exclude(state=VolumeState.REMOVING)
    if (found := rows.select_for_update(no_key=True).first()) is None:
        raise DomainError(NOT_FOUND, code="not_found", status=404)
    return found


def _insert(volume: Volume) -> None:
    try:
        with transaction.atomic():
            volume.save(force_insert=True)
            enqueue_on_commit(tasks.settle.delay)
    except IntegrityError as error:
        raise _taken(error, volume.name) from None


def _refuse_overlapping(claim: str) -> None:
    """Refuse a folder that is the folder of another volume, holds it or is within it. Equal claims
    are left to the database.
    """
    if not claim.startswith("/"):
        return
    others = Volume.objects.folders().exclude(claim=claim).values_list("claim", flat=True)
    if overlaps_any(claim, others):
        message = "There is a volume of a folder around or within this one."
        raise DomainError(message, code="claim_taken", fields={"claim": message})


def _write(volume: Volume, **values: Any) -> None:
    """Change columns other than the state. Requires the row to be held."""
    for column, value in values.items():
        setattr(volume, column, value)
    try:
        with transaction.atomic():
            volume.save(update_fields=list(values))
    except IntegrityError as error:
        raise _taken(error, volume.name) from None


def _taken(error: IntegrityError, name: str) -> DomainError:
    """What another volume has already."""
    if _broke(error, "volume_claim_unique"):
        message = "There is a volume of this claim already."
        return DomainError(message, code="claim_taken", fields={"claim": message})
    if _broke(error, "volume_one_home"):
        return DomainError(
            "This user has a home already. Adopt this one as data, or have the other one deleted.",
            code="home_exists",
        )
    message = f"There is a volume named “{name}” already."
    return DomainError(message, code="name_taken", fields={"name": message})


def _broke(error: IntegrityError, constraint: str) -> bool:
    """Whether it was this rule of the database's that was broken."""
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and cause.diag.constraint_name == constraint


def _bring_back(volume: Volume, name: str) -> None:
    """Take it out of the trash. Requires the row to be held."""
    # As data, where there is another home: the database knows also of one that is just being made.
    for kind in dict.fromkeys((volume.kind, VolumeKind.DATA.value)):
        try:
            with transaction.atomic():
                _this(volume).request(
                    name=name, kind=kind, trashed_at=None, updated_at=timezone.now()
                )
                if volume.reason_code == LOST:
                    # It is lost still: an empty one is made when its owner asks for it.
                    _this(volume).transition(
                        VolumeState.FAILED, reason_code=LOST, reason=volume.reason
                    )
                return
        except IntegrityError as error:
            if not _broke(error, "volume_one_home"):
                raise _taken(error, name) from None


def _in_use(sessions: Sequence[str]) -> str:
    names = ", ".join(f"“{name}”" for name in sessions)
    if len(sessions) == 1:
        return f"The session {names} has this volume. Stop it first."
    return f"The sessions {names} have this volume. Stop them first."


def _clean_claim(raw: str) -> str:
    """The name of a claim, or the path of a folder, in the one way of writing it."""
    claim = raw.strip()
    if claim.startswith("/"):
        parts = claim[1:].split("/")
        fits = len(claim) <= MAX_CLAIM and claim.isprintable() and not {"", ".", ".."} & set(parts)
    else:
        fits = not list(DNS_SUBDOMAIN(claim, ""))
    if fits and is_own_name(claim):
        raise InvalidInput.field("claim", f"The claim “{claim}” is the service's own.")
    if fits:
        return claim
    raise InvalidInput.field(
        "claim",
        "The name of a PersistentVolumeClaim is needed or, without a cluster, the absolute path of "
        "a folder.",
    )
