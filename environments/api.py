"""The endpoints of environments: fetch what the user may see, call one service."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from accounts.idempotency import once
from accounts.requests import user_of
from accounts.scopes import Scope
from environments import examples, selectors, services
from environments.files import read_file
from environments.kernels import Kernel
from environments.models import Build, Environment, EnvironmentVersion
from environments.packages import MAX_PACKAGES
from environments.querysets import EnvironmentQuerySet
from environments.services import Draft, Metadata
from submarine_site.core.api import (
    IF_MATCH,
    NEW_TAG,
    NothingSerializer,
    StrictSerializer,
    TaggedRetrieveMixin,
    created,
    valid,
)
from submarine_site.core.browsable import project
from submarine_site.core.errors import InvalidInput
from submarine_site.core.etags import etag_of
from submarine_site.core.examples import example, shown
from submarine_site.core.pagination import Cursor
from submarine_site.core.preconditions import conditional


class ResolvedSerializer(serializers.Serializer[Any]):
    """The channels and packages of a kernel in their normal form, as they are built."""

    channels = serializers.ListField(child=serializers.CharField())
    conda = serializers.ListField(child=serializers.CharField())
    pip = serializers.ListField(child=serializers.CharField())


class KernelSerializer(ResolvedSerializer):
    """A Jupyter kernel with packages of its own, beside the server's Python. Channels and packages
    are as their author wrote them.
    """

    name = serializers.CharField()
    display_name = serializers.CharField()
    resolved = ResolvedSerializer()


@example(examples.BUILD, begun=examples.QUEUED)
class BuildSerializer(serializers.ModelSerializer[Build]):
    """What is built of a kernel, once, for all who need the same."""

    kernel = serializers.CharField(source="kernel.name", read_only=True)
    state = serializers.ChoiceField(choices=Build.State.choices, read_only=True)

    class Meta:
        model = Build
        fields = [
            "digest",
            "kernel",
            "state",
            "attempt",
            "created_at",
            "started_at",
            "finished_at",
            "size_bytes",
            "error_code",
            "error",
        ]


@example(examples.BUILD_LOG)
class BuildLogSerializer(serializers.ModelSerializer[Build]):
    """What a build said last."""

    text = serializers.CharField(source="log_tail", read_only=True)

    class Meta:
        model = Build
        fields = ["digest", "state", "attempt", "text"]


@example(examples.VERSION)
class VersionSerializer(serializers.ModelSerializer[EnvironmentVersion]):
    """What an environment runs, as it was at some time. It does not change."""

    kernels = serializers.SerializerMethodField()
    builds = BuildSerializer(many=True, read_only=True)
    created_by = serializers.CharField(
        source="created_by.username", read_only=True, allow_null=True, default=None
    )

    @extend_schema_field(KernelSerializer(many=True))
    def get_kernels(self, version: EnvironmentVersion) -> list[dict[str, Any]]:
        """Return each kernel as it was written, with what it resolved to."""
        pairs = zip(version.as_written, version.declared, strict=True)
        return [
            {**written.as_json(), "resolved": kernel.specs_as_json()} for written, kernel in pairs
        ]

    class Meta:
        model = EnvironmentVersion
        fields = [
            "number",
            "image",
            "kernels",
            "builds",
            "needs_gpu",
            "smallest_cpu_milli",
            "smallest_memory_mib",
            "note",
            "created_by",
            "created_at",
        ]


@example(examples.ENVIRONMENT_NOW)
class EnvironmentSerializer(serializers.ModelSerializer[Environment]):
    image = serializers.CharField(source="newest.image", read_only=True)
    owner = serializers.CharField(
        source="owner.username", read_only=True, allow_null=True, default=None
    )
    groups = serializers.SlugRelatedField[Any](slug_field="name", many=True, read_only=True)
    successor = serializers.CharField(
        source="successor.name", read_only=True, allow_null=True, default=None
    )
    newest = VersionSerializer(read_only=True)

    class Meta:
        model = Environment
        fields = [
            "name",
            "display_name",
            "description",
            "image",
            "owner",
            "groups",
            "enabled",
            "hidden",
            "deprecated",
            "deprecation",
            "successor",
            "created_at",
            "updated_at",
            "newest",
        ]


class KernelInput(StrictSerializer):
    name = serializers.CharField(max_length=63)
    display_name = serializers.CharField(required=False, default="", allow_blank=True)
    channels = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, max_length=100
    )
    conda = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, max_length=MAX_PACKAGES
    )
    pip = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, max_length=MAX_PACKAGES
    )
    resolved = serializers.JSONField(
        required=False,
        allow_null=True,
        help_text="Not needed: ignored, so that a kernel can be sent as it was read.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Leave out what is not the author's to say."""
        attrs.pop("resolved", None)
        return attrs


class FileInput(StrictSerializer):
    """An `environment.yml`, a `requirements.txt` or a `pyproject.toml`, as text."""

    name = serializers.CharField(max_length=200)
    content = serializers.CharField(trim_whitespace=False, allow_blank=True)


@example(examples.NEW_VERSION)
class VersionInput(StrictSerializer):
    """What a version is to be: of kernels, or of one kernel with what a file declares."""

    image = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        help_text="Without one: the newest version's, else the first that is offered.",
    )
    # The stubs lack `max_length`.
    kernels = KernelInput(many=True, required=False, max_length=100)  # type: ignore[call-arg]
    file = FileInput(required=False)
    kernel_name = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=63,
        help_text="Of the kernel that a file declares. Without one: as the environment is named.",
    )
    needs_gpu = serializers.BooleanField(required=False, default=False)
    smallest_cpu_milli = serializers.IntegerField(required=False, default=0, min_value=0)
    smallest_memory_mib = serializers.IntegerField(required=False, default=0, min_value=0)
    note = serializers.CharField(required=False, default="", allow_blank=True)


@example(examples.METADATA)
class MetadataInput(StrictSerializer):
    display_name = serializers.CharField(required=False, trim_whitespace=False)
    description = serializers.CharField(required=False, allow_blank=True)
    groups = serializers.ListField(child=serializers.CharField(), required=False)
    enabled = serializers.BooleanField(required=False)
    hidden = serializers.BooleanField(required=False)
    deprecated = serializers.BooleanField(required=False)
    deprecation = serializers.CharField(required=False, allow_blank=True)
    successor = serializers.CharField(
        required=False, allow_blank=True, help_text="The name of what to use in its place."
    )


@example(examples.NEW_ENVIRONMENT)
class EnvironmentInput(VersionInput):
    """A new environment with its first version."""

    name = serializers.CharField(max_length=63)
    display_name = serializers.CharField(required=False, default="", allow_blank=True)
    description = serializers.CharField(required=False, default="", allow_blank=True)
    groups = serializers.ListField(child=serializers.CharField(), required=False, default=list)
    for_site = serializers.BooleanField(
        required=False, default=False, help_text="Of the site rather than one's own: operators."
    )


class EnvironmentFilter(django_filters.FilterSet):
    """Which environments to list."""

    q = django_filters.CharFilter(method="search", help_text="Words of names and packages.")

    class Meta:
        model = Environment
        fields: list[str] = []

    def search(self, environments: EnvironmentQuerySet, _: str, words: str) -> EnvironmentQuerySet:
        return environments.found_by(words)


class VersionCursor(Cursor):
    ordering = "-number"


_TAKEN: dict[str, type[Serializer[Any]]] = {
    "create": EnvironmentInput,
    "partial_update": MetadataInput,
    "add_version": VersionInput,
}


@extend_schema_view(retrieve=extend_schema(summary="Read an environment"))
class EnvironmentViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Environment]
):
    """What sessions run: the environments of the site, and your own."""

    queryset = Environment.objects.none()
    needs = dict.fromkeys(("create", "partial_update", "destroy", "add_version"), Scope.MANAGE)
    lookup_field = "name"
    lookup_value_regex = "[-a-z0-9]+"
    pagination_class = None
    filterset_class = EnvironmentFilter

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What each verb takes, for the forms of the browsable API."""
        return _TAKEN.get(self.action or "", EnvironmentSerializer)

    def get_queryset(self) -> QuerySet[Environment]:
        return selectors.shown(Environment.objects.visible_to(user_of(self.request)))

    def get_object(self) -> Environment:
        """Return the environment that the user means by the name."""
        environment = selectors.visible_named(self.kwargs["name"], user_of(self.request))
        if environment is None:
            raise Http404
        self.check_object_permissions(self.request, environment)
        return environment

    def initial_body(self) -> dict[str, Any]:
        """Return the initial body of the browsable API's form: for a version, the newest one's."""
        newest = self.get_object().newest if self.action == "add_version" else None
        return project(VersionInput(), VersionSerializer(newest).data) if newest else {}

    def check_object_permissions(self, request: Request, obj: Environment) -> None:
        """Refuse a change by a user who only sees the environment."""
        super().check_object_permissions(request, obj)
        if request.method not in SAFE_METHODS:
            selectors.managed(obj, user_of(request))

    def _answer(self, environment: Environment) -> Response:
        shown = self._shown(environment)
        return Response(EnvironmentSerializer(shown).data, headers={"ETag": shown.etag})

    def _shown(self, environment: Environment) -> Environment:
        return get_object_or_404(selectors.shown(Environment.objects.all()), pk=environment.pk)

    @extend_schema(summary="List the environments you may choose")
    def list(self, request: Request, *_: Any, **__: Any) -> Response:
        user = user_of(request)
        listed = Environment.objects.listed_for(user).reachable_by_name(user)
        # As the filter gives it: a queryset of environments still.
        found: Any = self.filter_queryset(listed)
        return Response(EnvironmentSerializer(selectors.shown(found), many=True).data)

    def retrieve(self, *_: Any, **__: Any) -> Response:
        return self._answer(self.get_object())

    @once
    @extend_schema(
        summary="Create an environment",
        request=EnvironmentInput,
        responses={201: EnvironmentSerializer},
    )
    def create(self, request: Request) -> Response:
        given = valid(EnvironmentInput, request)
        environment = services.create_environment(
            actor=user_of(request),
            name=given["name"],
            metadata=Metadata(
                display_name=given["display_name"],
                description=given["description"],
                groups=tuple(given["groups"]),
            ),
            draft=_draft(given, name=given["name"]),
            for_site=given["for_site"],
        )
        made = self._shown(environment)
        path = f"/api/v2/environments/{made.name}"
        return created(request, path, EnvironmentSerializer(made).data, etag=made.etag)

    @extend_schema(
        summary="Change what an environment is called, and for whom it is",
        request=MetadataInput,
        responses=EnvironmentSerializer,
        parameters=[IF_MATCH],
    )
    def partial_update(self, request: Request, **_: Any) -> Response:
        environment = self.get_object()
        changes = valid(MetadataInput, request)
        if "groups" in changes:
            changes["groups"] = tuple(changes["groups"])
        services.update_environment(
            environment=environment,
            actor=user_of(request),
            changes=changes,
            expected=request.headers.get("If-Match", ""),
        )
        return self._answer(environment)

    @extend_schema(
        summary="Delete an environment that no session has",
        responses={204: None},
        parameters=[IF_MATCH],
    )
    @conditional("environment")
    def destroy(self, request: Request, **_: Any) -> Response:
        services.delete_environment(environment=self.get_object(), actor=user_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="List the versions of an environment, newest first",
        responses=VersionSerializer(many=True),
    )
    @action(detail=True, pagination_class=VersionCursor, filterset_class=None)
    def versions(self, request: Request, **_: Any) -> Response:
        pages = VersionCursor()
        # The stubs know the filter of the view's own model alone.
        versions: Any = selectors.versions_of(self.get_object())
        page = pages.paginate_queryset(self.filter_queryset(versions), request, self)
        return pages.get_paginated_response(VersionSerializer(page, many=True).data)

    @once
    @extend_schema(
        summary="Make a new version of an environment",
        request=VersionInput,
        responses={201: VersionSerializer},
        parameters=[IF_MATCH],
    )
    @versions.mapping.post
    def add_version(self, request: Request, **_: Any) -> Response:
        environment = self.get_object()
        given = valid(VersionInput, request)
        image = environment.newest.image if environment.newest else ""
        version = services.add_version(
            environment=environment,
            actor=user_of(request),
            draft=_draft(given, name=environment.name, image=image),
            expected=request.headers.get("If-Match", ""),
        )
        path = f"/api/v2/environments/{environment.name}/versions/{version.number}"
        tag = etag_of(version.created_at)
        return created(request, path, VersionSerializer(version).data, etag=tag)

    @extend_schema(
        summary="Read a version of an environment",
        responses=VersionSerializer,
        parameters=[OpenApiParameter("number", int, OpenApiParameter.PATH)],
    )
    @action(detail=True, url_path=r"versions/(?P<number>[0-9]{1,9})", filterset_class=None)
    def version(self, request: Request, number: str, **_: Any) -> Response:  # noqa: ARG002
        versions = selectors.versions_of(self.get_object())
        version = get_object_or_404(versions, number=int(number))
        return Response(VersionSerializer(version).data)


@extend_schema_view(retrieve=extend_schema(summary="Read a build"))
class BuildViewSet(TaggedRetrieveMixin, GenericViewSet[Build]):
    """What is built of the kernels of environments."""

    queryset = Build.objects.none()
    needs = {"retry": Scope.MANAGE}
    serializer_class = BuildSerializer
    lookup_field = "digest"
    lookup_value_regex = "[0-9a-f]{64}"
    pagination_class = None

    def get_queryset(self) -> QuerySet[Build]:
        return selectors.builds_of(user_of(self.request))

    @extend_schema(summary="Read the end of a build's log", responses=BuildLogSerializer)
    @action(detail=True, url_path="log")
    def build_log(self, *_: Any, **__: Any) -> Response:
        return Response(BuildLogSerializer(self.get_object()).data)

    @extend_schema(
        summary="Read what a build installed, exactly",
        responses=OpenApiResponse(OpenApiTypes.OBJECT, examples=[shown(examples.LOCK)]),
    )
    @action(detail=True)
    def lock(self, *_: Any, **__: Any) -> Response:
        return Response(selectors.lock_of(self.get_object()))

    @extend_schema(
        summary="Try a build again that failed",
        request=None,
        responses={202: BuildSerializer},
        parameters=[IF_MATCH, NEW_TAG],
    )
    @action(detail=True, methods=["post"])
    @conditional("build")
    def retry(self, request: Request, **_: Any) -> Response:
        build = self.get_object()
        valid(NothingSerializer, request)
        services.retry_build(build=build)
        build.refresh_from_db()
        body = BuildSerializer(build).data
        return Response(body, status=status.HTTP_202_ACCEPTED, headers={"ETag": build.etag})


def _draft(given: dict[str, Any], *, name: str, image: str = "") -> Draft:
    """What was sent, as a version of the environment of this name."""
    kernels = tuple(Kernel(**each) for each in given.get("kernels", ()))
    if file := given.get("file"):
        if kernels:
            raise InvalidInput.field("file", "Send kernels or a file, not both.")
        declared = read_file(file["name"], file["content"].encode(), services.site_rules())
        kernels = (declared.kernel(given["kernel_name"] or name),)
    return Draft(
        image=given["image"] or image,
        kernels=kernels,
        needs_gpu=given["needs_gpu"],
        smallest_cpu_milli=given["smallest_cpu_milli"],
        smallest_memory_mib=given["smallest_memory_mib"],
        note=given["note"],
    )
