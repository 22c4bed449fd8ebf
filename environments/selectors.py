"""Answers about environments for pages and API. Reads only."""

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Prefetch, QuerySet

from accounts.models import User
from environments.kernels import Kernel
from environments.models import Build, Environment, EnvironmentVersion
from environments.querysets import EnvironmentQuerySet
from submarine_site.core.errors import DomainError


def shown(environments: EnvironmentQuerySet) -> EnvironmentQuerySet:
    """Return them with all that is shown of them."""
    return environments.select_related("owner", "successor", "newest__created_by").prefetch_related(
        "groups", Prefetch("newest__builds", _in_brief())
    )


def visible_named(name: str, user: User) -> Environment | None:
    """Return the environment that the user means by this name, with all that is shown of it."""
    return shown(Environment.objects.visible_to(user)).named(name, user).first()


def managed(environment: Environment, user: User) -> Environment:
    """Return the environment, which the user sees. Raises `DomainError` with `not_allowed`."""
    if not Environment.objects.managed_by(user).filter(pk=environment.pk).exists():
        whose = "an operator" if environment.owner_id is None else "its owner"
        raise DomainError(
            f"This environment is changed by {whose}.", code="not_allowed", status=403
        )
    return environment


def versions_of(environment: Environment) -> QuerySet[EnvironmentVersion]:
    """Return its versions, newest first, with all that is shown of them."""
    return environment.versions.select_related("created_by").prefetch_related(
        Prefetch("builds", _in_brief())
    )


def _in_brief() -> QuerySet[Build]:
    """Builds without what is long: log and lock."""
    return Build.objects.defer("log_tail", "lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A kernel of a version, with packages as they were written, and what is built of it."""

    kernel: Kernel
    build: Build | None


def parts_of(version: EnvironmentVersion) -> list[Part]:
    """Return its kernels, the default one first, each with its build."""
    builds = {build.digest: build for build in version.builds.all()}
    pairs = zip(version.as_written, version.declared, strict=True)
    return [
        Part(
            kernel=replace(written, channels=kernel.channels),
            build=builds.get(kernel.digest(version.image)),
        )
        for written, kernel in pairs
    ]


def builds_of(user: User) -> QuerySet[Build]:
    """Return the builds of the environments that the user sees."""
    visible = Environment.objects.visible_to(user)
    return Build.objects.filter(pk__in=visible.values("versions__builds"))


def lock_of(build: Build) -> Any:
    """Return what was installed. Raises `DomainError` with `not_built` before it is known."""
    if build.lock is None:
        raise DomainError(
            f"The build is {build.state}. What it installed is known when it is built.",
            code="not_built",
        )
    return build.lock
