"""The endpoints of the audit log."""

from typing import TYPE_CHECKING, Any, TypeAlias, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from audit import examples
from audit.export import as_csv
from audit.filters import AuditFilter
from audit.models import AuditEntry
from audit.querysets import AuditQuerySet
from submarine_site.core.errors import InvalidInput
from submarine_site.core.examples import example, shown
from submarine_site.core.pagination import Cursor
from submarine_site.core.streams import Stream

if TYPE_CHECKING:
    from accounts.models import User

Person: TypeAlias = dict[str, Any]


def _user_of(request: Request) -> "User":
    return cast("User", request.user)


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class ObjectSerializer(serializers.Serializer[AuditEntry]):
    kind = serializers.CharField(source="object_kind")
    id = serializers.CharField(source="object_id")
    name = serializers.CharField(source="object_label", help_text="As it was then.")


@example(examples.ENTRY)
class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    actor = serializers.SerializerMethodField(help_text="Null: the service itself, or a command.")
    on_behalf_of = serializers.SerializerMethodField(
        help_text="Whose the object is, where that is another than the actor."
    )
    object = ObjectSerializer(source="*")
    address = serializers.SerializerMethodField(
        help_text="Where it came from: of what others did, for operators alone."
    )
    before = serializers.DictField()
    after = serializers.DictField(help_text="What changed. Never a secret.")

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "at",
            "actor",
            "on_behalf_of",
            "action",
            "object",
            "channel",
            "address",
            "before",
            "after",
        ]

    @extend_schema_field(PersonSerializer(allow_null=True))
    def get_actor(self, entry: AuditEntry) -> Person | None:
        return _person(entry.actor_id, entry.actor_name)

    @extend_schema_field(PersonSerializer(allow_null=True))
    def get_on_behalf_of(self, entry: AuditEntry) -> Person | None:
        return _person(entry.on_behalf_of_id, entry.on_behalf_of_name)

    def get_address(self, entry: AuditEntry) -> str | None:
        return entry.address_for(_user_of(self.context["request"]))


def _person(pk: int | None, name: str) -> Person | None:
    return None if pk is None else {"id": pk, "name": name}


class _Newest(Cursor):
    ordering = "-id"


class _AsAsked(BaseContentNegotiation):
    """The answer is CSV, an error JSON, whatever is said to be accepted."""

    def select_parser(self, _request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self,
        _request: Request,
        renderers: Any,
        _format_suffix: str | None = None,
    ) -> Any:
        return renderers[0], renderers[0].media_type


@extend_schema_view(list=extend_schema(summary="List what you did, and what was done to yours"))
class AuditViewSet(mixins.ListModelMixin, GenericViewSet[AuditEntry]):
    """Who did what, from where, on whose behalf. Operators who may view the log see all of it."""

    queryset = AuditEntry.objects.none()
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    pagination_class = _Newest

    def filter_queryset(self, queryset: Any) -> Any:
        """Refuse an empty time: in a form it is none, here it is a mistake."""
        for name in ("since", "until"):
            if self.request.query_params.get(name) == "":
                raise InvalidInput.field(
                    name, "A date and time is needed, such as 2026-01-31T12:00Z."
                )
        return super().filter_queryset(queryset)

    def get_queryset(self) -> AuditQuerySet:
        return AuditEntry.objects.visible_to(_user_of(self.request))

    @extend_schema(
        summary="Download the same as CSV",
        filters=True,
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, examples=[shown(examples.EXPORT)])
        },
    )
    @action(
        detail=False,
        pagination_class=None,
        content_negotiation_class=_AsAsked,
    )
    def export(self, request: Request) -> Stream:
        found: Any = self.filter_queryset(self.get_queryset())
        return as_csv(found, _user_of(request))
