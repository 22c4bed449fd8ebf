"""The endpoints of quotas: what you have, may have, would fit, and ask for."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import (
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
)
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from accounts import scopes
from accounts.idempotency import once
from accounts.requests import user_of
from quotas import examples, requests
from quotas.amounts import parse, show
from quotas.holders import default_pool
from quotas.ledger import Shortage
from quotas.limits import Bound, named_pool
from quotas.models import Limit, QuotaRequest, ResourceProfile, Scope
from quotas.standing import Bar, Fit, Holding, Pool, Standing, fits, standing_of
from submarine_site.core.api import (
    IF_MATCH,
    UUID_PATTERN,
    StrictSerializer,
    TaggedRetrieveMixin,
    created,
    valid,
)
from submarine_site.core.errors import InvalidInput
from submarine_site.core.examples import example
from submarine_site.core.preconditions import conditional


class RuleSerializer(serializers.Serializer[Limit]):
    """A limit that has a word on it."""

    scope = serializers.ChoiceField(choices=Scope.choices)
    group = serializers.CharField(source="group.name", allow_null=True, default=None)
    limit = serializers.IntegerField(source="amount", allow_null=True)
    set_by = serializers.CharField(source="set_by.username", allow_null=True, default=None)
    set_at = serializers.DateTimeField()
    reason = serializers.CharField()
    until = serializers.DateTimeField(source="expires_at", allow_null=True)


class BarSerializer(serializers.Serializer[Bar]):
    """Use of a limit, in the resource's unit: thousandths of a core, MiB, or pieces. `limit` null:
    unlimited. `text` is the same for people.
    """

    resource = serializers.CharField()
    # Of this name every field has a property, which a declared one does not touch.
    label = serializers.CharField()  # type: ignore[assignment]
    used = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()


class HolderSerializer(serializers.Serializer[Any]):
    """What holds of a resource. `can_stop`: to stop it gives back what it holds; `is_ending`: it
    holds only until it is gone.
    """

    kind = serializers.CharField()
    id = serializers.UUIDField()
    name = serializers.CharField()
    address = serializers.CharField(help_text="Of its page; empty where it has none.")
    amount = serializers.IntegerField()
    pool = serializers.CharField()
    can_stop = serializers.BooleanField()
    is_ending = serializers.BooleanField()


class HadSerializer(BarSerializer):
    """A resource: what you hold of it, what you may, and why."""

    rule = RuleSerializer(allow_null=True, help_text="The one that decided; null: there is none.")
    considered = RuleSerializer(many=True, help_text="Those first that stand before others.")
    holders = HolderSerializer(many=True)


class PoolSerializer(serializers.Serializer[Pool]):
    """What all who charge a group's pool use of it."""

    name = serializers.CharField()
    resources = BarSerializer(source="bars", many=True)


# Else the schema would have a list of it, for the name of the view's method.
@extend_schema_serializer(many=False)
@example(examples.QUOTA)
class QuotaSerializer(serializers.Serializer[Any]):
    """What you have and may have. `charge_to` is the pool that is charged where none is named."""

    resources = HadSerializer(many=True)
    pools = PoolSerializer(many=True)
    charge_to = serializers.CharField()


@example(examples.CHECK)
class CheckSerializer(StrictSerializer):
    profile = serializers.CharField(max_length=63, help_text="The name of a size.")
    charge_to = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        help_text="The name of a group whose pool is to be charged.",
    )


class ShortageSerializer(serializers.Serializer[Any]):
    """A limit that leaves no room. `holders` are the sessions of yours that have of it."""

    scope = serializers.ChoiceField(choices=["user", "pool", "site"])
    resource = serializers.CharField()
    limit = serializers.IntegerField()
    used = serializers.IntegerField()
    asked = serializers.IntegerField()
    pool = serializers.CharField()
    message = serializers.CharField()
    holders = HolderSerializer(many=True)


@example(examples.CHECKED)
class CheckedSerializer(serializers.Serializer[Any]):
    """Whether a session of the size would be let in now. Only its start decides."""

    fits = serializers.BooleanField()
    shortages = ShortageSerializer(many=True)


@example(examples.REQUEST)
class QuotaRequestSerializer(serializers.ModelSerializer[QuotaRequest]):
    """What you asked for. `amount` is in the resource's unit, `text` the same for people; `word` is
    what operators said to it.
    """

    text = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=QuotaRequest.State.choices, read_only=True)

    class Meta:
        model = QuotaRequest
        fields = [
            "id",
            "resource",
            "amount",
            "text",
            "until",
            "why",
            "state",
            "created_at",
            "decided_at",
            "word",
        ]

    def get_text(self, request: QuotaRequest) -> str:
        return show(request.resource, request.amount)


@example(examples.NEW_REQUEST)
class QuotaRequestCreateSerializer(StrictSerializer):
    resource = serializers.CharField(help_text="As `GET /quota/` names them.")
    amount = serializers.CharField(
        help_text="What you want to have in all: cores such as `16`, sizes with their unit such as "
        "`64 GiB`, and whole numbers of all else."
    )
    until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Null: for good."
    )
    why = serializers.CharField()


class QuotaViewSet(GenericViewSet[Limit]):
    """What you have, what you may have, and why."""

    queryset = Limit.objects.none()
    needs = {"check": scopes.Scope.READ}
    pagination_class = None
    filter_backends = ()

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What is taken, for the form of the browsable API."""
        return CheckSerializer if self.action == "check" else QuotaSerializer

    def initial_body(self) -> dict[str, Any]:
        """Return the initial body of the browsable API's form."""
        offered = ResourceProfile.objects.offered_to(user_of(self.request))
        profile = offered.first() if self.action == "check" else None
        return {"profile": profile.name} if profile else {}

    @extend_schema(
        summary="Read what you have and may have",
        operation_id="quota_retrieve",
        responses=QuotaSerializer,
    )
    def list(self, request: Request) -> Response:
        standing = standing_of(user_of(request).pk)
        holdings = standing.holdings()
        pool = default_pool()(standing.user_id, standing.bounds)
        said = {
            "resources": [_had(standing, name, holdings) for name in standing.resources],
            "pools": standing.pools(),
            "charge_to": standing.bounds.pools.get(pool or 0, ""),
        }
        return Response(QuotaSerializer(said).data)

    @extend_schema(
        summary="Ask whether a session of a size would be let in now",
        request=CheckSerializer,
        responses=CheckedSerializer,
    )
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        given = valid(CheckSerializer, request)
        user = user_of(request)
        profile = ResourceProfile.objects.offered_to(user).called(given["profile"])
        if profile is None:
            raise InvalidInput.field("profile", "There is no such size that you may use.")
        standing = standing_of(user.pk)
        pool = (
            named_pool(standing.bounds, given["charge_to"])
            if given["charge_to"]
            else default_pool()(user.pk, standing.bounds)
        )
        fit = fits(standing, {profile.name: profile.amounts}, pool_id=pool)[profile.name]
        said = {
            "fits": fit.fits,
            "shortages": [_shortage(each, fit) for each in fit.shortages],
        }
        return Response(CheckedSerializer(said).data)


@extend_schema_view(
    list=extend_schema(summary="List what you asked for"),
    retrieve=extend_schema(summary="Read what you asked for"),
)
class QuotaRequestViewSet(TaggedRetrieveMixin, ReadOnlyModelViewSet[QuotaRequest]):
    """Your requests for more."""

    queryset = QuotaRequest.objects.none()
    needs = dict.fromkeys(("create", "destroy"), scopes.Scope.MANAGE)
    lookup_value_regex = UUID_PATTERN
    pagination_class = None

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What is taken, for the form of the browsable API."""
        return QuotaRequestCreateSerializer if self.action == "create" else QuotaRequestSerializer

    def get_queryset(self) -> QuerySet[QuotaRequest]:
        return QuotaRequest.objects.visible_to(user_of(self.request))

    @once
    @extend_schema(
        summary="Ask for more",
        request=QuotaRequestCreateSerializer,
        responses={201: QuotaRequestSerializer},
    )
    def create(self, request: Request) -> Response:
        given = valid(QuotaRequestCreateSerializer, request)
        requests.refuse_resource(given["resource"])
        given["amount"] = parse(given["resource"], given["amount"], offers_unlimited=False)
        asked = requests.ask(user=user_of(request), **given)
        body = QuotaRequestSerializer(asked).data
        return created(request, f"/api/v2/quota/requests/{asked.pk}", body, etag=asked.etag)

    @extend_schema(summary="Withdraw a request", parameters=[IF_MATCH], responses={204: None})
    @conditional("request")
    def destroy(self, request: Request, **_: Any) -> Response:
        requests.withdraw(request=self.get_object(), by=user_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _had(standing: Standing, resource: str, holdings: list[Holding]) -> Mapping[str, Any]:
    bar, bound = standing.bar(resource), standing.bound(resource)
    return {
        **{name: getattr(bar, name) for name in ("resource", "label", "used", "limit", "text")},
        **_why(bound),
        "holders": [_holder(each, resource) for each in holdings if resource in each.amounts],
    }


def _why(bound: Bound) -> Mapping[str, Any]:
    return {"rule": bound.rule, "considered": bound.considered}


def _holder(holding: Holding, resource: str) -> Mapping[str, Any]:
    return {
        "kind": holding.kind,
        "id": holding.id,
        "name": holding.name,
        "address": holding.holder.address if holding.holder else "",
        "amount": holding.amounts[resource],
        "pool": holding.pool,
        "can_stop": holding.can_stop,
        "is_ending": holding.is_ending,
    }


def _shortage(shortage: Shortage, fit: Fit) -> Mapping[str, Any]:
    makes_room = [*fit.to_stop, *fit.waits_for]
    holders = [
        _holder(each, shortage.resource)
        for each in makes_room
        if shortage.resource in each.amounts and (not shortage.pool or each.pool == shortage.pool)
    ]
    return {**shortage.as_json(), "holders": holders}
