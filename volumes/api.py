"""The endpoints of volumes: fetch what the user may see, call one service."""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from accounts.idempotency import once
from accounts.models import User
from accounts.requests import user_of
from accounts.scopes import Scope
from submarine_site.core.api import (
    IF_MATCH,
    NEW_TAG,
    UUID_PATTERN,
    NothingSerializer,
    StrictSerializer,
    created,
    valid,
)
from submarine_site.core.errors import InvalidInput
from submarine_site.core.examples import example
from submarine_site.core.preconditions import conditional
from submarine_site.core.text import MAX_NAME
from volumes import examples, selectors, services
from volumes.host import Attachment
from volumes.models import ACCESS_MODES, Volume, VolumeClass, VolumeKind
from volumes.querysets import VolumeQuerySet
from volumes.states import VolumeState


@example(examples.VOLUME_CLASS)
class VolumeClassSerializer(serializers.ModelSerializer[VolumeClass]):
    access_mode = serializers.ChoiceField(choices=ACCESS_MODES, read_only=True)

    class Meta:
        model = VolumeClass
        fields = [
            "name",
            "display_name",
            "description",
            "access_mode",
            "growable",
            "usual_mib",
            "largest_mib",
        ]


class AttachmentSerializer(serializers.Serializer[Attachment]):
    """A session that has a volume, or will at its next start. `path` is below its home; empty: the
    volume is its home. While `is_active`, something of the session may run.
    """

    session_id = serializers.UUIDField()
    session = serializers.CharField()
    status = serializers.CharField()
    path = serializers.CharField()
    # Of this name every field has a property, which a declared one does not touch.
    read_only = serializers.BooleanField()  # type: ignore[assignment]
    is_active = serializers.BooleanField()


@example(examples.VOLUME_NOW, begun=examples.REQUESTED)
class VolumeSerializer(serializers.Serializer[Any]):
    """Storage that outlives sessions. Sizes are in MiB; null: it is not known or has no bounds."""

    id = serializers.UUIDField(source="volume.pk")
    name = serializers.CharField(source="volume.name")
    kind = serializers.ChoiceField(source="volume.kind", choices=VolumeKind.choices)
    volume_class = serializers.CharField(
        source="volume.volume_class.name", read_only=True, allow_null=True, default=None
    )
    access_mode = serializers.ChoiceField(source="volume.access_mode", choices=ACCESS_MODES)
    is_adopted = serializers.BooleanField(
        source="volume.is_adopted", help_text="It was there before, and stays when it is removed."
    )
    size_mib = serializers.IntegerField(source="volume.size_mib", allow_null=True)
    wanted_mib = serializers.IntegerField(
        source="volume.wanted_mib", allow_null=True, help_text="What it is growing to."
    )
    largest_mib = serializers.IntegerField(
        allow_null=True, help_text="What you may have it grow to; null: it cannot grow."
    )
    capacity_mib = serializers.IntegerField(source="volume.capacity_mib", allow_null=True)
    used_mib = serializers.IntegerField(
        source="volume.used_mib", allow_null=True, help_text="As it was at `seen_at`."
    )
    seen_at = serializers.DateTimeField(source="volume.seen_at", allow_null=True)
    state = serializers.ChoiceField(source="volume.state", choices=VolumeState.choices)
    reason_code = serializers.CharField(source="volume.reason_code")
    reason = serializers.CharField(
        source="volume.reason", help_text="Why it could not be made, or not grow."
    )
    attachments = AttachmentSerializer(many=True)
    created_at = serializers.DateTimeField(source="volume.created_at")
    updated_at = serializers.DateTimeField(source="volume.updated_at")
    trashed_at = serializers.DateTimeField(source="volume.trashed_at", allow_null=True)
    removed_after = serializers.DateTimeField(allow_null=True)


@example(examples.NEW_VOLUME)
class VolumeCreateSerializer(StrictSerializer):
    name = serializers.CharField(trim_whitespace=False, help_text=f"At most {MAX_NAME} characters.")
    volume_class = serializers.CharField(help_text="The name of a class.")
    size_mib = serializers.IntegerField()


@example(examples.CHANGES)
class VolumeUpdateSerializer(StrictSerializer):
    name = serializers.CharField(required=False, trim_whitespace=False)
    size_mib = serializers.IntegerField(
        required=False, help_text="What it is to grow to; a volume cannot be made smaller."
    )


@example(examples.RESTORE)
class VolumeRestoreSerializer(StrictSerializer):
    name = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Another name, where its own is taken by now.",
    )


@example(examples.ADOPT)
class VolumeAdoptSerializer(StrictSerializer):
    owner = serializers.CharField(max_length=150, help_text="The name of a user.")
    name = serializers.CharField(trim_whitespace=False)
    claim = serializers.CharField(
        help_text="The name of a PersistentVolumeClaim or, without a cluster, the absolute path "
        "of a folder."
    )
    as_home = serializers.BooleanField(
        required=False, default=False, help_text="Whether it is to be the owner's home."
    )


class VolumeFilter(django_filters.FilterSet):
    """Which volumes to list."""

    state = django_filters.ChoiceFilter(
        choices=[("live", "those you have"), ("trash", "those in the trash")], method="in_state"
    )
    kind = django_filters.ChoiceFilter(choices=VolumeKind.choices)

    class Meta:
        model = Volume
        fields: list[str] = []

    def in_state(self, volumes: VolumeQuerySet, _: str, state: str) -> VolumeQuerySet:
        return volumes.live() if state == "live" else volumes.filter(state=VolumeState.TRASHED)


@extend_schema_view(
    list=extend_schema(summary="List the classes of volumes you may choose"),
    retrieve=extend_schema(summary="Read a class of volumes"),
)
class VolumeClassViewSet(ReadOnlyModelViewSet[VolumeClass]):
    """The storage that operators offer you."""

    queryset = VolumeClass.objects.none()
    serializer_class = VolumeClassSerializer
    lookup_field = "name"
    lookup_value_regex = "[-a-z0-9]+"
    pagination_class = None

    def get_queryset(self) -> QuerySet[VolumeClass]:
        return VolumeClass.objects.visible_to(user_of(self.request))


_TAKEN: dict[str, type[Serializer[Any]]] = {
    "create": VolumeCreateSerializer,
    "partial_update": VolumeUpdateSerializer,
    "restore": VolumeRestoreSerializer,
    "remove": NothingSerializer,
    "retry": NothingSerializer,
    "adopt": VolumeAdoptSerializer,
}


class VolumeViewSet(GenericViewSet[Volume]):
    """Your volumes: those you have, and those in your trash."""

    queryset = Volume.objects.none()
    needs = {
        **dict.fromkeys(
            ("create", "partial_update", "destroy", "restore", "remove", "retry"), Scope.MANAGE
        ),
        "adopt": Scope.ADMIN,
    }
    filterset_class = VolumeFilter
    lookup_value_regex = UUID_PATTERN
    pagination_class = None

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What each verb takes, for the forms of the browsable API."""
        return _TAKEN.get(self.action or "", VolumeSerializer)

    def initial_body(self) -> dict[str, Any]:
        """Return the initial body of the browsable API's form."""
        classes = VolumeClass.objects.visible_to(user_of(self.request))
        first = classes.first() if self.action == "create" else None
        return (
            {
                "name": examples.NEW_VOLUME["name"],
                "volume_class": first.name,
                "size_mib": first.usual_mib,
            }
            if first
            else {}
        )

    def get_queryset(self) -> VolumeQuerySet:
        return Volume.objects.visible_to(user_of(self.request))

    @extend_schema(summary="List your volumes", responses=VolumeSerializer(many=True))
    def list(self, *_: Any, **__: Any) -> Response:
        # As the filter gives it: a queryset of volumes still.
        found: Any = self.filter_queryset(self.get_queryset())
        return Response(VolumeSerializer(selectors.shown(found), many=True).data)

    @extend_schema(summary="Read a volume", responses=VolumeSerializer)
    def retrieve(self, *_: Any, **__: Any) -> Response:
        return _answer(self.get_object())

    @once
    @extend_schema(
        summary="Create a volume",
        request=VolumeCreateSerializer,
        responses={201: VolumeSerializer},
    )
    def create(self, request: Request) -> Response:
        given = valid(VolumeCreateSerializer, request)
        volume = services.create_volume(owner=user_of(request), **given)
        return _created(request, volume)

    @extend_schema(
        summary="Rename a volume, or have it grow",
        request=VolumeUpdateSerializer,
        responses=VolumeSerializer,
        parameters=[IF_MATCH],
    )
    def partial_update(self, request: Request, **_: Any) -> Response:
        volume = self.get_object()
        given = valid(VolumeUpdateSerializer, request)
        # Both or neither.
        with transaction.atomic():
            services.hold_volume(volume=volume, expected=request.headers.get("If-Match", ""))
            if "name" in given:
                services.rename_volume(volume=volume, name=given["name"])
            if "size_mib" in given:
                services.grow_volume(volume=volume, size_mib=given["size_mib"])
        return _answer(volume)

    @extend_schema(
        summary="Delete a volume: it goes into the trash",
        parameters=[IF_MATCH],
        responses={204: None},
    )
    @conditional("volume")
    def destroy(self, *_: Any, **__: Any) -> Response:
        services.trash_volume(volume=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Bring a volume back from the trash",
        request=VolumeRestoreSerializer,
        responses=VolumeSerializer,
        parameters=[IF_MATCH, NEW_TAG],
    )
    @action(detail=True, methods=["post"])
    @conditional("volume")
    def restore(self, request: Request, **_: Any) -> Response:
        volume = self.get_object()
        given = valid(VolumeRestoreSerializer, request)
        return _answer(services.restore_volume(volume=volume, **given))

    @extend_schema(
        summary="Remove a volume that is in the trash, with what it holds",
        request=None,
        responses={202: None},
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    @conditional("volume")
    def remove(self, request: Request, **_: Any) -> Response:
        volume = self.get_object()
        valid(NothingSerializer, request)
        services.remove_volume(volume=volume)
        return Response(status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Try again to make a volume that failed",
        request=None,
        responses={202: VolumeSerializer},
        parameters=[IF_MATCH, NEW_TAG],
    )
    @action(detail=True, methods=["post"])
    @conditional("volume")
    def retry(self, request: Request, **_: Any) -> Response:
        volume = self.get_object()
        valid(NothingSerializer, request)
        return _answer(services.retry_volume(volume=volume), status.HTTP_202_ACCEPTED)

    @once
    @extend_schema(
        summary="Make a volume of what is there already (operators)",
        request=VolumeAdoptSerializer,
        responses={201: VolumeSerializer},
        filters=False,
    )
    @action(detail=False, methods=["post"])
    def adopt(self, request: Request) -> Response:
        actor = user_of(request)
        # Before anything is said about users.
        services.require_operator(actor)
        given = valid(VolumeAdoptSerializer, request)
        owner = _user(given.pop("owner"))
        volume = services.adopt_volume(actor=actor, owner=owner, **given)
        return _created(request, volume)


def _created(request: Request, volume: Volume) -> Response:
    now = selectors.shown_now(volume)
    path = f"/api/v2/volumes/{volume.pk}"
    return created(request, path, VolumeSerializer(now).data, etag=now.volume.etag)


def _answer(volume: Volume, code: int = status.HTTP_200_OK) -> Response:
    now = selectors.shown_now(volume)
    return Response(VolumeSerializer(now).data, status=code, headers={"ETag": now.volume.etag})


def _user(name: str) -> User:
    # PostgreSQL cannot even be asked for a NUL.
    found = None if "\0" in name else User.objects.filter(username=name).first()
    if found is None:
        raise InvalidInput.field("owner", "There is no such user.")
    return found
