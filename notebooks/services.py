"""What a user may ask of sessions. Pages, API, admin and commands all call these.

Each is one short transaction with no call to the backend in it; the work is enqueued when it
commits. Each may be called twice, or by twenty at once, with the same outcome.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from audit.services import record
from environments.models import Environment, EnvironmentVersion
from notebooks import tasks
from notebooks.addresses import enter_url
from notebooks.chosen_setup import setup_for
from notebooks.models import NotebookSession
from notebooks.picked_volumes import hold
from notebooks.runs import first_run, next_run
from notebooks.setup import NOTHING, Setup
from notebooks.states import LAUNCHED, SessionStatus
from notebooks.tickets import Credential, Leave, issue_code
from quotas.models import ResourceProfile
from submarine_site.core.asked import Asked
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.etags import refuse_changed
from submarine_site.core.idempotency import KeyReused, clean_key
from submarine_site.core.queue import enqueue_on_commit
from submarine_site.core.responses import NOT_FOUND
from submarine_site.core.text import clean_name

_ADJECTIVES = ("amber", "brisk", "calm", "clear", "deep", "eager", "gentle", "keen", "quiet")
_NOUNS = ("atoll", "bay", "cove", "delta", "fjord", "harbor", "lagoon", "reef", "tide", "wave")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A session, and whether this very request made it (rather than an earlier one like it)."""

    session: NotebookSession
    is_new: bool


def suggest_name(user: User) -> str:
    """Return a name that none of the user's sessions has, easy to say and to remember."""
    while True:
        short = [f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}" for _ in range(4)]
        long = [f"{name}-{secrets.randbelow(9000) + 1000}" for name in short]
        taken = set(
            NotebookSession.objects.filter(
                owner=user, deleted_at=None, name__in=[*short, *long]
            ).values_list("name", flat=True)
        )
        for name in (*short, *long):
            if name not in taken:
                return name


def create_session(
    *,
    owner: User,
    profile: str,
    environment: str,
    name: str = "",
    setup: Setup = NOTHING,
    charge_to: str = "",
    idempotency_key: str = "",
) -> Created:
    """Make a session and begin to start it.

    `profile` and `environment` are names from the catalogues, `charge_to` is a group of the user's
    whose pool it is charged to; without one it is that of the last time. The same `idempotency_key`
    gives the same session back. Raises `InvalidInput` for what the user may not choose or a bad
    name, `QuotaExceeded`, and `DomainError` with `name_taken`, `volume_busy`, `busy`,
    `idempotency_key_reused` or `session_deleted`.
    """
    chosen = [name, profile, environment, setup.as_json(), *([charge_to] if charge_to else ())]
    digest = _digest(*chosen)
    key = clean_key(idempotency_key) or None
    if key is not None and (earlier := _by_key(owner, key, digest)):
        return Created(session=earlier, is_new=False)
    clean = clean_name(name) if name else suggest_name(owner)
    chosen_profile = _choose_profile(owner, profile)
    version = _choose_environment(owner, environment)
    _refuse_too_small(chosen_profile, version)
    chosen_setup = setup_for(owner, setup)
    try:
        with transaction.atomic():
            session = NotebookSession(
                owner=owner,
                name=clean,
                profile=chosen_profile,
                environment_version=version,
                setup=chosen_setup.as_json(),
                idempotency_key=key,
                idempotency_digest=digest if key else "",
            )
            hold(session, chosen_setup.mounts)
            first_run(session, actor=owner, charge_to=charge_to)
            enqueue_on_commit(tasks.ask_to_launch)
    except IntegrityError:
        # A rival was first. With the same key it is the same request; else it took the name.
        if key is not None and (earlier := _by_key(owner, key, digest)):
            return Created(session=earlier, is_new=False)
        if not name:
            # The name that it took was only suggested: there are others.
            return create_session(
                owner=owner,
                profile=profile,
                environment=environment,
                setup=setup,
                charge_to=charge_to,
                idempotency_key=idempotency_key,
            )
        raise _name_taken(clean) from None
    except DomainError:
        # It may be the same request that has the volume, or what there was of the quota.
        if key is not None and (earlier := _by_key(owner, key, digest)):
            return Created(session=earlier, is_new=False)
        raise
    return Created(session=session, is_new=True)


def rename_session(*, session: NotebookSession, name: str, actor: User) -> NotebookSession:
    """Give the session another name.

    Raises `InvalidInput`, or `DomainError` with `name_taken`, or `not_found` once it is deleted.
    """
    clean = clean_name(name)
    try:
        with transaction.atomic():
            session = _locked(session)
            _refuse_deleted(session)
            if clean != session.name:
                NotebookSession.objects.filter(pk=session.pk).update(name=clean)
                NotebookSession.objects.note(
                    session, f"Renamed from “{session.name}” to “{clean}”.", actor=actor
                )
                record(
                    "session.renamed",
                    session,
                    actor=actor,
                    before={"name": session.name},
                    after={"name": clean},
                )
    except IntegrityError:
        raise _name_taken(clean) from None
    session.name = clean
    return session


def take_newest_environment(*, session: NotebookSession, actor: User) -> NotebookSession:
    """Have the session's next start use the newest version of its environment.

    What runs goes on as it is. Raises `InvalidInput` when the environment can no longer be chosen,
    or `DomainError` with `not_found` once the session is deleted.
    """
    with transaction.atomic():
        session = _locked(session)
        _refuse_deleted(session)
        pinned = _pinned_version(session)
        newest = pinned.environment.newest
        if newest is not None and newest.pk != pinned.pk:
            _refuse_too_small(session.profile, newest)
            NotebookSession.objects.filter(pk=session.pk).update(environment_version=newest)
            session.environment_version = newest
            NotebookSession.objects.note(
                session,
                f"Takes version {newest.number} of its environment at the next start, after "
                f"version {pinned.number}.",
                actor=actor,
            )
            record(
                "session.environment_updated",
                session,
                actor=actor,
                before={"version": pinned.number},
                after={"version": newest.number},
            )
    return session


def change_setup(
    *, session: NotebookSession, changes: Mapping[str, Any], actor: User, expected: str = ""
) -> NotebookSession:
    """Change what of its `Setup` the changes name, for the session's next start. What runs goes on
    as it is.

    `expected` is the etag of what the user saw. Raises `InvalidInput`, or `DomainError` with
    `changed_meanwhile`, or `not_found` once the session is deleted.
    """
    with transaction.atomic():
        session = _locked(session)
        _refuse_deleted(session)
        refuse_changed("session", session.etag, expected)
        before = Setup.from_json(session.setup)
        setup = setup_for(session.owner, replace(before, **changes), home=session.home_id)
        changed = [
            name for name in sorted(changes) if getattr(setup, name) != getattr(before, name)
        ]
        if changed:
            session.setup = setup.as_json()
            NotebookSession.objects.filter(pk=session.pk).update(setup=session.setup)
            NotebookSession.objects.note(
                session,
                f"Changed for the next start: {', '.join(changed)}.",
                actor=actor,
            )
            was, now = before.without_values(), setup.without_values()
            record(
                "session.setup_changed",
                session,
                actor=actor,
                before={name: was.get(name) for name in changed},
                after={name: now.get(name) for name in changed},
            )
    return session


def start_session(
    *, session: NotebookSession, actor: User, rescue: bool = False, charge_to: str = ""
) -> NotebookSession:
    """Start a session that has stopped or failed; one that runs or starts is left as it is. In a
    rescue the files of the server itself are elsewhere than in the home. `charge_to` as for a new
    one.

    Raises `QuotaExceeded`, `DomainError` with `session_stopping` while it stops, `volume_busy` or
    `volume_gone` for what it keeps files on, `busy`, or `not_found` once it is deleted, and
    `InvalidInput` when its profile, its environment or one of its volumes can no longer be chosen.
    """
    with transaction.atomic():
        session = _locked(session)
        _refuse_deleted(session)
        if session.status in LAUNCHED:
            return session
        if session.status == SessionStatus.STOPPING:
            raise DomainError(
                "The session is stopping. Start it when it has stopped.",
                code="session_stopping",
            )
        profile = _kept_profile(session)
        session.environment_version = _pinned_version(session)
        _refuse_too_small(profile, session.environment_version)
        hold(session, Setup.from_json(session.setup).mounts)
        run = next_run(session, is_rescue=rescue, charge_to=charge_to)
        NotebookSession.objects.transition(
            session.pk,
            SessionStatus.REQUESTED,
            message="Asked for in rescue." if rescue else "",
            actor=actor,
            current_run_id=run.pk,
            charged_to_id=session.charged_to_id,
        )
        record("session.started", session, actor=actor, after={"rescue": rescue})
        enqueue_on_commit(tasks.ask_to_launch)
    session.refresh_from_db()
    return session


def stop_session(
    *, session: NotebookSession, actor: User | None, code: str = "", message: str = ""
) -> NotebookSession:
    """Stop a session; one that has stopped or failed, or is stopping, is left as it is.

    `code` and `message` say why, where it is not simply that its owner asked.
    """
    with transaction.atomic():
        session = _locked(session)
        if session.status in LAUNCHED:
            _stop(session, actor=actor, code=code, message=message)
            record("session.stopped", session, actor=actor, after={"code": code} if code else {})
    session.refresh_from_db()
    return session


def delete_session(*, session: NotebookSession, actor: User) -> None:
    """Delete a session: hidden and its name free at once, ended as soon as can be. Its home and
    volumes stay.

    Deleting it again changes nothing.
    """
    with transaction.atomic():
        session = _locked(session)
        if session.deleted_at is not None:
            return
        NotebookSession.objects.filter(pk=session.pk).update(deleted_at=timezone.now())
        if session.status == SessionStatus.STOPPING:
            NotebookSession.objects.note(session, "Deleted.", actor=actor)
        else:
            _stop(session, actor=actor, code="deleted", message="Deleted.")
        record("session.deleted", session, actor=actor)


def open_session(
    *,
    session: NotebookSession,
    user: User,
    credential: Credential,
    credential_id: UUID,
    path: str = "lab",
) -> str:
    """Return the address that lets one browser in, once and within 30 s, and leads to `path`.

    Raises `DomainError` with `session_not_running`, or `gateway_unavailable`.
    """
    if session.status != SessionStatus.RUNNING:
        raise DomainError(
            f"The session is {session.status}. It can be opened while it runs.",
            code="session_not_running",
        )
    leave = Leave(
        session_id=session.pk,
        user_id=user.pk,
        credential=credential,
        credential_id=credential_id,
    )
    url = enter_url(session.pk, code=issue_code(leave), path=path)
    with transaction.atomic():
        record("session.opened", session, actor=user)
    return url


def _stop(session: NotebookSession, *, actor: User | None, code: str, message: str) -> None:
    NotebookSession.objects.transition(
        session.pk, SessionStatus.STOPPING, code=code, message=message, actor=actor
    )
    assert session.current_run is not None
    run = session.current_run
    enqueue_on_commit(partial(tasks.halt.delay, str(session.pk), str(run.pk)))


def _locked(session: NotebookSession) -> NotebookSession:
    """The session's row as it is now, held to the end of the transaction."""
    # Without what it refers to: a join does not see the run that a rival added while this waited.
    return NotebookSession.objects.select_for_update().get(pk=session.pk)


def _refuse_deleted(session: NotebookSession) -> None:
    """Refuse what came too late: the session was deleted after the request had found it."""
    if session.deleted_at is not None:
        raise DomainError(NOT_FOUND, code="not_found", status=404)


@Asked
def _profiles(*, user_id: int, name: str) -> QuerySet[ResourceProfile]:
    return ResourceProfile.objects.offered_to(User(pk=user_id)).filter(name=name)


@Asked
def _environments(*, user_id: int, name: str) -> QuerySet[Environment]:
    user = User(pk=user_id)
    return Environment.objects.offered_to(user).select_related("newest").named(name, user)


def _choose_profile(user: User, name: str) -> ResourceProfile:
    # PostgreSQL cannot even be asked for a NUL.
    found = _profiles(user_id=user.pk, name=name) if "\0" not in name else []
    if not found:
        raise _no_such_size()
    return found[0]


def _kept_profile(session: NotebookSession) -> ResourceProfile:
    """The session's own size, if its owner may still start with it."""
    startable = ResourceProfile.objects.visible_to(session.owner)
    profile = startable.filter(pk=session.profile_id).first()
    if profile is None:
        raise _no_such_size()
    return profile


def _choose_environment(user: User, name: str) -> EnvironmentVersion:
    """The newest version of the environment of this name, if the user may choose it."""
    found = _environments(user_id=user.pk, name=name) if "\0" not in name else []
    environment = found[0] if found else None
    if environment is None or environment.newest is None:
        raise InvalidInput.field("environment", "There is no such environment that you may use.")
    environment.newest.environment = environment
    return environment.newest


def _refuse_too_small(profile: ResourceProfile, version: EnvironmentVersion) -> None:
    if lacking := version.lacks(profile.resources):
        raise InvalidInput.field(
            "profile",
            f"The environment “{version.environment}” needs {lacking}; the size “{profile}” has "
            f"{profile.resources}. Choose {version.remedy(profile.resources)}.",
        )


def _pinned_version(session: NotebookSession) -> EnvironmentVersion:
    """The session's own version, if its owner may still start the environment."""
    startable = Environment.objects.startable_by(session.owner)
    version = (
        EnvironmentVersion.objects.select_related("environment")
        .filter(pk=session.environment_version_id, environment__in=startable)
        .first()
    )
    if version is None:
        raise InvalidInput.field("environment", "There is no such environment that you may use.")
    return version


def _digest(*inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _by_key(owner: User, key: str, digest: str) -> NotebookSession | None:
    session = (
        NotebookSession.objects.select_related(
            "profile", "environment_version__environment", "current_run"
        )
        .filter(owner=owner, idempotency_key=key)
        .first()
    )
    if session is None:
        return None
    if session.idempotency_digest != digest:
        raise KeyReused
    if session.deleted_at is not None:
        raise DomainError(
            "The session made with this idempotency key has been deleted.",
            code="session_deleted",
        )
    return session


def _no_such_size() -> InvalidInput:
    return InvalidInput.field("profile", "There is no such size that you may use.")


def _name_taken(name: str) -> DomainError:
    message = f"You have a session named “{name}” already."
    return DomainError(message, code="name_taken", fields={"name": message})
