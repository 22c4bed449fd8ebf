"""The endpoints of `/api/v2/`: fetch what the user may see, call one service."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import django_filters
from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.generics import GenericAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import APIRootView
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from accounts import program_logins
from accounts import services as accounts
from accounts.authentication import SignInAuthentication
from accounts.idempotency import once
from accounts.middleware import sign_in_id
from accounts.models import ApiToken, User
from accounts.requests import user_of
from accounts.scopes import Scope
from accounts.services import NewToken
from accounts.sign_in_failures import counted_attempt
from environments.models import Environment
from notebooks import bookmarks, services
from notebooks.addresses import session_url
from notebooks.api import examples, serializers
from notebooks.api.runs import sessions_for
from notebooks.backends.contract import CodeSource
from notebooks.logs import log_of
from notebooks.models import Bookmark, NotebookSession, SessionEvent
from notebooks.mounts import Mount
from notebooks.selectors import complete, many_of
from notebooks.setup import Setup
from notebooks.states import SessionStatus
from notebooks.tickets import Credential
from quotas.examples import OVER_QUOTA
from quotas.models import ResourceProfile
from submarine_site.core.api import (
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_REPLAYED,
    IF_MATCH,
    NEW_TAG,
    UUID_PATTERN,
    NothingSerializer,
    TaggedRetrieveMixin,
    answer,
    created,
    error_like,
    valid,
)
from submarine_site.core.catalogue import CatalogueQuerySet, E
from submarine_site.core.errors import DomainError
from submarine_site.core.examples import shown
from submarine_site.core.idempotency import HEADER, REPLAYED
from submarine_site.core.pagination import Cursor
from submarine_site.core.preconditions import conditional


class Root(APIRootView):
    """Submarine Notebooks, API version 2."""


@extend_schema_view(get=extend_schema(summary="Read who you are"))
class Me(RetrieveAPIView[User]):
    """Who you are to this service."""

    serializer_class = serializers.MeSerializer
    needs = {"get": None}

    def get_object(self) -> User:
        return user_of(self.request)


class Login(GenericAPIView[User]):
    """How a program signs in that has sent its user to `/account/allow-program`."""

    serializer_class = serializers.LoginSerializer
    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        summary="Change a code that a user pasted for an API token; it is shown this once",
        request=serializers.LoginSerializer,
        responses={201: serializers.NewTokenSerializer},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        given = valid(serializers.LoginSerializer, request)
        with counted_attempt(request._request):  # noqa: SLF001
            made = program_logins.redeem(code=given["code"], verifier=given["verifier"])
        return _new_token(request, made)


class CatalogueViewSet(ReadOnlyModelViewSet[E]):
    """What operators offer to the user; found by name."""

    lookup_field = "name"
    lookup_value_regex = "[-a-z0-9]+"
    pagination_class = None
    queryset: CatalogueQuerySet[E]

    def get_queryset(self) -> QuerySet[E]:
        return self.queryset.visible_to(user_of(self.request))


@extend_schema_view(
    list=extend_schema(summary="List the sizes you may choose"),
    retrieve=extend_schema(summary="Read a size"),
)
class ProfileViewSet(CatalogueViewSet[ResourceProfile]):
    """The sizes that operators offer you."""

    queryset = ResourceProfile.objects.select_related("successor")
    serializer_class = serializers.ProfileSerializer

    def get_queryset(self) -> QuerySet[ResourceProfile]:
        """One that is hidden is read by name, for the sessions that have it."""
        profiles = super().get_queryset()
        return profiles.filter(hidden=False) if self.action == "list" else profiles


class SessionFilter(django_filters.FilterSet):
    """Which sessions to list."""

    status = django_filters.MultipleChoiceFilter(
        choices=SessionStatus.choices, help_text="May be given several times."
    )
    name = django_filters.CharFilter(
        lookup_expr="icontains", help_text="A part of the name, in any case."
    )
    profile = django_filters.CharFilter(field_name="profile__name")
    environment = django_filters.CharFilter(field_name="environment_version__environment__name")

    class Meta:
        model = NotebookSession
        fields: list[str] = []


class SessionCursor(Cursor):
    orderings = ("-created_at", "created_at", "name", "-name")


class EventCursor(Cursor):
    ordering = "-id"


_ACCEPTED = OpenApiResponse(serializers.SessionSerializer, description="Accepted; follow `status`.")


_IN_A_SETUP: dict[str, Callable[[Any], Any]] = {
    "code": lambda sources: tuple(CodeSource(**source) for source in sources),
    "opens": str,
    "variables": dict,
    "secrets": tuple,
    "mounts": lambda mounts: tuple(Mount(**mount) for mount in mounts),
}


_TAKEN: dict[str, type[Serializer[Any]]] = {
    "create": serializers.SessionCreateSerializer,
    "partial_update": serializers.SessionUpdateSerializer,
    "start": serializers.StartSerializer,
    "stop": NothingSerializer,
    "update_environment": NothingSerializer,
    "open": serializers.OpenSerializer,
}


class SessionViewSet(GenericViewSet[NotebookSession]):
    """Your notebook sessions."""

    queryset = NotebookSession.objects.none()
    allowed_to_runs = frozenset({"list", "retrieve", "events"})
    needs = {
        **dict.fromkeys(
            ("create", "partial_update", "destroy", "start", "stop", "update_environment"),
            Scope.LAUNCH,
        ),
        **dict.fromkeys(("open", "logs"), Scope.ACCESS),
    }
    filterset_class = SessionFilter
    pagination_class = SessionCursor
    lookup_value_regex = UUID_PATTERN

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What each verb takes, for the forms of the browsable API."""
        return _TAKEN.get(self.action or "", serializers.SessionSerializer)

    def initial_body(self) -> dict[str, Any]:
        """Return the initial body of the browsable API's form."""
        return _launchable(user_of(self.request)) if self.action == "create" else {}

    def get_queryset(self) -> QuerySet[NotebookSession]:
        sessions = sessions_for(self.request)
        return many_of(sessions) if self.action == "list" else sessions

    def _answer(self, pk: UUID, code: int) -> Response:
        # A rival may have deleted it since.
        return _session(get_object_or_404(self.get_queryset(), pk=pk), code)

    @extend_schema(summary="List your sessions", responses=serializers.SessionSerializer(many=True))
    def list(self, *_: Any, **__: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        complete(page, user_of(self.request))
        rows = [answer(serializers.SessionSerializer, session) for session in page]
        return self.get_paginated_response(rows)

    @extend_schema(summary="Read a session")
    def retrieve(self, *_: Any, **__: Any) -> Response:
        return _session(self.get_object(), status.HTTP_200_OK)

    @extend_schema(
        summary="Start a new session",
        request=serializers.SessionCreateSerializer,
        responses={201: serializers.SessionSerializer, "default": error_like(OVER_QUOTA)},
        parameters=[IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED],
    )
    def create(self, request: Request) -> Response:
        chosen = valid(serializers.SessionCreateSerializer, request)
        setup = Setup(**_setup(chosen))
        made = services.create_session(
            owner=user_of(request),
            idempotency_key=request.headers.get(HEADER, ""),
            setup=setup,
            **chosen,
        )
        session = made.session
        body = answer(serializers.SessionSerializer, session)
        response = created(request, f"/api/v2/sessions/{session.pk}", body, etag=session.etag)
        if not made.is_new:
            for name, value in REPLAYED.items():
                response[name] = value
        return response

    @extend_schema(
        summary="Rename a session, or change what its next start begins with",
        request=serializers.SessionUpdateSerializer,
        responses=serializers.SessionSerializer,
        parameters=[IF_MATCH],
    )
    def partial_update(self, request: Request, **_: Any) -> Response:
        session = self.get_object()
        changed = valid(serializers.SessionUpdateSerializer, request)
        changes = _setup(changed)
        actor = user_of(request)
        # Both or neither.
        with transaction.atomic():
            services.change_setup(
                session=session,
                changes=changes,
                actor=actor,
                expected=request.headers.get("If-Match", ""),
            )
            if changed:
                services.rename_session(session=session, actor=actor, **changed)
        return self._answer(session.pk, status.HTTP_200_OK)

    @extend_schema(
        summary="Delete a session; its home and volumes stay",
        responses={204: None},
        parameters=[IF_MATCH],
    )
    @conditional("session")
    def destroy(self, request: Request, **_: Any) -> Response:
        services.delete_session(session=self.get_object(), actor=user_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Start a session that has stopped or failed",
        request=serializers.StartSerializer,
        responses={202: _ACCEPTED, "default": error_like(OVER_QUOTA)},
        parameters=[IF_MATCH, NEW_TAG],
    )
    @action(detail=True, methods=["post"])
    @conditional("session")
    def start(self, request: Request, **_: Any) -> Response:
        session = self.get_object()
        chosen = valid(serializers.StartSerializer, request)
        services.start_session(session=session, actor=user_of(request), **chosen)
        return self._answer(session.pk, status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Stop a session",
        request=None,
        responses={202: _ACCEPTED},
        examples=[shown(examples.STOPPING, "202")],
        parameters=[IF_MATCH, NEW_TAG],
    )
    @action(detail=True, methods=["post"])
    @conditional("session")
    def stop(self, request: Request, **_: Any) -> Response:
        session = self.get_object()
        valid(NothingSerializer, request)
        services.stop_session(session=session, actor=user_of(request))
        return self._answer(session.pk, status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Have the next start use the newest version of the environment",
        request=None,
        responses=serializers.SessionSerializer,
        parameters=[IF_MATCH, NEW_TAG],
    )
    @action(detail=True, methods=["post"], url_path="update-environment")
    @conditional("session")
    def update_environment(self, request: Request, **_: Any) -> Response:
        session = self.get_object()
        valid(NothingSerializer, request)
        services.take_newest_environment(session=session, actor=user_of(request))
        return self._answer(session.pk, status.HTTP_200_OK)

    @extend_schema(
        summary="Get an address that opens a running session in a browser",
        request=serializers.OpenSerializer,
        responses=serializers.OpenedSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    @conditional("session")
    def open(self, request: Request, **_: Any) -> Response:
        session = self.get_object()
        chosen = valid(serializers.OpenSerializer, request)
        credential, credential_id = _credential(request)
        url = services.open_session(
            session=session,
            user=user_of(request),
            credential=credential,
            credential_id=credential_id,
            path=chosen["path"],
        )
        opened = {"url": url, "base_url": session_url(session.pk)}
        return Response(serializers.OpenedSerializer(opened).data)

    @extend_schema(
        summary="List what happened to a session, newest first",
        responses=serializers.EventSerializer(many=True),
        filters=False,
    )
    @action(detail=True, pagination_class=EventCursor, filterset_class=None)
    def events(self, request: Request, **_: Any) -> Response:
        events = SessionEvent.objects.filter(session=self.get_object()).select_related("actor")
        pages = EventCursor()
        page = pages.paginate_queryset(events, request, view=self)
        return pages.get_paginated_response(serializers.EventSerializer(page, many=True).data)

    @extend_schema(summary="Read the end of a session's log", responses=serializers.LogSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def logs(self, request: Request, **_: Any) -> Response:  # noqa: ARG002
        run = self.get_object().current_run
        assert run is not None
        return Response({"run": str(run.pk), "text": log_of(run)})


@extend_schema_view(
    list=extend_schema(summary="List your bookmarks"),
    retrieve=extend_schema(summary="Read a bookmark"),
    destroy=extend_schema(summary="Delete a bookmark", parameters=[IF_MATCH]),
)
class BookmarkViewSet(
    TaggedRetrieveMixin, mixins.DestroyModelMixin, ReadOnlyModelViewSet[Bookmark]
):
    """What you start sessions with time and again."""

    queryset = Bookmark.objects.none()
    needs = dict.fromkeys(("create", "destroy"), Scope.LAUNCH)
    lookup_value_regex = UUID_PATTERN
    pagination_class = None

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What is taken, for the form of the browsable API."""
        if self.action == "create":
            return serializers.BookmarkCreateSerializer
        return serializers.BookmarkSerializer

    def initial_body(self) -> dict[str, Any]:
        """Return the initial body of the browsable API's form."""
        body = _launchable(user_of(self.request)) if self.action == "create" else {}
        return {"name": examples.NEW_BOOKMARK["name"], **body} if body else {}

    def get_queryset(self) -> QuerySet[Bookmark]:
        return Bookmark.objects.visible_to(user_of(self.request))

    @conditional("bookmark")
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)

    @once
    @extend_schema(
        summary="Keep a bookmark",
        request=serializers.BookmarkCreateSerializer,
        responses={201: serializers.BookmarkSerializer},
    )
    def create(self, request: Request) -> Response:
        chosen = valid(serializers.BookmarkCreateSerializer, request)
        setup = Setup(**_setup(chosen))
        kept = bookmarks.keep_bookmark(owner=user_of(request), setup=setup, **chosen)
        body = serializers.BookmarkSerializer(kept).data
        return created(request, f"/api/v2/bookmarks/{kept.pk}", body, etag=kept.etag)


@extend_schema_view(list=extend_schema(summary="List your API tokens"))
class TokenViewSet(mixins.ListModelMixin, GenericViewSet[ApiToken]):
    """Your API tokens."""

    queryset = ApiToken.objects.none()
    needs = dict.fromkeys(("create", "destroy", "revoke_all"), Scope.MANAGE)
    lookup_value_regex = UUID_PATTERN

    def get_serializer_class(self) -> type[Serializer[Any]]:
        """What is taken, for the forms of the browsable API."""
        if self.action == "create":
            return serializers.TokenCreateSerializer
        if self.action == "revoke_all":
            return NothingSerializer
        return serializers.TokenSerializer

    def initial_body(self) -> dict[str, Any]:
        """Return the initial body of the browsable API's form."""
        return examples.NEW_TOKEN if self.action == "create" else {}

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.visible_to(user_of(self.request))

    @once
    @extend_schema(
        summary="Make an API token; it is shown this once",
        request=serializers.TokenCreateSerializer,
        responses={201: serializers.NewTokenSerializer},
    )
    def create(self, request: Request) -> Response:
        chosen = valid(serializers.TokenCreateSerializer, request)
        days = chosen.get("expires_in_days")
        made = accounts.create_token(
            user=user_of(request),
            name=chosen["name"],
            scopes=chosen.get("scopes"),
            # What is longer than can be said is longer than anything allowed.
            life=None if days is None else timedelta(days=min(days, timedelta.max.days)),
            by=_by(request),
        )
        return _new_token(request, made)

    @extend_schema(
        summary="Revoke an API token",
        responses={204: None},
        parameters=[IF_MATCH],
    )
    @conditional("token")
    def destroy(self, request: Request, **_: Any) -> Response:  # noqa: ARG002
        accounts.revoke_token(token=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Revoke all of your API tokens, that of the request too",
        request=None,
        responses=serializers.RevokedSerializer,
    )
    @action(detail=False, methods=["post"], url_path="revoke-all")
    def revoke_all(self, request: Request) -> Response:
        valid(NothingSerializer, request)
        return Response({"revoked": accounts.revoke_all_tokens(user=user_of(request))})


def _launchable(user: User) -> dict[str, Any]:
    """The first size and environment that the user is offered; empty where one is missing."""
    profile = ResourceProfile.objects.offered_to(user).first()
    environment = Environment.objects.offered_to(user).filter(newest__needs_gpu=False).first()
    if profile is None or environment is None:
        return {}
    return {"profile": profile.name, "environment": environment.name}


def _by(request: Request) -> ApiToken | None:
    """The token that another is made by; None where its user signed in themselves."""
    if request.auth is None or isinstance(request.auth, ApiToken):
        return request.auth
    raise _token_needed("Making an API token")


def _new_token(request: Request, made: NewToken) -> Response:
    token = made.record
    body = {**serializers.TokenSerializer(token).data, "token": made.secret}
    return created(request, f"/api/v2/tokens/{token.pk}", body, etag=token.etag)


def _session(session: NotebookSession, code: int) -> Response:
    answer = serializers.SessionSerializer(session).data
    return Response(answer, status=code, headers={"ETag": session.etag})


def _setup(given: dict[str, Any]) -> dict[str, Any]:
    """Take out of the input what is part of a setup, as a setup has it."""
    return {name: read(given.pop(name)) for name, read in _IN_A_SETUP.items() if name in given}


def _credential(request: Request) -> tuple[Credential, UUID]:
    """By what the browser that is let in stays in: when it ends, so does that."""
    if isinstance(request.auth, ApiToken):
        return Credential.TOKEN, request.auth.pk
    if isinstance(request.successful_authenticator, SignInAuthentication):
        return Credential.SIGN_IN, sign_in_id(request._request)  # noqa: SLF001
    raise _token_needed("Opening a session")


def _token_needed(what: str) -> DomainError:
    return DomainError(
        f"{what} takes an API token or a browser's sign-in.", code="token_needed", status=403
    )
