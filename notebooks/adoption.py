"""Makes the rows of an orphaned run again, from the record that was kept with it when it began."""

import json
from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q

from accounts.models import User
from audit.services import record
from environments.models import Build, Environment, EnvironmentVersion
from notebooks import holdings
from notebooks.backends.contract import KernelMount
from notebooks.models import NotebookSession, OrphanedRun, Run
from notebooks.setup import Setup
from notebooks.states import ACTIVE, SessionStatus
from quotas.limits import bounds_of
from quotas.models import ResourceProfile
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.placement import Placement
from submarine_site.core.text import MAX_NAME, clean_name
from volumes.models import Volume

_FROZEN = (
    "profile_name",
    "cpu_milli",
    "memory_mib",
    "gpus",
    "accelerator",
    "longest_life_minutes",
    "idle_limit_minutes",
    "placement",
    "environment_name",
    "environment_number",
    "kernels",
    "image",
    "setup",
    "is_restart",
    "is_rescue",
)
"""The columns of a run that say what it was started with."""

MAX_RECORD_BYTES = 64 * 1024
"""Of a record, as JSON. Kubernetes refuses a pod with more than 256 KiB of annotations in all."""

_DAMAGED = (AttributeError, InvalidInput, KeyError, TypeError, ValidationError, ValueError)
"""What comes of reading a record that was changed to what it cannot be."""


class CannotAdopt(DomainError):
    """The rows cannot be made; the message says what is in the way."""


def record_of(session: NotebookSession, run: Run) -> dict[str, Any]:
    """Return what the rows of a session and its run consist of, for `adopt`. Without secrets.

    Of what is larger than `MAX_RECORD_BYTES` only what tells whose it is and what it uses.
    """
    environment = session.environment
    whole = {
        "owner": session.owner.get_username(),
        "name": session.name,
        "profile": session.profile.name,
        "environment": environment.name,
        "environment_id": str(environment.pk),
        "environment_owner": environment.owner and environment.owner.get_username(),
        "version": session.environment_version.number,
        "home": session.home_id and str(session.home_id),
        "number": run.number,
        "run": {name: getattr(run, name) for name in _FROZEN},
    }
    if len(json.dumps(whole, ensure_ascii=False).encode()) <= MAX_RECORD_BYTES:
        return whole
    return {
        "owner": whole["owner"],
        "name": whole["name"],
        "run": {"kernels": run.kernels},
        "is_too_large": True,
    }


def adopt(orphan: OrphanedRun, *, actor: User) -> NotebookSession:
    """Make the rows of an orphaned run again; the next look finds the session as it is.

    Raises `CannotAdopt` where the database lacks what the rows refer to, or the
    session has another run by now.
    """
    with transaction.atomic():
        row = (
            OrphanedRun.objects.select_for_update()
            .filter(pk=orphan.pk, removal_requested_at=None, removal_began_at=None, gone_at=None)
            .first()
        )
        if row is None:
            raise CannotAdopt(f"Run {orphan.pk} is gone or is being removed.")
        if not row.record:
            raise CannotAdopt(
                f"Run “{row}” was started by an older version of the service, which kept no record "
                "with it. It can only be removed."
            )
        if row.record.get("is_too_large"):
            raise CannotAdopt(
                f"Run “{row}” was started with more than its record can hold, such as long "
                "variables. It can only be removed."
            )
        try:
            session = _adopt(row, actor)
        except _DAMAGED as error:
            raise CannotAdopt(f"The record of run “{row}” is damaged.") from error
        record("session.adopted", session, actor=actor, after={"run": str(row.pk)})
        row.delete()
    return session


def _adopt(row: OrphanedRun, actor: User) -> NotebookSession:
    if row.record["owner"] != row.owner_name:
        # An operator decides by the name that the list shows.
        raise ValueError("the record names another owner")
    owner = User.objects.filter(username=row.record["owner"]).first()
    if owner is None:
        raise CannotAdopt(f"There is no user “{row.record['owner']}”. Create the user first.")
    session = _existing(row, owner) or _new_session(row, owner)
    run = _run(row, session)
    run.save(force_insert=True)
    digests = [kernel["digest"] for kernel in run.kernels]
    run.builds.set(Build.objects.filter(digest__in=digests))
    holdings.carry_over(session, run)
    # One that ended before is requested first; a new one is.
    for status in (SessionStatus.REQUESTED, SessionStatus.STARTING):
        NotebookSession.objects.transition(session.pk, status, current_run_id=run.pk, actor=actor)
    session.refresh_from_db()
    NotebookSession.objects.note(session, "Adopted by an operator.", actor=actor)
    return session


def _existing(row: OrphanedRun, owner: User) -> NotebookSession | None:
    session = NotebookSession.objects.select_for_update().filter(pk=row.session_id).first()
    if session is None:
        return None
    if session.owner_id != owner.pk or session.deleted_at is not None:
        raise CannotAdopt(f"Session “{session}” is deleted or belongs to another user.")
    if session.status in ACTIVE:
        raise CannotAdopt(f"Session “{session}” has another run. Stop the session first.")
    return session


def _new_session(row: OrphanedRun, owner: User) -> NotebookSession:
    wanted = row.record
    profile = ResourceProfile.objects.filter(name=wanted["profile"]).first()
    if profile is None:
        raise CannotAdopt(f"There is no size “{wanted['profile']}”. Create the size first.")
    version = _version(wanted, owner)
    session = NotebookSession(
        pk=row.session_id,
        owner=owner,
        name=_free_name(owner, clean_name(wanted["name"])),
        profile=profile,
        environment_version=version,
        home=Volume.objects.filter(pk=wanted["home"], owner=owner).first(),
        setup=Setup.from_json(wanted["run"]["setup"]).as_json(),
    )
    session.charged_to_id = holdings.pool_of(session, bounds_of(owner.pk))
    session.save(force_insert=True)
    return session


def _version(wanted: Mapping[str, Any], owner: User) -> EnvironmentVersion:
    name = wanted["environment"]
    environment = _environment(wanted, owner)
    version = None
    if environment is not None:
        # Another version may have got this number since.
        same = environment.versions.filter(number=wanted["version"], image=wanted["run"]["image"])
        version = same.first()
    if environment is None or version is None:
        raise CannotAdopt(
            f"There is no version {wanted['version']} of environment “{name}”. "
            "Create the environment first."
        )
    if environment.deleted_at is not None:
        raise CannotAdopt(f"Environment “{name}” was deleted.")
    if not Environment.objects.startable_by(owner).filter(pk=environment.pk).exists():
        raise CannotAdopt(
            f"“{owner.get_username()}” may not start environment “{name}”. Enable it, or have it "
            "offered to a group of the user's first."
        )
    return version


def _environment(wanted: Mapping[str, Any], owner: User) -> Environment | None:
    """The environment that a run was started with. Several users may have one of its name."""
    if "environment_id" not in wanted:
        mine = Environment.objects.filter(Q(owner=None) | Q(owner=owner), deleted_at=None)
        return mine.named(wanted["environment"], owner).first()
    whose = wanted["environment_owner"]
    of_owner = Environment.objects.filter(
        Q(owner=None) if whose is None else Q(owner__username=whose)
    )
    if Environment.objects.filter(pk=wanted["environment_id"]).exists():
        return of_owner.filter(pk=wanted["environment_id"]).first()
    # The database lacks it: its owner may have made it again.
    return of_owner.filter(name=wanted["environment"], deleted_at=None).first()


def _run(row: OrphanedRun, session: NotebookSession) -> Run:
    last = session.runs.aggregate(last=Max("number"))["last"]
    frozen = {name: row.record["run"][name] for name in _FROZEN}
    # Read as they are when the session is looked at: else it could not be shown.
    Placement.from_json(frozen["placement"])
    Setup.from_json(frozen["setup"])
    for kernel in frozen["kernels"]:
        KernelMount(**kernel)
    run = Run(
        pk=row.run_id,
        session=session,
        number=row.record["number"] if last is None else last + 1,
        created_at=row.began_at or row.first_seen_at,
        **frozen,
    )
    given = {name for name, value in frozen.items() if value not in (None, "", [], {})}
    run.clean_fields(exclude={field.name for field in Run._meta.fields} - given)  # noqa: SLF001
    return run


def _free_name(owner: User, name: str) -> str:
    """Return the name, or one like it where another session of the owner's has it."""
    taken = set(
        NotebookSession.objects.filter(owner=owner, deleted_at=None).values_list("name", flat=True)
    )
    others = (f"{name[: MAX_NAME - 20]} (adopted {number})" for number in count(1))
    return next(each for each in chain([name], others) if each not in taken)
