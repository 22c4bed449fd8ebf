"""What people may ask of environments. Pages, API, admin and commands all call these.

A version is written once; what else there is of an environment changes under its row's lock.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.template.defaultfilters import pluralize
from django.utils import timezone

from accounts.models import User
from accounts.rights import WORKLOADS_RIGHT, may_configure_workloads
from audit.services import record
from environments import builds
from environments.kernels import Kernel
from environments.models import Build, Environment, EnvironmentVersion
from environments.packages import Rules, clean_kernels, clean_requested
from environments.sharing import refuse_taken
from environments.usage import usage_of
from submarine_site.core.catalogue import CATALOGUE_NAME
from submarine_site.core.errors import DomainError, InvalidInput
from submarine_site.core.etags import refuse_changed
from submarine_site.core.image_references import NOT_A_REFERENCE, is_image_reference
from submarine_site.core.responses import NOT_FOUND
from submarine_site.core.text import clean_name

NEEDS_RIGHT = f"To change what this environment runs takes the permission “{WORKLOADS_RIGHT}”."

MAX_OWN = 100
"""How many environments one user may have."""

MAX_LINE = 200
MAX_CPU_MILLI = 10_000_000
MAX_MEMORY_MIB = 100_000_000

# An address of the pages.
_RESERVED = {"new"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a version is to be. Its kernels are as people wrote them.

    `requested_kernels` is what is read back of them where that differs from `kernels`.
    """

    image: str
    kernels: tuple[Kernel, ...] = ()
    requested_kernels: tuple[Kernel, ...] = ()
    needs_gpu: bool = False
    smallest_cpu_milli: int = 0
    smallest_memory_mib: int = 0
    note: str = ""

    @classmethod
    def like(cls, version: EnvironmentVersion | None, *, image: str) -> "Draft":
        """Return what this version has, with another image."""
        if version is None:
            return cls(image=image)
        return cls(
            image=image,
            kernels=version.declared,
            requested_kernels=version.requested,
            needs_gpu=version.needs_gpu,
            smallest_cpu_milli=version.smallest_cpu_milli,
            smallest_memory_mib=version.smallest_memory_mib,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What of an environment may be changed. `groups` and `successor` are names."""

    display_name: str
    description: str = ""
    groups: tuple[str, ...] = ()
    enabled: bool = True
    hidden: bool = False
    deprecated: bool = False
    deprecation: str = ""
    successor: str = ""

    @classmethod
    def of(cls, environment: Environment) -> "Metadata":
        return cls(
            display_name=environment.display_name,
            description=environment.description,
            groups=tuple(environment.groups.order_by("name").values_list("name", flat=True)),
            enabled=environment.enabled,
            hidden=environment.hidden,
            deprecated=environment.deprecated,
            deprecation=environment.deprecation,
            successor=environment.successor.name if environment.successor else "",
        )


def site_rules() -> Rules:
    """What this site allows in a kernel."""
    return Rules(
        channels=tuple(settings.ENVIRONMENTS_CHANNELS),
        allow_urls=settings.ENVIRONMENTS_ALLOW_URLS,
    )


def may_create(user: User, *, for_site: bool) -> bool:
    """Whether the user may make environments of the site, or of their own."""
    is_operator = user.is_staff and user.has_perm("environments.add_environment")
    if for_site:
        return is_operator and may_configure_workloads(user)
    return is_operator or bool(settings.ENVIRONMENTS_OF_USERS)


def may_add_version(user: User, environment: Environment) -> bool:
    """Whether the user may change what an environment runs that they manage: their own, or with
    the permission another's or the site's.
    """
    return environment.owner_id == user.pk or may_configure_workloads(user)


def may_name_images(user: User) -> bool:
    """Whether the user may have images other than those that the site's environments have."""
    return may_configure_workloads(user)


def images_for(user: User) -> dict[str, str]:
    """Return the images that the user may build on, each with the environment that offers it."""
    offered = Environment.objects.startable_by(user).filter(owner=None).select_related("newest")
    images: dict[str, str] = {}
    for environment in offered:
        if environment.newest is not None:
            images.setdefault(environment.newest.image, environment.display_name)
    return images


def clean_image(raw: str, user: User) -> str:
    """Return an image that the user may build on. Raises `InvalidInput`."""
    image = raw.strip()
    if image and may_name_images(user):
        if not is_image_reference(image):
            raise InvalidInput.field("image", NOT_A_REFERENCE)
        return image
    images = images_for(user)
    if not images:
        raise InvalidInput.field("image", "No image is offered to you to build on.")
    if image and image not in images:
        offered = ", ".join(images)
        raise InvalidInput.field("image", f"The images that you may build on: {offered}.")
    return image or next(iter(images))


def create_environment(
    *, actor: User, name: str, metadata: Metadata, draft: Draft, for_site: bool = False
) -> Environment:
    """Make an environment with its first version, whose kernels begin to be built.

    Its name may not be that of one that the actor sees, or that one of its groups has. Names of
    others are not told by a refusal.

    Raises `InvalidInput`, or `DomainError` with `not_allowed`, `name_taken` or
    `too_many_environments`.
    """
    if not may_create(actor, for_site=for_site):
        raise DomainError(
            "Environments of the site are made by operators. It takes the permission "
            f"“{WORKLOADS_RIGHT}”."
            if for_site
            else "On this site, environments are made by operators.",
            code="not_allowed",
            status=403,
        )
    try:
        CATALOGUE_NAME(name)
    except ValidationError as error:
        raise InvalidInput.field("name", error.messages[0]) from None
    if name in _RESERVED:
        raise InvalidInput.field("name", f"“{name}” cannot be a name.")
    environment = Environment(name=name, owner=None if for_site else actor)
    groups = _apply(environment, metadata, actor)
    version = _clean(draft, actor)
    if Environment.objects.visible_to(actor).named(name, actor).exists():
        raise _name_taken(name)
    if not for_site and actor.environments.filter(deleted_at=None).count() >= MAX_OWN:
        raise DomainError(
            f"You have {MAX_OWN} environments, the most there may be. Delete one you do not need.",
            code="too_many_environments",
        )
    try:
        with transaction.atomic():
            _refuse_taken(environment, groups)
            environment.save(force_insert=True)
            environment.groups.set(groups)
            _add(environment, version, number=1)
            record("environment.created", environment, actor=actor, after={"image": version.image})
    except IntegrityError:
        raise _name_taken(name) from None
    return environment


def add_version(
    *, environment: Environment, actor: User, draft: Draft, expected: str = ""
) -> EnvironmentVersion:
    """Make the environment's next version, whose kernels begin to be built.

    `expected` is the etag of what the user saw. Raises `InvalidInput`, or `DomainError` with
    `not_allowed`, `changed_meanwhile`, or `not_found` once it is deleted.
    """
    if not may_add_version(actor, environment):
        raise DomainError(NEEDS_RIGHT, code="not_allowed", status=403)
    version = _clean(draft, actor)
    with transaction.atomic():
        environment = _locked(environment)
        refuse_changed("environment", environment.etag, expected)
        last = environment.versions.values_list("number", flat=True).first() or 0
        _add(environment, version, number=last + 1)
        record(
            "environment.version_added",
            environment,
            actor=actor,
            before={"version": last},
            after={"version": version.number, "image": version.image},
        )
    return version


def update_environment(
    *, environment: Environment, actor: User, changes: Mapping[str, Any], expected: str = ""
) -> Environment:
    """Change what of `Metadata` the changes name.

    `expected` is the etag of what the user saw. Raises `InvalidInput`, or `DomainError` with
    `name_taken`, `changed_meanwhile`, or `not_found` once it is deleted.
    """
    with transaction.atomic():
        environment = _locked(environment)
        refuse_changed("environment", environment.etag, expected)
        was = Metadata.of(environment)
        groups = _apply(environment, replace(was, **changes), actor)
        _refuse_taken(environment, groups)
        environment.updated_at = timezone.now()
        environment.save()
        environment.groups.set(groups)
        now = Metadata.of(environment)
        changed = [name for name in sorted(changes) if getattr(now, name) != getattr(was, name)]
        if changed:
            record(
                "environment.changed",
                environment,
                actor=actor,
                before={name: getattr(was, name) for name in changed},
                after={name: getattr(now, name) for name in changed},
            )
    return environment


def delete_environment(*, environment: Environment, actor: User) -> None:
    """Delete the environment with its versions. Raises `DomainError` with `not_allowed` or
    `environment_in_use`.

    Deleting it again changes nothing.
    """
    if environment.owner_id is None and not actor.has_perm("environments.delete_environment"):
        raise DomainError(
            "You may change environments of the site, and not delete them.",
            code="not_allowed",
            status=403,
        )
    with transaction.atomic():
        # A session that is being made holds the version that it pins.
        list(environment.versions.select_for_update())
        use = usage_of(environment, viewer=actor)
        if use.sessions:
            raise DomainError(
                _in_use(use.sessions, use.people, use.mine), code="environment_in_use"
            )
        now = timezone.now()
        deleted = Environment.objects.filter(pk=environment.pk, deleted_at=None).update(
            deleted_at=now,
            updated_at=now,
            # What was built of it is wanted no more than that of other old versions.
            newest=None,
        )
        # Nobody is sent to what is not there.
        Environment.objects.filter(successor=environment.pk).update(successor=None, updated_at=now)
        if deleted:
            record("environment.deleted", environment, actor=actor)


def retry_build(*, build: Build) -> None:
    """Have a build that failed tried again; any other is left as it is."""
    with transaction.atomic():
        builds.retry(build)


def seed_environment(
    *,
    name: str,
    display_name: str,
    image: str,
    description: str = "",
    position: int = 0,
    needs_gpu: bool = False,
) -> Environment:
    """Make an environment of the site, with nothing in it but its image, unless it is there."""
    with transaction.atomic():
        environment, is_new = Environment.objects.get_or_create(
            name=name,
            owner=None,
            deleted_at=None,
            defaults={
                "display_name": display_name,
                "description": description,
                "position": position,
            },
        )
        if is_new:
            version = EnvironmentVersion(environment=environment, image=image, needs_gpu=needs_gpu)
            _add(environment, version, number=1)
    return environment


def _name_taken(name: str) -> DomainError:
    message = f"There is an environment named “{name}” already."
    return DomainError(message, code="name_taken", fields={"name": message})


def _locked(environment: Environment) -> Environment:
    found = Environment.objects.select_for_update().filter(pk=environment.pk, deleted_at=None)
    if (locked := found.first()) is None:
        raise DomainError(NOT_FOUND, code="not_found", status=404)
    return locked


def _add(environment: Environment, version: EnvironmentVersion, *, number: int) -> None:
    """Save the version as the newest. Requires the environment's row to be held."""
    version.environment = environment
    version.number = number
    version.save(force_insert=True)
    environment.newest = version
    environment.updated_at = timezone.now()
    environment.save(update_fields=["newest", "updated_at"])
    if version.kernels:
        builds.ensure(version)


def _apply(environment: Environment, metadata: Metadata, actor: User) -> Collection[Group]:
    """Put what was said into the row, unsaved; the groups that it is to be for."""
    environment.display_name = clean_name(
        metadata.display_name or environment.name, field="display_name"
    )
    environment.description = _line("description", metadata.description)
    environment.enabled = metadata.enabled
    environment.hidden = metadata.hidden
    environment.deprecated = metadata.deprecated
    environment.deprecation = _line("deprecation", metadata.deprecation)
    environment.successor = _successor(environment, metadata.successor, actor)
    return _groups(environment, metadata.groups, actor)


def _successor(environment: Environment, name: str, actor: User) -> Environment | None:
    if not name:
        return None
    # It may stay what the actor would not be offered.
    if environment.successor is not None and environment.successor.name == name:
        return cast("Environment", environment.successor)
    successor = Environment.objects.visible_to(actor).named(name, actor).first()
    if successor is None or successor.pk == environment.pk:
        raise InvalidInput.field("successor", "There is no such environment to take its place.")
    return successor


def _groups(environment: Environment, names: Iterable[str], actor: User) -> Collection[Group]:
    """The groups of these names: an operator's choice, or of those that the owner is in."""
    wanted = set(names)
    groups = Group.objects.filter(name__in=[name for name in wanted if "\0" not in name])
    if environment.owner_id is not None:
        # One that it is for already stays, also when its owner is in it no more.
        groups = groups.filter(Q(user=actor) | Q(pk__in=environment.groups.all())).distinct()
    if missing := sorted(wanted - {group.name for group in groups}):
        raise InvalidInput.field("groups", f"There is no group “{missing[0]}” that you may choose.")
    return groups


def _refuse_taken(environment: Environment, groups: Iterable[Group]) -> None:
    """Refuse groups that it is not for yet and that have another of its name."""
    # One of the site may have any name: it comes before those of users.
    if environment.owner_id is not None:
        has = set(environment.groups.values_list("pk", flat=True))
        added = {group.pk for group in groups} - has
        if added:
            refuse_taken(environment.name, added, but=environment.pk)


def _clean(draft: Draft, actor: User) -> EnvironmentVersion:
    """The version that was drafted, unsaved."""
    kernels = clean_kernels(draft.kernels, site_rules())
    for field, most in (
        ("smallest_cpu_milli", MAX_CPU_MILLI),
        ("smallest_memory_mib", MAX_MEMORY_MIB),
    ):
        if not 0 <= getattr(draft, field) <= most:
            raise InvalidInput.field(field, f"A number from 0 to {most} is needed.")
    return EnvironmentVersion(
        image=clean_image(draft.image, actor),
        kernels=[kernel.as_json() for kernel in kernels],
        requested_kernels=[
            clean_requested(kernel).as_json() for kernel in draft.requested_kernels or draft.kernels
        ],
        needs_gpu=draft.needs_gpu,
        smallest_cpu_milli=draft.smallest_cpu_milli,
        smallest_memory_mib=draft.smallest_memory_mib,
        note=_line("note", draft.note),
        created_by=actor,
    )


def _line(field: str, raw: str) -> str:
    """A text of one line, or none."""
    text = " ".join(raw.split())
    if len(text) > MAX_LINE:
        raise InvalidInput.field(
            field, f"The text has {len(text)} characters; {MAX_LINE} is the most."
        )
    if not text.isprintable():
        raise InvalidInput.field(field, "The text holds a character that cannot be shown.")
    return text


def _in_use(sessions: int, people: int, mine: Collection[str]) -> str:
    """Why it cannot be deleted, and where it is in use."""
    count = f"{sessions} session{pluralize(sessions)}"
    people_have = f"{people} {'person has' if people == 1 else 'people have'}"
    said = f"It is in use by {count} that {people_have}."
    if mine:
        names = ", ".join(f"“{name}”" for name in mine)
        said += f" Yours: {names}."
    return f"{said} Delete those sessions first, or hide the environment."
