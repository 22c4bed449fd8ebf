"""Submarine's environments, by the services that v2 calls."""

from dataclasses import replace
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.requests import user_of
from accounts.scopes import Scope
from environments import selectors, services
from environments.kernels import DEFAULTS, Kernel
from environments.models import Environment
from environments.packages import OWN_KERNEL
from environments.services import Draft, Metadata
from submarine_site.core.errors import InvalidInput
from submarine_v1 import shapes
from submarine_v1.base import V1View, given, not_found, ok
from submarine_v1.serializers import EnvironmentInput

NOTHING = "Invalid environment spec."


class _EnvironmentView(V1View):
    fields = {"image": "dockerImage", "kernels": "kernelSpec"}
    needs = dict.fromkeys(("post", "patch", "delete"), Scope.MANAGE)


class EnvironmentList(_EnvironmentView):
    """`?status=` is sent by clients, and says nothing."""

    def get(self, request: Request) -> Response:
        user = user_of(request)
        listed = Environment.objects.listed_for(user).reachable_by_name(user)
        return ok([shapes.environment(each) for each in listed.select_related("newest")])

    def post(self, request: Request) -> Response:
        asked = given(EnvironmentInput, request, nothing=NOTHING)
        created = services.create_environment(
            actor=user_of(request),
            name=asked["name"],
            metadata=Metadata(display_name=asked["name"], description=asked.get("description", "")),
            draft=Draft(
                image=_image(asked),
                kernels=_kernels(asked, asked["name"]),
                requested_kernels=_requested(asked, asked["name"]),
            ),
        )
        return ok(shapes.environment(created))


class EnvironmentDetail(_EnvironmentView):
    """What the path calls an id in Submarine's own words is the name."""

    def get(self, request: Request, name: str) -> Response:
        return ok(shapes.environment(_visible(request, name)))

    def patch(self, request: Request, name: str) -> Response:
        found = _visible(request, name)
        asked = given(EnvironmentInput, request, nothing=NOTHING)
        if asked["name"] not in {"", name}:
            raise InvalidInput.field("name", f"An environment keeps its name, which is “{name}”.")
        actor = user_of(request)
        environment = selectors.managed(found, actor)
        assert environment.newest is not None
        before = Draft.like(environment.newest, image=environment.newest.image)
        draft = replace(before, image=_image(asked) or before.image)
        requested = _requested(asked, name)
        if "kernelSpec" in asked and requested != before.requested_kernels:
            draft = replace(draft, kernels=_kernels(asked, name), requested_kernels=requested)
        # Both or neither.
        with transaction.atomic():
            if "description" in asked:
                services.update_environment(
                    environment=environment,
                    actor=actor,
                    changes={"description": asked["description"]},
                )
            if draft != before:
                services.add_version(environment=environment, actor=actor, draft=draft)
        return ok(shapes.environment(_visible(request, name)))

    def delete(self, request: Request, name: str) -> Response:
        actor = user_of(request)
        environment = selectors.managed(_visible(request, name), actor)
        deleted = shapes.environment(environment)
        services.delete_environment(environment=environment, actor=actor)
        return ok(deleted)


def _visible(request: Request, name: str) -> Environment:
    user = user_of(request)
    visible = Environment.objects.visible_to(user).select_related("newest")
    if (found := visible.named(name, user).first()) is None:
        raise not_found("Environment")
    return found


def _image(asked: dict[str, Any]) -> str:
    image: str = asked["dockerImage"] or asked["image"]
    return image


def _kernels(asked: dict[str, Any], environment: str) -> tuple[Kernel, ...]:
    """The kernel that is asked for; none where it has no packages, and is the image's own."""
    return tuple(
        replace(kernel, channels=tuple(each for each in kernel.channels if each != DEFAULTS))
        for kernel in _requested(asked, environment)
        if kernel.conda or kernel.pip
    )


def _requested(asked: dict[str, Any], environment: str) -> tuple[Kernel, ...]:
    """The kernel as it was sent; none where nothing was."""
    spec = asked.get("kernelSpec") or {}
    has_packages = spec.get("condaDependencies") or spec.get("pipDependencies")
    if not (has_packages or spec.get("name") or spec.get("channels")):
        return ()
    name = spec["name"] or (environment if has_packages else OWN_KERNEL)
    return (
        Kernel(
            name=name,
            display_name=name,
            channels=tuple(spec["channels"]),
            conda=tuple(spec["condaDependencies"]),
            pip=tuple(spec["pipDependencies"]),
        ),
    )
